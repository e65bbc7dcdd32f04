#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/result.h"

namespace plan::store {

/// The C interface of a RocksDB that is newer than the one this program is built with, loaded at
/// run time from `librocksdbjni-linux64.so` (Maven package org.rocksdb:rocksdbjni). Servers write
/// their stores with RocksDB 10.4 and table format 6, which Debian 12's 7.8 refuses
/// (reference/stalwart-store.md 9.1).
class RocksLibrary {
 public:
  /// Error: rocksdb-library-missing (no such file, or not the whole C interface in it).
  [[nodiscard]] static Result<std::shared_ptr<const RocksLibrary>> load(const std::string& path);
  /// `named` if it is not empty, else the variable PLAN_ROCKSDB_LIBRARY, else the file beside the
  /// program, else the usual folders for libraries. Error: rocksdb-library-missing, which says how
  /// to get it.
  [[nodiscard]] static Result<std::shared_ptr<const RocksLibrary>> find(const std::string& named);
  RocksLibrary(const RocksLibrary&) = delete;
  RocksLibrary& operator=(const RocksLibrary&) = delete;
  ~RocksLibrary();
  [[nodiscard]] const std::string& path() const { return path_; }

  struct Functions;
  [[nodiscard]] const Functions& functions() const { return *functions_; }

 private:
  explicit RocksLibrary(std::string path);
  std::string path_;
  std::unique_ptr<Functions> functions_;
};

struct LoadedRocksOptions {
  bool is_read_only = true;  ///< then the folder is not changed and its lock not taken
  /// Families whose values are 64-bit sums. Each of them that the folder has gets the built-in
  /// addition operator. **Without it an open succeeds and silently gives part of the store.**
  std::vector<std::string> sum_families = {};
  /// When writing: made when missing, in this order.
  std::vector<std::string> families = {};
  std::string blob_family = {};         ///< large values in files of their own
  std::size_t blob_bytes_min = 16'834;  ///< as the server has it
};

/// What the files themselves say of one family, independent of reading its keys.
struct RocksFigures {
  std::uint64_t entries = 0;        ///< in tables and log, overwritten and deleted ones too
  std::uint64_t records_least = 0;  ///< so many distinct keys there are at least
};

class LoadedRocks;

/// The records of one family in key order. Must not outlive its store. One thread at a time.
class LoadedRocksCursor {
 public:
  LoadedRocksCursor(LoadedRocksCursor&& other) noexcept;
  LoadedRocksCursor& operator=(LoadedRocksCursor&&) = delete;
  LoadedRocksCursor(const LoadedRocksCursor&) = delete;
  LoadedRocksCursor& operator=(const LoadedRocksCursor&) = delete;
  ~LoadedRocksCursor();

  /// False: the end. The first call goes to the first record.
  [[nodiscard]] Result<bool> next();
  [[nodiscard]] std::string_view key() const;
  [[nodiscard]] std::string_view value() const;

 private:
  friend class LoadedRocks;
  LoadedRocksCursor(const RocksLibrary::Functions& functions, void* iterator,
                    const std::string& folder)
      : functions_(&functions), iterator_(iterator), folder_(&folder) {}
  const RocksLibrary::Functions* functions_ = nullptr;
  void* iterator_ = nullptr;
  const std::string* folder_ = nullptr;
  bool is_begun_ = false;
};

/// Changes that become visible together or not at all. Thread-compatible.
class LoadedRocksBatch {
 public:
  LoadedRocksBatch(LoadedRocksBatch&&) noexcept;
  LoadedRocksBatch& operator=(LoadedRocksBatch&&) = delete;
  LoadedRocksBatch(const LoadedRocksBatch&) = delete;
  LoadedRocksBatch& operator=(const LoadedRocksBatch&) = delete;
  ~LoadedRocksBatch();
  void put(std::size_t family, std::string_view key, std::string_view value);
  void remove(std::size_t family, std::string_view key);
  void clear();

 private:
  friend class LoadedRocks;
  LoadedRocksBatch(const RocksLibrary::Functions& functions, void* batch, void* const* families)
      : functions_(&functions), batch_(batch), families_(families) {}
  const RocksLibrary::Functions* functions_ = nullptr;
  void* batch_ = nullptr;
  void* const* families_ = nullptr;
};

/// A RocksDB folder of a mail server. Thread-safe; cursors and batches are not.
class LoadedRocks {
 public:
  /// Errors: store-unreadable, store-damaged, store-busy, store-read-short (the log holds more than
  /// the library replayed).
  [[nodiscard]] static Result<std::unique_ptr<LoadedRocks>> open(
      std::shared_ptr<const RocksLibrary> library, const std::string& folder,
      const LoadedRocksOptions& options);
  LoadedRocks(const LoadedRocks&) = delete;
  LoadedRocks& operator=(const LoadedRocks&) = delete;
  ~LoadedRocks();

  [[nodiscard]] const std::vector<std::string>& family_names() const { return names_; }
  /// Index for the calls below; nothing when the store has no such family.
  [[nodiscard]] std::optional<std::size_t> family(std::string_view name) const;

  [[nodiscard]] Result<LoadedRocksCursor> scan(std::size_t family) const;
  [[nodiscard]] Result<std::optional<std::string>> get(std::size_t family,
                                                       std::string_view key) const;
  [[nodiscard]] Result<RocksFigures> figures(std::size_t family) const;

  [[nodiscard]] LoadedRocksBatch batch() const;
  /// Synced: durable when it returns, with everything written before.
  [[nodiscard]] Outcome write(LoadedRocksBatch& batch, bool is_synced);

 private:
  LoadedRocks(std::shared_ptr<const RocksLibrary> library, std::string folder);
  struct State;
  std::shared_ptr<const RocksLibrary> library_;
  std::string folder_;
  std::vector<std::string> names_;
  std::unique_ptr<State> state_;
};

/// The number of the last change that the write-ahead logs of a RocksDB folder hold, read from the
/// log files alone; 0 when they hold none. A last record that was cut off does not count.
[[nodiscard]] Result<std::uint64_t> last_logged_change(const std::string& folder);
/// The same for the bytes of one log file, whatever they are.
[[nodiscard]] std::uint64_t last_change_of_log(std::string_view log);

}  // namespace plan::store
