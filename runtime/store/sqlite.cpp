#include "runtime/store/sqlite.h"

#include <fmt/format.h>
#include <sqlite3.h>
#include <sys/stat.h>

#include <filesystem>
#include <utility>

#include "compiler/source/check.h"
#include "runtime/store/errors.h"

namespace plan::store {
namespace {

const ErrorCode& code_for(int extended) {
  switch (extended & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return errors::store_busy;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return errors::store_damaged;
    case SQLITE_FULL:
      return errors::store_full;
    case SQLITE_CANTOPEN:
    case SQLITE_IOERR:
    case SQLITE_PERM:
    case SQLITE_READONLY:
    case SQLITE_AUTH:
      return errors::store_unreadable;
    case SQLITE_CONSTRAINT:
      return errors::store_constraint;
    default:
      return errors::store_failed;
  }
}

// `opened` is named where the connection has no file, as after an open that failed.
Error error_for(sqlite3* database, int code, std::string_view opened = "the database") {
  const int extended = database == nullptr ? code : sqlite3_extended_errcode(database);
  const char* path = database == nullptr ? nullptr : sqlite3_db_filename(database, "main");
  const char* words = database == nullptr ? sqlite3_errstr(code) : sqlite3_errmsg(database);
  // Some failures (misuse of a closed handle) leave the connection's code at OK: trust the call.
  const int shown = (extended & 0xFF) == SQLITE_OK ? code : extended;
  const std::string_view kind = sqlite3_errstr(shown);
  Error error(code_for(shown),
              fmt::format("{}: SQLite code {} ({})",
                          path == nullptr || *path == '\0' ? opened : path, shown, kind));
  if ((shown & 0xFF) == SQLITE_BUSY) error = std::move(error).with_retry(Retry::safe);
  return std::move(error).with_detail(words == nullptr || words == kind ? "" : words);
}

// A path as the part of a `file:` URI that SQLite reads back as the same path.
std::string uri_path(const std::string& path) {
  std::string text;
  for (const char byte : path) {
    if (byte == '%' || byte == '?' || byte == '#') {
      text += fmt::format("%{:02x}", static_cast<unsigned char>(byte));
    } else {
      text += byte;
    }
  }
  return text;
}

// Without a log beside it a file can be read as one that never changes. With one, the log is read
// through an index in memory instead of a shared file, and without locks.
std::string traceless_uri(const std::string& path) {
  std::error_code code;
  const auto log_bytes = std::filesystem::file_size(path + "-wal", code);
  const bool has_log = !code && log_bytes > 0;
  return fmt::format("file:{}?{}", uri_path(path), has_log ? "vfs=unix-none" : "immutable=1");
}

Outcome run_sql(sqlite3* database, const char* sql) {
  const int code = sqlite3_exec(database, sql, nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error_for(database, code);
  return {};
}

}  // namespace

// --- Statement ---

Statement::Statement(Statement&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)),
      statement_(std::exchange(other.statement_, nullptr)),
      bind_code_(std::exchange(other.bind_code_, 0)) {}

Statement& Statement::operator=(Statement&& other) noexcept {
  if (this != &other) {
    sqlite3_finalize(statement_);
    database_ = std::exchange(other.database_, nullptr);
    statement_ = std::exchange(other.statement_, nullptr);
    bind_code_ = std::exchange(other.bind_code_, 0);
  }
  return *this;
}

Statement::~Statement() { sqlite3_finalize(statement_); }

void Statement::note(int code) {
  PLAN_CHECK(code != SQLITE_RANGE, "a statement has as many parameters as its SQL says");
  if (code != SQLITE_OK && bind_code_ == SQLITE_OK) bind_code_ = code;
}

Statement& Statement::bind(int parameter, std::int64_t value) {
  note(sqlite3_bind_int64(statement_, parameter, value));
  return *this;
}

Statement& Statement::bind(int parameter, double value) {
  note(sqlite3_bind_double(statement_, parameter, value));
  return *this;
}

Statement& Statement::bind(int parameter, std::string_view text) {
  note(sqlite3_bind_text64(statement_, parameter, text.empty() ? "" : text.data(), text.size(),
                           SQLITE_TRANSIENT, SQLITE_UTF8));
  return *this;
}

Statement& Statement::bind_blob(int parameter, std::string_view bytes) {
  note(sqlite3_bind_blob64(statement_, parameter, bytes.empty() ? "" : bytes.data(), bytes.size(),
                           SQLITE_TRANSIENT));
  return *this;
}

Statement& Statement::bind_null(int parameter) {
  note(sqlite3_bind_null(statement_, parameter));
  return *this;
}

Result<bool> Statement::step() {
  if (bind_code_ != SQLITE_OK) {
    const int code = std::exchange(bind_code_, SQLITE_OK);
    reset();
    return error_for(nullptr, code).while_doing("binding a value");
  }
  const int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) {
    reset();
    return false;
  }
  Error error = error_for(database_, code);
  reset();
  return error;
}

