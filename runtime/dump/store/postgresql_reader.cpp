#include <fmt/format.h>

#include <mutex>

#include "runtime/dump/store/errors.h"
#include "runtime/dump/store/sql_connections.h"
#include "runtime/dump/store/store_reader.h"

namespace plan::dump {
namespace {

std::int64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char byte : bytes) value = value << 8U | static_cast<unsigned char>(byte);
  return static_cast<std::int64_t>(value);
}

class PostgresCursor final : public RecordCursor {
 public:
  PostgresCursor(store::PostgresConnection connection, char letter, TableShape shape)
      : connection_(std::move(connection)), letter_(letter), shape_(shape) {}

  Result<bool> next(Record& record) override {
    PLAN_TRY(has_row, connection_.next_copied(fields_));
    if (!has_row) return false;
    const std::size_t expected = shape_ == TableShape::key_only ? 1 : 2;
    if (fields_.size() != expected) {
      return Error(errors::store_row_wrong,
                   fmt::format("table {} gives rows of {} columns", letter_, fields_.size()));
    }
    record.key = fields_[0];
    if (shape_ == TableShape::counter) {
      counter_ = counter_bytes(big_endian(fields_[1]));
      record.value = counter_;
    } else {
      record.value = expected == 2 ? fields_[1] : std::string_view();
    }
    return true;
  }

 private:
  store::PostgresConnection connection_;
  char letter_;
  TableShape shape_;
  std::vector<std::string_view> fields_;
  std::string counter_;
};

// All cursors see the moment at which the reader was opened: the first connection keeps that
// snapshot alive.
class PostgresReader final : public StoreReader {
 public:
  PostgresReader(StoreAddress address, store::PostgresConnection keeper, std::string snapshot,
                 StoreTables tables)
      : address_(std::move(address)),
        keeper_(std::move(keeper)),
        snapshot_(std::move(snapshot)),
        tables_(std::move(tables)) {
    for (const auto& [letter, shape] : tables_.subspaces) letters_.push_back(letter);
  }

  [[nodiscard]] const std::vector<char>& letters() const override { return letters_; }

  Result<std::vector<std::string>> foreign() override { return tables_.foreign; }

  Result<std::unique_ptr<RecordCursor>> open(char letter) override {
    const auto table = tables_.subspaces.find(letter);
    if (table == tables_.subspaces.end()) return std::unique_ptr<RecordCursor>();
    PLAN_TRY(connection, open_postgresql(address_));
    PLAN_TRY_VOID(connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
    PLAN_TRY_VOID(connection.execute(fmt::format("SET TRANSACTION SNAPSHOT '{}'", snapshot_)));
    // One pass over the table, sorted only where the index is not already in this order.
    PLAN_TRY_VOID(connection.begin_copy_out(
        fmt::format("COPY (SELECT k{} FROM {} ORDER BY k) TO STDOUT (FORMAT binary)",
                    table->second == TableShape::key_only ? "" : ", v", letter)));
    return std::unique_ptr<RecordCursor>(
        std::make_unique<PostgresCursor>(std::move(connection), letter, table->second));
  }

  // The server counts committed changes; rows of this database only cannot be told apart.
  Result<std::string> fingerprint() override { return std::string(); }
  [[nodiscard]] unsigned cursors_max() const override { return 4; }

 private:
  StoreAddress address_;
  store::PostgresConnection keeper_;
  std::string snapshot_;
  StoreTables tables_;
  std::vector<char> letters_;
};

}  // namespace

Result<std::unique_ptr<StoreReader>> open_postgresql_reader(const StoreAddress& address) {
  PLAN_TRY(keeper, open_postgresql(address));
  PLAN_TRY_VOID(keeper.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"));
  PLAN_TRY(tables, postgresql_tables(keeper));
  PLAN_TRY(snapshot, keeper.query("SELECT pg_export_snapshot()"));
  return std::unique_ptr<StoreReader>(
      std::make_unique<PostgresReader>(copy_address(address), std::move(keeper),
                                       snapshot.at(0).at(0).value_or(""), std::move(tables)));
}

}  // namespace plan::dump
