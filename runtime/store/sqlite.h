#pragma once
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "compiler/source/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace plan::store {

/// How a database is opened. A file that may come from outside (an archive somebody hands over) is
/// opened like any other: the connection is always defensive (no trusted schema, cell sizes
/// checked, no SQL that writes the file format itself).
struct SqliteOptions {
  bool is_read_only = false;
  bool must_exist = false;  ///< refuse instead of creating; implied by is_read_only
  /// Write-ahead log with synchronous FULL: a commit is durable when it returns. Ignored for
  /// read-only connections.
  bool is_write_ahead = true;
  /// False: synchronous NORMAL, a power cut may lose the last commits (never damage the file). For
  /// caches only, never for a journal or an archive that something relies on.
  bool is_durable = true;
  /// The schema's CHECKs call json_valid, as the layout of account archives demands. SQLite counts
  /// that as unsafe in a schema, so this trusts the functions that a schema names; triggers and
  /// views stay off and no extension can be loaded.
  bool has_json_checks = false;
  /// Reads a file that nobody has open, and changes not one byte in its folder: takes no lock, and
  /// makes no file beside it, also where a write-ahead log was left over (which is read, and
  /// stays). Read-only; ignores `vfs`.
  bool leaves_no_trace = false;
  /// Name of a registered VFS, empty for the default (see fault_vfs.h).
  std::string vfs = {};
  /// How long a statement waits for another connection's lock before it reports store-busy.
  std::chrono::milliseconds busy_timeout{10'000};
};

/// One prepared statement. Bind, step, read; `reset` for the next use. Must not outlive its
/// Database. Text and blob views that it hands out are valid until the next step or reset.
class Statement {
 public:
  Statement(Statement&& other) noexcept;
  Statement& operator=(Statement&& other) noexcept;
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;
  ~Statement();

  /// Parameters count from 1, as in SQL. A value that SQLite cannot take (over its length limit)
  /// makes the next step fail with store-failed.
  Statement& bind(int parameter, std::int64_t value);
  Statement& bind(int parameter, int value) { return bind(parameter, std::int64_t{value}); }
  Statement& bind(int parameter, bool value) { return bind(parameter, std::int64_t{value}); }
  Statement& bind(int parameter, double value);
  Statement& bind(int parameter, std::string_view text);
  Statement& bind(int parameter, const std::string& text) {
    return bind(parameter, std::string_view(text));
  }
  Statement& bind(int parameter, const char* text) {
    return bind(parameter, std::string_view(text));
  }
  Statement& bind_blob(int parameter, std::string_view bytes);
  Statement& bind_null(int parameter);
  template <class T>
  Statement& bind(int parameter, const std::optional<T>& value) {
    return value ? bind(parameter, *value) : bind_null(parameter);
  }

  /// True: a row can be read. False: done; the statement was reset and can be bound again.
  [[nodiscard]] Result<bool> step();
  /// Steps to the end and resets: for statements that return no rows.
  [[nodiscard]] Outcome run();
  /// Back to the start; bindings are cleared.
  void reset();

  // Columns of the current row count from 0. A column of another type reads as SQLite converts it:
  // 0, 0.0 or an empty view.
  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] double number(int column) const;
  [[nodiscard]] std::string_view text(int column) const;
  [[nodiscard]] std::string_view blob(int column) const;
  [[nodiscard]] std::optional<std::int64_t> integer_if_any(int column) const;
  [[nodiscard]] std::optional<std::string> text_if_any(int column) const;
  [[nodiscard]] int column_count() const;

 private:
  friend class Database;
  Statement(sqlite3* database, sqlite3_stmt* statement)
      : database_(database), statement_(statement) {}
  void note(int code);

  sqlite3* database_ = nullptr;
  sqlite3_stmt* statement_ = nullptr;
  int bind_code_ = 0;
};

/// A transaction that rolls back unless committed. Must not outlive its Database.
class Transaction {
 public:
  Transaction(Transaction&& other) noexcept;
  Transaction& operator=(Transaction&&) = delete;
  Transaction(const Transaction&) = delete;
  Transaction& operator=(const Transaction&) = delete;
  ~Transaction();

  /// Durable when it returns (see SqliteOptions). store-full and store-busy leave nothing behind
  /// (effect none: rolled back). An I/O error while committing has effect `unknown`: reopen and
  /// look.
  [[nodiscard]] Outcome commit();
  void rollback();

 private:
  friend class Database;
  explicit Transaction(sqlite3* database) : database_(database) {}
  sqlite3* database_ = nullptr;
};

/// A connection to one SQLite file. One thread at a time; several connections (also of other
/// processes) may have the same file open.
class Database {
 public:
  /// Errors: store-unreadable, store-damaged (not a database), store-busy.
  [[nodiscard]] static Result<Database> open(const std::string& path,
                                             const SqliteOptions& options = {});

  Database(Database&& other) noexcept;
  Database& operator=(Database&& other) noexcept;
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;
  ~Database();

  /// Runs one or more statements without parameters.
  [[nodiscard]] Outcome execute(std::string_view sql);
  [[nodiscard]] Result<Statement> prepare(std::string_view sql);
  /// BEGIN IMMEDIATE: takes the write lock now, so that nothing later in it can meet store-busy.
  [[nodiscard]] Result<Transaction> begin();
  /// First column of the first row of a statement without parameters; nothing when there is none.
  [[nodiscard]] Result<std::optional<std::int64_t>> query_integer(std::string_view sql);

  /// The version that a file with our stamp has; nothing when the file is empty. Errors:
  /// store-too-new, store-foreign (another application's file, or tables but no stamp),
  /// store-damaged (our stamp with a version below 1).
  [[nodiscard]] Result<std::optional<std::int64_t>> schema_version(std::int64_t application_id,
                                                                   std::int64_t version_max);
  /// Makes the tables of `schema_sql` in an empty file and stamps it with `application_id` and
  /// `version`, in one transaction; or checks both in a file that has them. Returns the version
  /// found (smaller than `version`: the caller upgrades, then calls set_user_version). Errors:
  /// those of schema_version.
  [[nodiscard]] Result<std::int64_t> ensure_schema(std::int64_t application_id,
                                                   std::int64_t version,
                                                   std::string_view schema_sql);
  [[nodiscard]] Result<std::int64_t> user_version();
  [[nodiscard]] Outcome set_user_version(std::int64_t version);

  /// PRAGMA quick_check: reads the whole file. Error: store-damaged with SQLite's first words.
  [[nodiscard]] Outcome check_integrity();
  /// Moves the write-ahead log into the file.
  [[nodiscard]] Outcome checkpoint();

  [[nodiscard]] std::int64_t last_insert_id() const;
  /// Rows changed by the last statement.
  [[nodiscard]] std::int64_t changes() const;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  Database(sqlite3* database, std::string path) : database_(database), path_(std::move(path)) {}

  sqlite3* database_ = nullptr;
  std::string path_;
};

}  // namespace plan::store
