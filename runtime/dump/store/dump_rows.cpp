#include "runtime/dump/store/dump_rows.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>
#include <optional>

#include "compiler/ir/digest.h"
#include "runtime/dump/store/blob_encoding.h"
#include "runtime/dump/store/errors.h"
#include "runtime/dump/subspace.h"

namespace plan::dump {
namespace {

constexpr std::size_t kHashBytes = 32;
constexpr std::size_t kFaultsShown = 20;
constexpr std::streamoff kBlobFileMax = std::streamoff{1} << 32U;
// The exporter's range: from one zero byte to 32 bytes of FF (reference/stalwart-store.md 4).
const std::string kLastKey(32, '\xFF');

bool is_in_range(std::string_view key) { return !key.empty() && key <= kLastKey; }

/// Rows as they are, without those that the server's exporter passes over.
class PlainRows final : public RecordCursor {
 public:
  explicit PlainRows(std::unique_ptr<RecordCursor> rows) : rows_(std::move(rows)) {}
  Result<bool> next(Record& record) override {
    while (true) {
      PLAN_TRY(has_row, rows_->next(record));
      if (!has_row) return false;
      if (is_in_range(record.key)) return true;
    }
  }

 private:
  std::unique_ptr<RecordCursor> rows_;
};

/// The distinct hashes at the front of the keys of `k`, in order; none where the store has no `k`.
class LinkedHashes {
 public:
  explicit LinkedHashes(std::unique_ptr<RecordCursor> links) : links_(std::move(links)) {}
  Result<bool> next() {
    if (links_ == nullptr) return false;
    Record record;
    while (true) {
      PLAN_TRY(has_row, links_->next(record));
      if (!has_row) return false;
      const std::string_view hash = record.key.substr(0, kHashBytes);
      if (hash.size() < kHashBytes || hash == hash_) continue;
      hash_ = hash;
      return true;
    }
  }
  [[nodiscard]] const std::string& hash() const { return hash_; }

 private:
  std::unique_ptr<RecordCursor> links_;
  std::string hash_;
};

class BlobRows : public BlobCursor {
 public:
  BlobRows(std::unique_ptr<RecordCursor> links, const DumpRowOptions& options, BlobFaults& faults)
      : hashes_(std::move(links)), options_(options), faults_(faults) {}

  void look_for(std::string_view key) override { looked_for_ = key; }

  Result<bool> next(Record& record) override {
    while (true) {
      PLAN_TRY(has_key, next_key());
      if (!has_key) return false;
      PLAN_TRY(stored, find(key_));
      if (!stored) {
        if (!is_linked_) continue;
        ++faults_.missing;
        note("is linked but not there");
        continue;
      }
      const auto content = decode_blob(options_.schema, key_, *stored, room_);
      if (!content) {
        if (!options_.skips_damaged) return content.error();
        ++faults_.damaged;
        note("is damaged");
        continue;
      }
      record.key = key_;
      record.value = *content;
      return true;
    }
  }

 protected:
  /// The stored bytes of a blob; hashes come in ascending order.
  virtual Result<std::optional<std::string_view>> find(const std::string& hash) = 0;

 private:
  /// The lower one of the next linked hash and the key that is looked for.
  Result<bool> next_key() {
    if (!has_hash_ && !is_past_links_) {
      PLAN_TRY(has_hash, hashes_.next());
      has_hash_ = has_hash;
      is_past_links_ = !has_hash;
    }
    const bool is_asked = !looked_for_.empty() && (!has_hash_ || looked_for_ <= hashes_.hash());
    if (!has_hash_ && !is_asked) return false;
    is_linked_ = has_hash_ && (!is_asked || looked_for_ == hashes_.hash());
    key_ = is_asked ? looked_for_ : hashes_.hash();
    if (is_asked) looked_for_.clear();
    if (is_linked_) has_hash_ = false;
    return true;
  }

  void note(std::string_view what) {
    if (faults_.first.size() < kFaultsShown) {
      faults_.first.push_back(fmt::format("{} {}", ir::to_hex(key_), what));
    }
  }

