#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/dump/record.h"
#include "runtime/dump/store/store_address.h"
#include "runtime/dump/store/store_reader.h"

namespace plan::dump {

/// How far the import of one subspace has come. Kept in the target store itself, in the same
/// transaction as the rows: there is no moment at which the two disagree, so nothing is put twice.
struct ImportProgress {
  std::uint64_t records = 0;
  std::string last_key = {};  ///< everything up to it is there
  bool is_done = false;
};

/// Puts rows of one subspace, in ascending key order. One thread at a time; must not outlive its
/// writer.
class SubspaceWriter {
 public:
  SubspaceWriter() = default;
  SubspaceWriter(const SubspaceWriter&) = delete;
  SubspaceWriter& operator=(const SubspaceWriter&) = delete;
  virtual ~SubspaceWriter() = default;
  /// A row as a StoreReader gives it. Kept until commit. Errors: target-key-too-long,
  /// packet-too-small.
  [[nodiscard]] virtual Outcome put(const Record& record) = 0;
  /// All rows since the last commit and the progress, together or not at all.
  [[nodiscard]] virtual Outcome commit(const ImportProgress& progress) = 0;
};

/// A record of the dump whose value is no counter: dump-damaged.
[[nodiscard]] Error counter_wrong(char letter, const Record& record);

/// A store that a dump is put into. Rows are inserted, never added to what is there: a counter gets
/// the value of the dump also when it is negative, and a repeated row is an error of the database.
/// Thread-safe after prepare().
class StoreWriter {
 public:
  StoreWriter() = default;
  StoreWriter(const StoreWriter&) = delete;
  StoreWriter& operator=(const StoreWriter&) = delete;
  virtual ~StoreWriter() = default;

  /// The identity of the import that was begun here and not finished; empty when there is none.
  [[nodiscard]] virtual Result<std::string> begun_import() = 0;
  /// Subspaces that hold any row.
  [[nodiscard]] virtual Result<std::vector<char>> filled_subspaces() = 0;
  /// Makes what a server of this schema would make, and notes the identity durably.
  [[nodiscard]] virtual Outcome prepare(std::uint32_t schema, const std::string& identity) = 0;
  [[nodiscard]] virtual Result<ImportProgress> progress(char letter) = 0;
  [[nodiscard]] virtual Result<std::unique_ptr<SubspaceWriter>> open(char letter) = 0;
  /// Puts the row that makes the store one that a server starts on (empty: none), and takes away
  /// every note of the import: together, and durable with everything before.
  [[nodiscard]] virtual Outcome finish(
      const std::vector<std::pair<std::string, std::string>>& last_properties) = 0;
  /// How many subspaces can be written at the same time.
  [[nodiscard]] virtual unsigned writers_max() const = 0;
};

/// Makes the file or folder when it is not there. Databases on a server have to exist.
[[nodiscard]] Result<std::unique_ptr<StoreWriter>> open_store_writer(const StoreAddress& address);

// The kinds, for open_store_writer.
[[nodiscard]] Result<std::unique_ptr<StoreWriter>> open_sqlite_writer(const StoreAddress& address);
[[nodiscard]] Result<std::unique_ptr<StoreWriter>> open_rocksdb_writer(const StoreAddress& address);
[[nodiscard]] Result<std::unique_ptr<StoreWriter>> open_postgresql_writer(
    const StoreAddress& address);
[[nodiscard]] Result<std::unique_ptr<StoreWriter>> open_mysql_writer(const StoreAddress& address);

}  // namespace plan::dump
