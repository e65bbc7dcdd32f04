#include <fmt/format.h>

#include "compiler/ir/digest.h"
#include "runtime/dump/store/sql_connections.h"
#include "runtime/dump/store/store_writer.h"
#include "runtime/dump/subspace.h"

namespace plan::dump {
namespace {

constexpr std::string_view kIdentity = "-";
constexpr std::size_t kSendBytes = std::size_t{1} << 20U;

std::string create_table(const Subspace& subspace) {
  switch (subspace.value) {
    case ValueKind::none:
      return fmt::format("CREATE TABLE IF NOT EXISTS {} (k BYTEA PRIMARY KEY)", subspace.letter);
    case ValueKind::counter:
      return fmt::format(
          "CREATE TABLE IF NOT EXISTS {} (k BYTEA PRIMARY KEY, v BIGINT NOT NULL DEFAULT 0)",
          subspace.letter);
    case ValueKind::plain:
    case ValueKind::blob:
      break;
  }
  return fmt::format("CREATE TABLE IF NOT EXISTS {} (k BYTEA PRIMARY KEY, v BYTEA NOT NULL)",
                     subspace.letter);
}

std::string bytea(std::string_view bytes) {
  return fmt::format("'\\x{}'::bytea", ir::to_hex(bytes));
}

std::string note_sql(std::string_view letter, const ImportProgress& progress) {
  return fmt::format(
      "INSERT INTO {0} (letter, last_key, records, is_done) VALUES ('{1}', {2}, {3}, {4}) ON "
      "CONFLICT (letter) DO UPDATE SET last_key = EXCLUDED.last_key, records = EXCLUDED.records, "
      "is_done = EXCLUDED.is_done",
      kImportTable, letter, bytea(progress.last_key), progress.records, progress.is_done ? 1 : 0);
}

Result<ImportProgress> read_progress(store::PostgresConnection& connection,
                                     std::string_view letter) {
  PLAN_TRY(rows,
           connection.query(
               fmt::format("SELECT encode(last_key, 'base64'), records, is_done FROM {} WHERE "
                           "letter = $1",
                           kImportTable),
               {std::string(letter)}));
  ImportProgress progress;
  if (rows.empty()) return progress;
  std::string text = rows[0].at(0).value_or("");
  std::erase(text, '\n');
  bool is_valid = false;
  progress.last_key = ir::from_base64(text, &is_valid);
  progress.records = std::strtoull(rows[0].at(1).value_or("0").c_str(), nullptr, 10);
  progress.is_done = rows[0].at(2).value_or("0") == "1";
  return progress;
}

// One transaction from commit to commit: a COPY, and the note of how far it went.
class PostgresSubspaceWriter final : public SubspaceWriter {
 public:
  PostgresSubspaceWriter(store::PostgresConnection connection, char letter, ValueKind kind)
      : connection_(std::move(connection)), letter_(letter), kind_(kind) {}

  Outcome put(const Record& record) override {
    if (!is_copying_) {
      PLAN_TRY_VOID(connection_.execute("BEGIN"));
      PLAN_TRY_VOID(
          connection_.begin_copy_in(fmt::format("COPY {} (k{}) FROM STDIN (FORMAT binary)", letter_,
                                                kind_ == ValueKind::none ? "" : ", v")));
      is_copying_ = true;
    }
    if (kind_ == ValueKind::none) {
      store::append_copied_row(rows_, record.key, std::nullopt);
    } else if (kind_ == ValueKind::counter) {
      const auto value = counter_value(record.value);
      if (!value) {
        return counter_wrong(letter_, record);
      }
      std::string bytes = counter_bytes(*value);
      std::reverse(bytes.begin(), bytes.end());
      store::append_copied_row(rows_, record.key, bytes);
    } else {
      store::append_copied_row(rows_, record.key, record.value);
    }
    if (rows_.size() < kSendBytes) return {};
    PLAN_TRY_VOID(connection_.copy_in(rows_));
    rows_.clear();
    return {};
  }

