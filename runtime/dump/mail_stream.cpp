#include "runtime/dump/mail_stream.h"

#include <fmt/format.h>

#include <filesystem>
#include <map>

#include "runtime/dump/errors.h"
#include "runtime/dump/integers.h"
#include "runtime/dump/key_shape.h"
#include "runtime/dump/subspace.h"

namespace plan::dump {
namespace {

constexpr std::string_view kSchemaKey{"\0", 1};
constexpr std::string_view kSchemaRow{"\0\0\0\6", 4};  // u32 big-endian
constexpr char kUsedBytes = '\x04';                    // first byte of such a key of u
constexpr char kAccountBytes = '\xFF';                 // last byte of such a key of n
constexpr char kTenantBytes = '\xFE';

class MailStream final : public RecordStream {
 public:
  MailStream(std::unique_ptr<RecordStream> rows, char letter)
      : rows_(std::move(rows)), letter_(letter) {}

  [[nodiscard]] Result<bool> next() override {
    while (true) {
      PLAN_TRY(is_there, rows_->next());
      if (!is_there) return false;
      is_schema_row_ = letter_ == 'p' && rows_->key() == kSchemaKey;
      is_given_ = false;
      if (letter_ != 'u' || !rows_->key().starts_with(kUsedBytes)) return true;
    }
  }
  [[nodiscard]] std::string_view key() const override { return rows_->key(); }
  [[nodiscard]] std::uint64_t value_bytes() const override {
    return is_schema_row_ ? kSchemaRow.size() : rows_->value_bytes();
  }
  [[nodiscard]] Result<std::string_view> value_piece() override {
    if (!is_schema_row_) return rows_->value_piece();
    const bool is_over = is_given_;
    is_given_ = true;
    return is_over ? std::string_view() : kSchemaRow;
  }
  [[nodiscard]] Outcome finish() override { return rows_->finish(); }

 private:
  std::unique_ptr<RecordStream> rows_;
  char letter_;
  bool is_schema_row_ = false;
  bool is_given_ = false;
};

class UsedBytesStream final : public RecordStream {
 public:
  explicit UsedBytesStream(std::map<std::string, std::string> rows)
      : rows_(std::move(rows)), at_(rows_.end()), next_(rows_.begin()) {}

  [[nodiscard]] Result<bool> next() override {
    if (next_ == rows_.end()) return false;
    at_ = next_++;
    is_given_ = false;
    return true;
  }
  [[nodiscard]] std::string_view key() const override { return at_->first; }
  [[nodiscard]] std::uint64_t value_bytes() const override { return at_->second.size(); }
  [[nodiscard]] Result<std::string_view> value_piece() override {
    const bool is_over = is_given_;
    is_given_ = true;
    return is_over ? std::string_view() : std::string_view(at_->second);
  }

 private:
  std::map<std::string, std::string> rows_;
  std::map<std::string, std::string>::const_iterator at_;
  std::map<std::string, std::string>::const_iterator next_;
  bool is_given_ = false;
};

}  // namespace

std::string_view mail_letters() { return "aeiklnpqtu"; }

std::unique_ptr<RecordStream> as_mail_of_16(std::unique_ptr<RecordStream> rows, char letter) {
  return std::make_unique<MailStream>(std::move(rows), letter);
}

Result<std::unique_ptr<RecordStream>> used_bytes_as_of_16(const std::string& dump,
                                                          const Directory& owners) {
  const Subspace& quota = *find_subspace('u', kSchema15);
  const std::string path = dump + "/" + file_name_of(quota.letter);
  if (!std::filesystem::exists(path)) return std::unique_ptr<RecordStream>();
  PLAN_TRY(reader, FrameReader::open(path));
  std::map<std::string, std::string> rows;
  while (true) {
    PLAN_TRY(record, reader->next_record().while_doing("reading " + path));
    if (!record) break;
    const auto account = record->key.starts_with(kUsedBytes) ? account_of(quota, record->key)
                                                             : std::optional<std::uint32_t>();
    if (!account) continue;
    if (rows.size() >= kAccountsMax)
      return Error(errors::value_too_large,
                   fmt::format("{} counts for more than {} accounts", path, kAccountsMax));
    const auto owner = owners.accounts().find(*account);
    const bool is_tenant = owner != owners.accounts().end() && owner->second.type == "tenant";
    std::string key;
    append_big(key, *account, 4);
    key += is_tenant ? kTenantBytes : kAccountBytes;
    rows.emplace(std::move(key), record->value);
  }
  return std::unique_ptr<RecordStream>(std::make_unique<UsedBytesStream>(std::move(rows)));
}

}  // namespace plan::dump