  LinkedHashes hashes_;
  DumpRowOptions options_;
  BlobFaults& faults_;
  std::string room_;
  std::string key_;
  std::string looked_for_;
  bool has_hash_ = false;
  bool is_past_links_ = false;
  bool is_linked_ = false;
};

/// Blobs in the store's own subspace t: both sides are in order, so one pass over each is enough.
class StoredBlobs final : public BlobRows {
 public:
  StoredBlobs(std::unique_ptr<RecordCursor> links, std::unique_ptr<RecordCursor> blobs,
              const DumpRowOptions& options, BlobFaults& faults)
      : BlobRows(std::move(links), options, faults), blobs_(std::move(blobs)) {}

 protected:
  Result<std::optional<std::string_view>> find(const std::string& hash) override {
    while (has_row_ && (!is_begun_ || row_.key < hash)) {
      is_begun_ = true;
      PLAN_TRY(has_row, blobs_->next(row_));
      has_row_ = has_row;
    }
    if (!has_row_ || row_.key != hash) return std::optional<std::string_view>();
    return std::optional<std::string_view>(row_.value);
  }

 private:
  std::unique_ptr<RecordCursor> blobs_;
  Record row_;
  bool has_row_ = true;
  bool is_begun_ = false;
};

class BlobFiles final : public BlobRows {
 public:
  BlobFiles(std::unique_ptr<RecordCursor> links, const StoreAddress& address,
            const DumpRowOptions& options, BlobFaults& faults)
      : BlobRows(std::move(links), options, faults),
        folder_(address.blob_folder),
        depth_(address.blob_depth) {}

 protected:
  Result<std::optional<std::string_view>> find(const std::string& hash) override {
    const std::string path = blob_file(folder_, depth_, hash);
    std::error_code code;
    const auto status = std::filesystem::status(path, code);
    if (!std::filesystem::exists(status)) return std::optional<std::string_view>();
    // A pipe would be waited for.
    if (!std::filesystem::is_regular_file(status))
      return Error(errors::blob_wrong, fmt::format("{} is no regular file", path));
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    if (!file) return std::optional<std::string_view>();
    const std::streamoff bytes = file.tellg();
    if (bytes < 0 || bytes > kBlobFileMax) {
      return Error(errors::blob_wrong, fmt::format("{} has {} bytes", path, bytes));
    }
    bytes_.resize(static_cast<std::size_t>(bytes));
    file.seekg(0);
    file.read(bytes_.data(), bytes);
    if (file.gcount() != bytes) {
      return Error(errors::blob_wrong, fmt::format("{} cannot be read to its end", path));
    }
    return std::optional<std::string_view>(bytes_);
  }

 private:
  std::string folder_;
  unsigned depth_;
  std::string bytes_;
};

}  // namespace

Result<std::unique_ptr<RecordCursor>> open_dump_rows(StoreReader& reader,
                                                     const StoreAddress& address, char letter,
                                                     const DumpRowOptions& options,
                                                     BlobFaults& faults) {
  const Subspace* subspace = find_subspace(letter, options.schema);
  if (subspace == nullptr || subspace->value != ValueKind::blob) {
    PLAN_TRY(rows, reader.open(letter));
    if (rows == nullptr) return std::unique_ptr<RecordCursor>();
    return std::unique_ptr<RecordCursor>(std::make_unique<PlainRows>(std::move(rows)));
  }
  PLAN_TRY(blobs, open_blob_rows(reader, address, options, faults));
  return std::unique_ptr<RecordCursor>(std::move(blobs));
}

Result<std::unique_ptr<BlobCursor>> open_blob_rows(StoreReader& reader, const StoreAddress& address,
                                                   const DumpRowOptions& options,
                                                   BlobFaults& faults) {
  PLAN_TRY(links, reader.open('k'));
  if (!address.blob_folder.empty()) {
    return std::unique_ptr<BlobCursor>(
        std::make_unique<BlobFiles>(std::move(links), address, options, faults));
  }
  PLAN_TRY(blobs, reader.open('t'));
  if (blobs == nullptr) return std::unique_ptr<BlobCursor>();
  return std::unique_ptr<BlobCursor>(
      std::make_unique<StoredBlobs>(std::move(links), std::move(blobs), options, faults));
}

}  // namespace plan::dump
