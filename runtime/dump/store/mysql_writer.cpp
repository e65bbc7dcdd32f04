#include <fmt/format.h>

#include <cstdlib>

#include "compiler/ir/digest.h"
#include "runtime/dump/store/errors.h"
#include "runtime/dump/store/sql_connections.h"
#include "runtime/dump/store/store_writer.h"
#include "runtime/dump/subspace.h"
#include "runtime/store/errors.h"

namespace plan::dump {
namespace {

constexpr std::string_view kIdentity = "-";
constexpr std::size_t kStatementBytes = std::size_t{1} << 20U;
constexpr std::size_t kValueKeyMax = 255;  // TINYBLOB
constexpr std::size_t kIndexKeyMax = 400;  // what the primary key of the index tables compares

std::string create_table(const Subspace& subspace) {
  switch (subspace.value) {
    case ValueKind::none:
      return fmt::format(
          "CREATE TABLE IF NOT EXISTS {} (k BLOB, PRIMARY KEY (k({}))) ENGINE=InnoDB",
          subspace.letter, kIndexKeyMax);
    case ValueKind::counter:
      return fmt::format(
          "CREATE TABLE IF NOT EXISTS {} (k TINYBLOB, v BIGINT NOT NULL DEFAULT 0, PRIMARY KEY "
          "(k({}))) ENGINE=InnoDB",
          subspace.letter, kValueKeyMax);
    case ValueKind::plain:
    case ValueKind::blob:
      break;
  }
  return fmt::format(
      "CREATE TABLE IF NOT EXISTS {} (k TINYBLOB, v {} NOT NULL, PRIMARY KEY (k({}))) "
      "ENGINE=InnoDB",
      subspace.letter, subspace.value == ValueKind::blob ? "LONGBLOB" : "MEDIUMBLOB", kValueKeyMax);
}

std::string note_sql(std::string_view letter, const ImportProgress& progress) {
  return fmt::format(
      "REPLACE INTO {} (letter, last_key, records, is_done) VALUES ('{}', x'{}', {}, {})",
      kImportTable, letter, ir::to_hex(progress.last_key), progress.records,
      progress.is_done ? 1 : 0);
}

class MysqlSubspaceWriter final : public SubspaceWriter {
 public:
  MysqlSubspaceWriter(store::MariaConnection connection, char letter, ValueKind kind,
                      std::size_t packet)
      : connection_(std::move(connection)), letter_(letter), kind_(kind), packet_(packet) {}

  Outcome put(const Record& record) override {
    const std::size_t key_max = kind_ == ValueKind::none ? kIndexKeyMax : kValueKeyMax;
    if (record.key.size() > key_max) {
      return Error(
          errors::target_key_too_long,
          fmt::format("a key of subspace {} has {} bytes, and its table on a MySQL server "
                      "tells {} apart: {}...",
                      letter_, record.key.size(), key_max, ir::to_hex(record.key.substr(0, 32))));
    }
    if (!is_begun_) {
      PLAN_TRY_VOID(connection_.execute("START TRANSACTION"));
      is_begun_ = true;
    }
    // The statement grows row by row up to about a megabyte, never over what the server takes.
    const std::size_t most = 2 * (record.key.size() + record.value.size()) + 64;
    if (!sql_.empty() && sql_.size() + most > std::min(kStatementBytes, packet_)) {
      PLAN_TRY_VOID(send());
    }
    if (sql_.empty()) {
      sql_ = fmt::format("INSERT INTO {} (k{}) VALUES ", letter_,
                         kind_ == ValueKind::none ? "" : ", v");
    } else {
      sql_ += ',';
    }
    sql_ += '(';
    connection_.append_literal(sql_, record.key);
    if (kind_ == ValueKind::counter) {
      const auto value = counter_value(record.value);
      if (!value) {
        return counter_wrong(letter_, record);
      }
      sql_ += fmt::format(",{}", *value);
    } else if (kind_ != ValueKind::none) {
      sql_ += ',';
      connection_.append_literal(sql_, record.value);
    }
    sql_ += ')';
    if (sql_.size() > packet_) {
      return Error(store::errors::packet_too_small,
                   fmt::format("a row of subspace {} needs {} bytes, max_allowed_packet is {}",
                               letter_, sql_.size(), packet_));
    }
    return {};
  }

  Outcome commit(const ImportProgress& progress) override {
    if (!is_begun_) PLAN_TRY_VOID(connection_.execute("START TRANSACTION"));
    PLAN_TRY_VOID(send());
    PLAN_TRY_VOID(connection_.execute(note_sql(std::string_view(&letter_, 1), progress)));
    is_begun_ = false;
    return connection_.execute("COMMIT");
  }

