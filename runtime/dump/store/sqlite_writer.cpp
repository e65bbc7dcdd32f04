#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <mutex>

#include "runtime/dump/store/store_reader.h"
#include "runtime/dump/store/store_writer.h"
#include "runtime/dump/subspace.h"
#include "runtime/store/sqlite.h"

namespace plan::dump {
namespace {

// The identity stands where the progress of a subspace with this name would.
constexpr std::string_view kIdentity = "-";

std::string create_table(const Subspace& subspace) {
  switch (subspace.value) {
    case ValueKind::none:
      return fmt::format("CREATE TABLE IF NOT EXISTS {} (k BLOB PRIMARY KEY)", subspace.letter);
    case ValueKind::counter:
      return fmt::format(
          "CREATE TABLE IF NOT EXISTS {} (k BLOB PRIMARY KEY, v INTEGER NOT NULL DEFAULT 0)",
          subspace.letter);
    case ValueKind::plain:
    case ValueKind::blob:
      break;
  }
  return fmt::format("CREATE TABLE IF NOT EXISTS {} (k BLOB PRIMARY KEY, v BLOB NOT NULL)",
                     subspace.letter);
}

Outcome note_progress(store::Database& database, std::string_view letter,
                      const ImportProgress& progress) {
  PLAN_TRY(note, database.prepare(fmt::format(
                     "INSERT OR REPLACE INTO {} (letter, last_key, records, is_done) VALUES "
                     "(?1, ?2, ?3, ?4)",
                     kImportTable)));
  note.bind(1, letter).bind_blob(2, progress.last_key);
  note.bind(3, static_cast<std::int64_t>(progress.records)).bind(4, progress.is_done);
  return note.run();
}

class SqliteSubspaceWriter final : public SubspaceWriter {
 public:
  SqliteSubspaceWriter(store::Database& database, store::Statement insert, char letter,
                       ValueKind kind)
      : database_(database), insert_(std::move(insert)), letter_(letter), kind_(kind) {}

  Outcome put(const Record& record) override {
    if (!transaction_) {
      PLAN_TRY(transaction, database_.begin());
      transaction_.emplace(std::move(transaction));
    }
    insert_.bind_blob(1, record.key);
    if (kind_ == ValueKind::counter) {
      const auto value = counter_value(record.value);
      if (!value) {
        return counter_wrong(letter_, record);
      }
      insert_.bind(2, *value);
    } else if (kind_ != ValueKind::none) {
      insert_.bind_blob(2, record.value);
    }
    return insert_.run();
  }

  Outcome commit(const ImportProgress& progress) override {
    if (!transaction_) {
      PLAN_TRY(transaction, database_.begin());
      transaction_.emplace(std::move(transaction));
    }
    PLAN_TRY_VOID(note_progress(database_, std::string_view(&letter_, 1), progress));
    const Outcome outcome = transaction_->commit();
    transaction_.reset();
    return outcome;
  }

 private:
  store::Database& database_;
  store::Statement insert_;
  char letter_;
  ValueKind kind_;
  std::optional<store::Transaction> transaction_;
};

class SqliteWriter final : public StoreWriter {
 public:
  explicit SqliteWriter(store::Database database) : database_(std::move(database)) {}

  Result<std::string> begun_import() override {
    PLAN_TRY(has_table, has_notes());
    if (!has_table) return std::string();
    PLAN_TRY(progress, read_progress(kIdentity));
    return progress.last_key;
  }

  Result<std::vector<char>> filled_subspaces() override {
    std::vector<char> filled;
    for (char letter = 'a'; letter <= 'z'; ++letter) {
      PLAN_TRY(tables, database_.query_integer(
                           fmt::format("SELECT count(*) FROM sqlite_schema WHERE type = 'table' "
                                       "AND lower(name) = '{}'",
                                       letter)));
      if (tables.value_or(0) == 0) continue;
      PLAN_TRY(row, database_.query_integer(fmt::format("SELECT 1 FROM \"{}\" LIMIT 1", letter)));
      if (row) filled.push_back(letter);
    }
    return filled;
  }

