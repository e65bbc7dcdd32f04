#include <fmt/format.h>

#include <charconv>

#include "runtime/dump/store/errors.h"
#include "runtime/dump/store/sql_connections.h"
#include "runtime/dump/store/store_reader.h"

namespace plan::dump {
namespace {

class MysqlCursor final : public RecordCursor {
 public:
  MysqlCursor(store::MariaConnection connection, char letter, TableShape shape)
      : connection_(std::move(connection)), letter_(letter), shape_(shape) {}

  Result<bool> next(Record& record) override {
    PLAN_TRY(has_row, connection_.next_row(fields_));
    if (!has_row) return false;
    if (fields_.size() != (shape_ == TableShape::key_only ? 1U : 2U)) {
      return Error(errors::store_row_wrong,
                   fmt::format("table {} gives rows of {} columns", letter_, fields_.size()));
    }
    record.key = fields_[0];
    record.value = {};
    if (shape_ == TableShape::value) record.value = fields_[1];
    if (shape_ == TableShape::counter) {
      std::int64_t value = 0;
      std::from_chars(fields_[1].data(), fields_[1].data() + fields_[1].size(), value);
      counter_ = counter_bytes(value);
      record.value = counter_;
    }
    // Read in the order of the primary key, which holds whole keys of up to 255 bytes (400 where
    // there is no value): the order of the keys. Sorting on the server would copy the table.
    if (has_last_ && record.key <= last_) {
      return Error(errors::store_row_wrong,
                   fmt::format("table {} does not come in the order of its keys", letter_));
    }
    last_ = record.key;
    has_last_ = true;
    return true;
  }

 private:
  store::MariaConnection connection_;
  char letter_;
  TableShape shape_;
  std::vector<std::string_view> fields_;
  std::string counter_;
  std::string last_;
  bool has_last_ = false;
};

class MysqlReader final : public StoreReader {
 public:
  MysqlReader(StoreAddress address, StoreTables tables)
      : address_(std::move(address)), tables_(std::move(tables)) {
    for (const auto& [letter, shape] : tables_.subspaces) letters_.push_back(letter);
  }

  [[nodiscard]] const std::vector<char>& letters() const override { return letters_; }

  Result<std::vector<std::string>> foreign() override { return tables_.foreign; }

  Result<std::unique_ptr<RecordCursor>> open(char letter) override {
    const auto table = tables_.subspaces.find(letter);
    if (table == tables_.subspaces.end()) return std::unique_ptr<RecordCursor>();
    PLAN_TRY(connection, open_mysql(address_));
    PLAN_TRY_VOID(connection.execute("SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ"));
    PLAN_TRY_VOID(connection.execute("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"));
    PLAN_TRY_VOID(connection.begin_rows(
        fmt::format("SELECT k{} FROM `{}` FORCE INDEX (PRIMARY)",
                    table->second == TableShape::key_only ? "" : ", v", letter)));
    return std::unique_ptr<RecordCursor>(
        std::make_unique<MysqlCursor>(std::move(connection), letter, table->second));
  }

  Result<std::string> fingerprint() override { return std::string(); }
  [[nodiscard]] unsigned cursors_max() const override { return 4; }

 private:
  StoreAddress address_;
  StoreTables tables_;
  std::vector<char> letters_;
};

}  // namespace

Result<std::unique_ptr<StoreReader>> open_mysql_reader(const StoreAddress& address) {
  PLAN_TRY(connection, open_mysql(address));
  PLAN_TRY(tables, mysql_tables(connection));
  return std::unique_ptr<StoreReader>(
      std::make_unique<MysqlReader>(copy_address(address), std::move(tables)));
}

}  // namespace plan::dump