  Outcome commit(const ImportProgress& progress) override {
    if (is_copying_) {
      PLAN_TRY_VOID(connection_.copy_in(rows_));
      rows_.clear();
      PLAN_TRY_VOID(connection_.end_copy_in());
      is_copying_ = false;
    } else {
      PLAN_TRY_VOID(connection_.execute("BEGIN"));
    }
    return connection_.execute(note_sql(std::string_view(&letter_, 1), progress) + "; COMMIT");
  }

 private:
  store::PostgresConnection connection_;
  char letter_;
  ValueKind kind_;
  std::string rows_;
  bool is_copying_ = false;
};

class PostgresWriter final : public StoreWriter {
 public:
  PostgresWriter(StoreAddress address, store::PostgresConnection connection)
      : address_(std::move(address)), connection_(std::move(connection)) {}

  Result<std::string> begun_import() override {
    PLAN_TRY(tables, connection_.query("SELECT 1 FROM information_schema.tables WHERE table_schema "
                                       "= current_schema() AND table_name = $1",
                                       {std::string(kImportTable)}));
    if (tables.empty()) return std::string();
    PLAN_TRY(progress, read_progress(connection_, kIdentity));
    return progress.last_key;
  }

  Result<std::vector<char>> filled_subspaces() override {
    PLAN_TRY(tables, postgresql_tables(connection_));
    std::vector<char> filled;
    for (const auto& [letter, shape] : tables.subspaces) {
      PLAN_TRY(rows, connection_.query(fmt::format("SELECT 1 FROM {} LIMIT 1", letter)));
      if (!rows.empty()) filled.push_back(letter);
    }
    return filled;
  }

  Outcome prepare(std::uint32_t schema, const std::string& identity) override {
    schema_ = schema;
    std::string sql = "BEGIN;";
    for (const Subspace& subspace : subspaces(schema)) {
      if (subspace.name != "search-index") sql += create_table(subspace) + ";";
    }
    sql += fmt::format(
        "CREATE TABLE IF NOT EXISTS {} (letter TEXT PRIMARY KEY, last_key BYTEA NOT NULL, records "
        "BIGINT NOT NULL, is_done SMALLINT NOT NULL);",
        kImportTable);
    sql += note_sql(kIdentity, {.last_key = identity});
    return connection_.execute(sql + ";COMMIT");
  }

  Result<ImportProgress> progress(char letter) override {
    return read_progress(connection_, std::string_view(&letter, 1));
  }

  Result<std::unique_ptr<SubspaceWriter>> open(char letter) override {
    const Subspace* subspace = find_subspace(letter, schema_);
    PLAN_TRY(connection, open_postgresql(address_));
    return std::unique_ptr<SubspaceWriter>(std::make_unique<PostgresSubspaceWriter>(
        std::move(connection), letter, subspace == nullptr ? ValueKind::plain : subspace->value));
  }

  Outcome finish(const std::vector<std::pair<std::string, std::string>>& last_properties) override {
    std::string sql = "BEGIN;";
    for (const auto& [key, value] : last_properties) {
      sql += fmt::format(
          "INSERT INTO p (k, v) VALUES ({}, {}) ON CONFLICT (k) DO UPDATE SET v = "
          "EXCLUDED.v;",
          bytea(key), bytea(value));
    }
    sql += fmt::format("DROP TABLE IF EXISTS {};COMMIT", kImportTable);
    return connection_.execute(sql);
  }

  [[nodiscard]] unsigned writers_max() const override { return 4; }

 private:
  StoreAddress address_;
  store::PostgresConnection connection_;
  std::uint32_t schema_ = 0;
};

}  // namespace

Result<std::unique_ptr<StoreWriter>> open_postgresql_writer(const StoreAddress& address) {
  PLAN_TRY(connection, open_postgresql(address));
  return std::unique_ptr<StoreWriter>(
      std::make_unique<PostgresWriter>(copy_address(address), std::move(connection)));
}

}  // namespace plan::dump
