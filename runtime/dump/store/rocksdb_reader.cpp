#include <fmt/format.h>

#include <filesystem>
#include <map>

#include "runtime/dump/store/errors.h"
#include "runtime/dump/store/store_reader.h"
#include "runtime/store/errors.h"
#include "runtime/store/rocks_loaded.h"

namespace plan::dump {
namespace {

class RocksdbCursor final : public RecordCursor {
 public:
  explicit RocksdbCursor(store::LoadedRocksCursor cursor) : cursor_(std::move(cursor)) {}

  Result<bool> next(Record& record) override {
    PLAN_TRY(has_row, cursor_.next());
    if (!has_row) return false;
    record.key = cursor_.key();
    record.value = cursor_.value();
    return true;
  }

 private:
  store::LoadedRocksCursor cursor_;
};

class RocksdbReader final : public StoreReader {
 public:
  RocksdbReader(std::unique_ptr<store::LoadedRocks> store, std::string folder)
      : store_(std::move(store)), folder_(std::move(folder)) {
    for (const std::string& name : store_->family_names()) {
      if (is_letter(name)) letters_.push_back(name[0]);
    }
    std::sort(letters_.begin(), letters_.end());
  }

  [[nodiscard]] const std::vector<char>& letters() const override { return letters_; }

  // The server leaves the family `default` empty; an import keeps its notes there.
  Result<std::vector<std::string>> foreign() override {
    StoreTables families;
    for (const std::string& name : store_->family_names()) {
      if (name != "default") families.add(name, is_letter(name) ? "k" : "", false);
    }
    const auto family = store_->family("default");
    if (!family) return families.foreign;
    PLAN_TRY(cursor, store_->scan(*family));
    while (true) {
      PLAN_TRY(has_row, cursor.next());
      if (!has_row) return families.foreign;
      if (cursor.key().starts_with(kImportTable)) continue;
      families.foreign.emplace_back("default");
      return families.foreign;
    }
  }

  Result<std::unique_ptr<RecordCursor>> open(char letter) override {
    const auto family = store_->family(std::string_view(&letter, 1));
    if (!family) return std::unique_ptr<RecordCursor>();
    PLAN_TRY(cursor, store_->scan(*family));
    return std::unique_ptr<RecordCursor>(std::make_unique<RocksdbCursor>(std::move(cursor)));
  }

  Outcome check_count(char letter, std::uint64_t records) override {
    const auto family = store_->family(std::string_view(&letter, 1));
    if (!family) return {};
    PLAN_TRY(figures, store_->figures(*family));
    if (records < figures.records_least || records > figures.entries) {
      return Error(
          store::errors::store_read_short,
          fmt::format(
              "{}: the number of records read of subspace {} is {}, and its files hold {} to {}",
              folder_, letter, records, figures.records_least, figures.entries));
    }
    return {};
  }

  Result<std::string> fingerprint() override {
    std::map<std::string, std::string> files;
    std::error_code code;
    for (const auto& entry : std::filesystem::directory_iterator(folder_, code)) {
      const std::string name = entry.path().filename().string();
      if (name.starts_with("LOG")) continue;
      files[name] = std::to_string(entry.file_size(code));
    }
    std::string text;
    for (const auto& [name, bytes] : files) text += fmt::format("{} {};", name, bytes);
    return text;
  }

  [[nodiscard]] unsigned cursors_max() const override { return 4; }

 private:
  std::unique_ptr<store::LoadedRocks> store_;
  std::string folder_;
  std::vector<char> letters_;
};

}  // namespace

Result<std::unique_ptr<StoreReader>> open_rocksdb_reader(const StoreAddress& address) {
  PLAN_TRY(library, store::RocksLibrary::find(address.rocksdb_library));
  // n, u and y hold sums of 64-bit numbers in every version that has them.
  PLAN_TRY(store,
           store::LoadedRocks::open(library, address.path,
                                    {.is_read_only = true, .sum_families = {"n", "u", "y"}}));
  return std::unique_ptr<StoreReader>(
      std::make_unique<RocksdbReader>(std::move(store), address.path));
}

}  // namespace plan::dump
