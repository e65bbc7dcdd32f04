#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/dump/store/store_address.h"

namespace plan::dump {

/// What a store is before anything is done with it. Nothing in it is changed, nothing made.
struct StoreLook {
  std::string name = {};  ///< its address, without any secret
  StoreKind kind = StoreKind::sqlite;
  bool is_there = false;          ///< the file, folder or database exists
  std::uint32_t schema = 0;       ///< 0: it has no row that says so, no server starts on it
  std::vector<char> filled = {};  ///< subspaces that hold any row
  std::uint64_t bytes = 0;        ///< on disk, as the database tells
  std::uint64_t blob_bytes = 0;   ///< of the files in StoreAddress::blob_folder
  /// What is in it and no server makes (StoreReader::foreign): nothing is imported beside it.
  std::vector<std::string> foreign = {};
  /// Hosts that have a lease in subspace g (0.16): every one that ever opened the store, by name.
  std::vector<std::string> nodes = {};
  [[nodiscard]] bool is_empty() const { return filled.empty(); }
  /// It links blobs and has none: they are files, or in S3 or another store of their own.
  [[nodiscard]] bool has_blobs_elsewhere() const;
};

/// False where a store could be made. Errors: store-unreadable (a pipe, a device), store-foreign (a
/// folder with other files).
[[nodiscard]] Result<bool> is_store_there(const StoreAddress& address);

/// What an import asks before it opens its target for writing. Error: target-not-ours, and those of
/// the store.
[[nodiscard]] Outcome check_nothing_foreign(const StoreAddress& address);
/// That error, of a store with such names in it.
[[nodiscard]] Error foreign_in(std::string_view store, const std::vector<std::string>& foreign);

/// Errors: those of the store. The server may run; only what is in flux is then a guess.
[[nodiscard]] Result<StoreLook> look_at_store(const StoreAddress& address);

/// What became of a store that an import filled.
enum class TakenBack : std::uint8_t {
  emptied = 0,  ///< it held the dump and nothing else, or a part of it: now it is as it was before
  kept = 1,     ///< it holds something else too, and was left as it is
};

/// The opposite of import_store: empties the store when it holds exactly what this dump has, or the
/// beginning of this dump's import. What a server has written into it since is never taken away.
/// Files and folders go; in a database the tables of the server go, nothing else. Repeatable.
[[nodiscard]] Result<TakenBack> take_back_import(const StoreAddress& address,
                                                 const std::string& folder,
                                                 const std::vector<std::string>& subspaces);

/// Empties a store whatever is in its tables: for what the server's own import left half done in a
/// store that was empty before.
[[nodiscard]] Outcome empty_store(const StoreAddress& address);

[[nodiscard]] ir::Value to_value(const StoreLook& look);
/// The opposite, for an answer of another machine.
[[nodiscard]] StoreLook store_look_from(const ir::Value& value);

}  // namespace plan::dump
