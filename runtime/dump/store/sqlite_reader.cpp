#include <fmt/format.h>

#include <filesystem>

#include "runtime/dump/store/errors.h"
#include "runtime/dump/store/store_reader.h"
#include "runtime/store/sqlite.h"

namespace plan::dump {
namespace {

Result<store::Database> open_database(const std::string& path) {
  return store::Database::open(path, {.is_read_only = true, .leaves_no_trace = true});
}

class SqliteCursor final : public RecordCursor {
 public:
  SqliteCursor(store::Database database, store::Statement statement, TableShape shape)
      : database_(std::move(database)), statement_(std::move(statement)), shape_(shape) {}

  Result<bool> next(Record& record) override {
    PLAN_TRY(has_row, statement_.step());
    if (!has_row) return false;
    record.key = statement_.blob(0);
    if (shape_ == TableShape::counter) {
      counter_ = counter_bytes(statement_.integer(1));
      record.value = counter_;
    } else {
      record.value = shape_ == TableShape::value ? statement_.blob(1) : std::string_view();
    }
    return true;
  }

 private:
  store::Database database_;  // before the statement, which it must outlive
  store::Statement statement_;
  TableShape shape_;
  std::string counter_;
};

class SqliteReader final : public StoreReader {
 public:
  SqliteReader(std::string path, StoreTables tables)
      : path_(std::move(path)), tables_(std::move(tables)) {
    for (const auto& [letter, shape] : tables_.subspaces) letters_.push_back(letter);
  }

  [[nodiscard]] const std::vector<char>& letters() const override { return letters_; }

  Result<std::vector<std::string>> foreign() override { return tables_.foreign; }

  Result<std::unique_ptr<RecordCursor>> open(char letter) override {
    const auto table = tables_.subspaces.find(letter);
    if (table == tables_.subspaces.end()) return std::unique_ptr<RecordCursor>();
    PLAN_TRY(database, open_database(path_));
    PLAN_TRY(statement, database.prepare(fmt::format(
                            "SELECT k{} FROM \"{}\" ORDER BY k",
                            table->second == TableShape::key_only ? "" : ", v", letter)));
    return std::unique_ptr<RecordCursor>(
        std::make_unique<SqliteCursor>(std::move(database), std::move(statement), table->second));
  }

  Result<std::string> fingerprint() override {
    std::string text;
    for (const char* suffix : {"", "-wal"}) {
      std::error_code code;
      const std::filesystem::path file = path_ + suffix;
      const auto bytes = std::filesystem::file_size(file, code);
      if (code) continue;
      const auto written = std::filesystem::last_write_time(file, code);
      text += fmt::format("{} {} {};", suffix, bytes, written.time_since_epoch().count());
    }
    return text;
  }

  [[nodiscard]] unsigned cursors_max() const override { return 4; }

 private:
  std::string path_;
  StoreTables tables_;
  std::vector<char> letters_;
};

}  // namespace

Result<std::unique_ptr<StoreReader>> open_sqlite_reader(const StoreAddress& address) {
  PLAN_TRY(database, open_database(address.path));
  // Columns of letters only: those of a view or of a virtual table may not even resolve.
  PLAN_TRY(columns, database.prepare(
                        "SELECT CASE length(s.name) WHEN 1 THEN lower(s.name) ELSE s.name END, "
                        "coalesce(c.name, ''), upper(coalesce(c.type, '')) FROM sqlite_schema s "
                        "LEFT JOIN pragma_table_info(CASE WHEN s.type = 'table' AND "
                        "length(s.name) = 1 THEN s.name END) c WHERE s.type IN ('table', 'view') "
                        "AND s.name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY s.name, c.cid"));
  StoreTables tables;
  while (true) {
    PLAN_TRY(has_row, columns.step());
    if (!has_row) break;
    tables.add(columns.text(0), columns.text(1), columns.text(2) == "INTEGER");
  }
  return std::unique_ptr<StoreReader>(
      std::make_unique<SqliteReader>(address.path, std::move(tables)));
}

}  // namespace plan::dump
