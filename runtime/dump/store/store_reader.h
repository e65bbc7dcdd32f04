#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/dump/record.h"
#include "runtime/dump/store/store_address.h"

namespace plan::dump {

/// The rows of one subspace in ascending key order. One thread at a time; must not outlive its
/// reader.
class RecordCursor {
 public:
  RecordCursor() = default;
  RecordCursor(const RecordCursor&) = delete;
  RecordCursor& operator=(const RecordCursor&) = delete;
  virtual ~RecordCursor() = default;
  /// False: the end. The views are good until the next call.
  [[nodiscard]] virtual Result<bool> next(Record& record) = 0;
};

/// A store of a server that is stopped, opened for reading only: nothing in it is changed, no lock
/// is left, no file made. Rows come as a dump has them: counters are 8 bytes little-endian, rows
/// without a value have an empty one; only blobs come as they are stored (blob_encoding.h).
/// Thread-safe.
class StoreReader {
 public:
  StoreReader() = default;
  StoreReader(const StoreReader&) = delete;
  StoreReader& operator=(const StoreReader&) = delete;
  virtual ~StoreReader() = default;

  /// The subspaces that the store has a table or family for, in order.
  [[nodiscard]] virtual const std::vector<char>& letters() const = 0;
  /// Tables, views and families that no server makes, by name, and a letter's table whose columns
  /// are not `k` and `v`: this is the database of something else, or shared with it.
  [[nodiscard]] virtual Result<std::vector<std::string>> foreign() = 0;
  /// Nothing when the store has no such subspace.
  [[nodiscard]] virtual Result<std::unique_ptr<RecordCursor>> open(char letter) = 0;
  /// Compares the number of rows that were read with what the store's own books say. Error:
  /// store-read-short.
  [[nodiscard]] virtual Outcome check_count(char letter, std::uint64_t records);
  /// Changes when the store does; empty for stores that cannot tell.
  [[nodiscard]] virtual Result<std::string> fingerprint() = 0;
  /// How many cursors are worth having at the same time.
  [[nodiscard]] virtual unsigned cursors_max() const = 0;
};

/// Errors: those of the store (runtime/store/errors.def), store-in-use where opening tells.
[[nodiscard]] Result<std::unique_ptr<StoreReader>> open_store_reader(const StoreAddress& address);

/// The schema version that the store says it has (row `00` of subspace p). Error:
/// store-has-no-schema.
[[nodiscard]] Result<std::uint32_t> schema_of_store(StoreReader& reader);

// The kinds, for open_store_reader.
[[nodiscard]] Result<std::unique_ptr<StoreReader>> open_sqlite_reader(const StoreAddress& address);
[[nodiscard]] Result<std::unique_ptr<StoreReader>> open_rocksdb_reader(const StoreAddress& address);
[[nodiscard]] Result<std::unique_ptr<StoreReader>> open_postgresql_reader(
    const StoreAddress& address);
[[nodiscard]] Result<std::unique_ptr<StoreReader>> open_mysql_reader(const StoreAddress& address);

/// `a` to `z`, the name of a subspace's table or family in some version.
[[nodiscard]] bool is_letter(std::string_view name);
/// Value of a counter's row, as a dump has it.
[[nodiscard]] std::string counter_bytes(std::int64_t value);
/// The opposite; nothing when it is not 8 bytes.
[[nodiscard]] std::optional<std::int64_t> counter_value(std::string_view bytes);

/// What stands in front of the identity in the notes that an import keeps in its target: a table,
/// in RocksDB the beginning of keys of the family `default`.
constexpr std::string_view kImportTable = "plan_import";

/// What the columns of a letter's table are, whatever the version (reference/stalwart-store.md 9.2,
/// 9.3).
enum class TableShape : std::uint8_t { value = 0, counter = 1, key_only = 2 };

/// What is in a database, sorted into what is a store's and what is not. A letter's table with
/// another column than `k` and `v` is no subspace: nobody reads it as one, or drops it.
struct StoreTables {
  std::map<char, TableShape> subspaces = {};
  std::vector<std::string> foreign = {};  ///< see StoreReader::foreign

  /// One column of a letter's table; `column` is empty for every other table or view.
  void add(std::string_view table, std::string_view column, bool is_counter);
};

}  // namespace plan::dump