  Outcome prepare(std::uint32_t schema, const std::string& identity) override {
    schema_ = schema;
    // Large transactions of rows in key order: pages are written once, and the log is bounded.
    PLAN_TRY_VOID(database_.execute("PRAGMA cache_size=-16384; PRAGMA wal_autocheckpoint=2000"));
    PLAN_TRY(transaction, database_.begin());
    for (const Subspace& subspace : subspaces(schema)) {
      PLAN_TRY_VOID(database_.execute(create_table(subspace)));
    }
    PLAN_TRY_VOID(database_.execute(
        fmt::format("CREATE TABLE IF NOT EXISTS {} (letter TEXT PRIMARY KEY, last_key BLOB NOT "
                    "NULL, records INTEGER NOT NULL, is_done INTEGER NOT NULL)",
                    kImportTable)));
    PLAN_TRY_VOID(note_progress(database_, kIdentity, {.last_key = identity}));
    return transaction.commit();
  }

  Result<ImportProgress> progress(char letter) override {
    return read_progress(std::string_view(&letter, 1));
  }

  Result<std::unique_ptr<SubspaceWriter>> open(char letter) override {
    const Subspace* subspace = find_subspace(letter, schema_);
    const ValueKind kind = subspace == nullptr ? ValueKind::plain : subspace->value;
    PLAN_TRY(insert,
             database_.prepare(kind == ValueKind::none
                                   ? fmt::format("INSERT INTO {} (k) VALUES (?1)", letter)
                                   : fmt::format("INSERT INTO {} (k, v) VALUES (?1, ?2)", letter)));
    return std::unique_ptr<SubspaceWriter>(
        std::make_unique<SqliteSubspaceWriter>(database_, std::move(insert), letter, kind));
  }

  Outcome finish(const std::vector<std::pair<std::string, std::string>>& last_properties) override {
    {
      PLAN_TRY(transaction, database_.begin());
      PLAN_TRY(insert, database_.prepare("INSERT OR REPLACE INTO p (k, v) VALUES (?1, ?2)"));
      for (const auto& [key, value] : last_properties) {
        insert.bind_blob(1, key).bind_blob(2, value);
        PLAN_TRY_VOID(insert.run());
      }
      PLAN_TRY_VOID(database_.execute(fmt::format("DROP TABLE IF EXISTS {}", kImportTable)));
      PLAN_TRY_VOID(transaction.commit());
    }
    PLAN_TRY_VOID(database_.execute("PRAGMA synchronous=FULL"));
    return database_.checkpoint();
  }

  [[nodiscard]] unsigned writers_max() const override { return 1; }

 private:
  Result<bool> has_notes() {
    PLAN_TRY(count, database_.query_integer(fmt::format(
                        "SELECT count(*) FROM sqlite_schema WHERE name = '{}'", kImportTable)));
    return count.value_or(0) > 0;
  }

  Result<ImportProgress> read_progress(std::string_view letter) {
    PLAN_TRY(select,
             database_.prepare(fmt::format(
                 "SELECT last_key, records, is_done FROM {} WHERE letter = ?1", kImportTable)));
    select.bind(1, letter);
    PLAN_TRY(has_row, select.step());
    ImportProgress progress;
    if (!has_row) return progress;
    progress.last_key = select.blob(0);
    progress.records = static_cast<std::uint64_t>(select.integer(1));
    progress.is_done = select.integer(2) != 0;
    return progress;
  }

  store::Database database_;
  std::uint32_t schema_ = 0;
};

}  // namespace

Result<std::unique_ptr<StoreWriter>> open_sqlite_writer(const StoreAddress& address) {
  // All mail of a server: nobody else's to read, whatever the umask. SQLite gives the mode to its
  // other files.
  const int made = ::open(address.path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
  if (made >= 0) ::close(made);
  // A power cut may take the last transactions back, never break the file: what it takes back, the
  // import does again.
  PLAN_TRY(database, store::Database::open(address.path, {.is_durable = false}));
  return std::unique_ptr<StoreWriter>(std::make_unique<SqliteWriter>(std::move(database)));
}

}  // namespace plan::dump