 private:
  Outcome send() {
    if (sql_.empty()) return {};
    const Outcome outcome = connection_.execute(sql_);
    sql_.clear();
    return outcome;
  }

  store::MariaConnection connection_;
  char letter_;
  ValueKind kind_;
  std::size_t packet_;
  std::string sql_;
  bool is_begun_ = false;
};

class MysqlWriter final : public StoreWriter {
 public:
  MysqlWriter(StoreAddress address, store::MariaConnection connection, std::size_t packet)
      : address_(std::move(address)), connection_(std::move(connection)), packet_(packet) {}

  Result<std::string> begun_import() override {
    PLAN_TRY(tables,
             connection_.query(fmt::format("SELECT 1 FROM information_schema.tables WHERE "
                                           "table_schema = database() AND table_name = '{}'",
                                           kImportTable)));
    if (tables.empty()) return std::string();
    PLAN_TRY(progress, read_progress(kIdentity));
    return progress.last_key;
  }

  Result<std::vector<char>> filled_subspaces() override {
    PLAN_TRY(tables, mysql_tables(connection_));
    std::vector<char> filled;
    for (const auto& [letter, shape] : tables.subspaces) {
      PLAN_TRY(rows, connection_.query(fmt::format("SELECT 1 FROM `{}` LIMIT 1", letter)));
      if (!rows.empty()) filled.push_back(letter);
    }
    return filled;
  }

  Outcome prepare(std::uint32_t schema, const std::string& identity) override {
    schema_ = schema;
    for (const Subspace& subspace : subspaces(schema)) {
      if (subspace.name == "search-index") continue;
      PLAN_TRY_VOID(connection_.execute(create_table(subspace)));
    }
    PLAN_TRY_VOID(connection_.execute(fmt::format(
        "CREATE TABLE IF NOT EXISTS {} (letter CHAR(1) PRIMARY KEY, last_key BLOB NOT NULL, "
        "records BIGINT NOT NULL, is_done TINYINT NOT NULL) ENGINE=InnoDB",
        kImportTable)));
    return connection_.execute(note_sql(kIdentity, {.last_key = identity}));
  }

  Result<ImportProgress> progress(char letter) override {
    return read_progress(std::string_view(&letter, 1));
  }

  Result<std::unique_ptr<SubspaceWriter>> open(char letter) override {
    const Subspace* subspace = find_subspace(letter, schema_);
    PLAN_TRY(connection, open_mysql(address_));
    return std::unique_ptr<SubspaceWriter>(std::make_unique<MysqlSubspaceWriter>(
        std::move(connection), letter, subspace == nullptr ? ValueKind::plain : subspace->value,
        packet_));
  }

  // Dropping a table ends a transaction on this server: rows first, the notes' table after them. A
  // kill in between leaves notes that say that all is done.
  Outcome finish(const std::vector<std::pair<std::string, std::string>>& last_properties) override {
    for (const auto& [key, value] : last_properties) {
      PLAN_TRY_VOID(connection_.execute(fmt::format("REPLACE INTO p (k, v) VALUES (x'{}', x'{}')",
                                                    ir::to_hex(key), ir::to_hex(value))));
    }
    return connection_.execute(fmt::format("DROP TABLE IF EXISTS {}", kImportTable));
  }

  [[nodiscard]] unsigned writers_max() const override { return 4; }

 private:
  Result<ImportProgress> read_progress(std::string_view letter) {
    PLAN_TRY(rows, connection_.query(
                       fmt::format("SELECT last_key, records, is_done FROM {} WHERE letter = '{}'",
                                   kImportTable, letter)));
    ImportProgress progress;
    if (rows.empty()) return progress;
    progress.last_key = rows[0].at(0).value_or("");
    progress.records = std::strtoull(rows[0].at(1).value_or("0").c_str(), nullptr, 10);
    progress.is_done = rows[0].at(2).value_or("0") == "1";
    return progress;
  }

  StoreAddress address_;
  store::MariaConnection connection_;
  std::size_t packet_;
  std::uint32_t schema_ = 0;
};

}  // namespace

Result<std::unique_ptr<StoreWriter>> open_mysql_writer(const StoreAddress& address) {
  PLAN_TRY(connection, open_mysql(address));
  PLAN_TRY(rows, connection.query("SELECT @@max_allowed_packet"));
  const std::size_t packet = std::strtoull(rows.at(0).at(0).value_or("0").c_str(), nullptr, 10);
  return std::unique_ptr<StoreWriter>(
      std::make_unique<MysqlWriter>(copy_address(address), std::move(connection), packet));
}

}  // namespace plan::dump