Outcome Statement::run() {
  while (true) {
    PLAN_TRY(has_row, step());
    if (!has_row) return {};
  }
}

void Statement::reset() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  bind_code_ = SQLITE_OK;
}

bool Statement::is_null(int column) const {
  return sqlite3_column_type(statement_, column) == SQLITE_NULL;
}

std::int64_t Statement::integer(int column) const {
  return sqlite3_column_int64(statement_, column);
}

double Statement::number(int column) const { return sqlite3_column_double(statement_, column); }

std::string_view Statement::text(int column) const {
  const unsigned char* bytes = sqlite3_column_text(statement_, column);
  if (bytes == nullptr) return {};
  return {reinterpret_cast<const char*>(bytes),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::string_view Statement::blob(int column) const {
  const void* bytes = sqlite3_column_blob(statement_, column);
  if (bytes == nullptr) return {};
  return {static_cast<const char*>(bytes),
          static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
}

std::optional<std::int64_t> Statement::integer_if_any(int column) const {
  if (is_null(column)) return std::nullopt;
  return integer(column);
}

std::optional<std::string> Statement::text_if_any(int column) const {
  if (is_null(column)) return std::nullopt;
  return std::string(text(column));
}

int Statement::column_count() const { return sqlite3_column_count(statement_); }

// --- Transaction ---

Transaction::Transaction(Transaction&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)) {}

Transaction::~Transaction() { rollback(); }

Outcome Transaction::commit() {
  PLAN_CHECK(database_ != nullptr, "a transaction is committed once");
  const int code = sqlite3_exec(database_, "COMMIT", nullptr, nullptr, nullptr);
  if (code == SQLITE_OK) {
    database_ = nullptr;
    return {};
  }
  Error error = error_for(database_, code);
  if ((code & 0xFF) == SQLITE_IOERR) error = std::move(error).with_effect(Effect::unknown);
  rollback();
  return error;
}

void Transaction::rollback() {
  sqlite3* database = std::exchange(database_, nullptr);
  // After some errors SQLite has rolled back by itself; a second ROLLBACK would only say so.
  if (database != nullptr && sqlite3_get_autocommit(database) == 0) {
    sqlite3_exec(database, "ROLLBACK", nullptr, nullptr, nullptr);
  }
}

// --- Database ---

Result<Database> Database::open(const std::string& path, const SqliteOptions& options) {
  int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  if (options.is_read_only) {
    flags |= SQLITE_OPEN_READONLY;
  } else {
    flags |= SQLITE_OPEN_READWRITE | (options.must_exist ? 0 : SQLITE_OPEN_CREATE);
  }
  // SQLite would wait at a pipe as long as nobody writes into it.
  struct stat status = {};
  if (::stat(path.c_str(), &status) == 0 && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
    return Error(errors::store_unreadable, path + " is no regular file");
  std::string name = path;
  if (options.leaves_no_trace) {
    flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE | SQLITE_OPEN_READONLY | SQLITE_OPEN_URI;
    name = traceless_uri(path);
  }
  sqlite3* handle = nullptr;
  const int code = sqlite3_open_v2(
      name.c_str(), &handle, flags,
      options.vfs.empty() || options.leaves_no_trace ? nullptr : options.vfs.c_str());
  if (code != SQLITE_OK) {
    Error error = error_for(handle, code, path);
    sqlite3_close_v2(handle);
    return error;
  }
  Database database(handle, path);
  sqlite3_busy_timeout(handle, static_cast<int>(options.busy_timeout.count()));
  sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, options.has_json_checks ? 1 : 0,
                    nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
  sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
  PLAN_TRY_VOID(
      run_sql(handle, "PRAGMA cell_size_check=ON; PRAGMA foreign_keys=ON; PRAGMA mmap_size=0"));
  if (options.leaves_no_trace) {
    sqlite3_db_config(handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
    PLAN_TRY_VOID(run_sql(handle, "PRAGMA locking_mode=EXCLUSIVE"));
  }
  // The first read decides whether this is a database at all.
  PLAN_TRY_VOID(run_sql(handle, "SELECT count(*) FROM sqlite_schema").while_doing("opening it"));
  if (!options.is_read_only && !options.leaves_no_trace) {
    if (options.is_write_ahead) {
      PLAN_TRY_VOID(run_sql(handle, "PRAGMA journal_mode=WAL").while_doing("opening it"));
    }
    PLAN_TRY_VOID(run_sql(
        handle, options.is_durable ? "PRAGMA synchronous=FULL" : "PRAGMA synchronous=NORMAL"));
  }
  return database;
}

Database::Database(Database&& other) noexcept
    : database_(std::exchange(other.database_, nullptr)), path_(std::move(other.path_)) {}

Database& Database::operator=(Database&& other) noexcept {
  if (this != &other) {
    sqlite3_close_v2(database_);
    database_ = std::exchange(other.database_, nullptr);
    path_ = std::move(other.path_);
  }
  return *this;
}

Database::~Database() { sqlite3_close_v2(database_); }

Outcome Database::execute(std::string_view sql) {
  const std::string text(sql);
  const int code = sqlite3_exec(database_, text.c_str(), nullptr, nullptr, nullptr);
  if (code != SQLITE_OK) return error_for(database_, code);
  return {};
}

Result<Statement> Database::prepare(std::string_view sql) {
  sqlite3_stmt* statement = nullptr;
  const int code = sqlite3_prepare_v3(database_, sql.data(), static_cast<int>(sql.size()),
                                      SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  if (code != SQLITE_OK) return error_for(database_, code);
  PLAN_CHECK(statement != nullptr, "the SQL of a statement is not empty");
  return Statement(database_, statement);
}

Result<Transaction> Database::begin() {
  PLAN_TRY_VOID(execute("BEGIN IMMEDIATE"));
  return Transaction(database_);
}

Result<std::optional<std::int64_t>> Database::query_integer(std::string_view sql) {
  PLAN_TRY(statement, prepare(sql));
  PLAN_TRY(has_row, statement.step());
  if (!has_row) return std::optional<std::int64_t>();
  return statement.integer_if_any(0);
}

Result<std::optional<std::int64_t>> Database::schema_version(std::int64_t application_id,
                                                             std::int64_t version_max) {
  PLAN_TRY(application, query_integer("PRAGMA application_id"));
  PLAN_TRY(version, user_version());
  PLAN_TRY(tables, query_integer("SELECT count(*) FROM sqlite_schema"));
  if (tables.value_or(0) == 0 && application.value_or(0) == 0 && version == 0)
    return std::optional<std::int64_t>();
  if (application.value_or(0) != application_id) {
    return Error(errors::store_foreign, fmt::format("{}: application id is {}, expected {}", path_,
                                                    application.value_or(0), application_id));
  }
  if (version > version_max) {
    return Error(errors::store_too_new,
                 fmt::format("{}: format {} was written by a newer plan, this one knows up to {}",
                             path_, version, version_max));
  }
  if (version < 1) {
    return Error(errors::store_damaged,
                 fmt::format("{}: format {} was never written", path_, version));
  }
  return std::optional(version);
}

Result<std::int64_t> Database::ensure_schema(std::int64_t application_id, std::int64_t version,
                                             std::string_view schema_sql) {
  PLAN_TRY(transaction, begin());
  PLAN_TRY(found, schema_version(application_id, version));
  if (found) return *found;
  PLAN_TRY_VOID(execute(schema_sql).while_doing("making the tables of " + path_));
  PLAN_TRY_VOID(execute(fmt::format("PRAGMA application_id={}", application_id)));
  PLAN_TRY_VOID(set_user_version(version));
  PLAN_TRY_VOID(transaction.commit());
  return version;
}

Result<std::int64_t> Database::user_version() {
  PLAN_TRY(found, query_integer("PRAGMA user_version"));
  return found.value_or(0);
}

Outcome Database::set_user_version(std::int64_t version) {
  return execute(fmt::format("PRAGMA user_version={}", version));
}

Outcome Database::check_integrity() {
  PLAN_TRY(statement, prepare("PRAGMA quick_check(1)"));
  PLAN_TRY(has_row, statement.step());
  if (has_row && statement.text(0) == "ok") return {};
  return Error(errors::store_damaged, fmt::format("{}: the check of the file found damage", path_))
      .with_detail(has_row ? statement.text(0) : "");
}

Outcome Database::checkpoint() { return execute("PRAGMA wal_checkpoint(TRUNCATE)"); }

std::int64_t Database::last_insert_id() const { return sqlite3_last_insert_rowid(database_); }

std::int64_t Database::changes() const { return sqlite3_changes64(database_); }

}  // namespace plan::store
