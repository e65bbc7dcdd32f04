#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/source/result.h"

namespace plan::store {

struct RocksOptions {
  bool is_read_only = false;
  bool must_exist = false;
  /// Families that shall be there (made when missing). Families found in the files are opened too;
  /// `default` is always there.
  std::vector<std::string> families = {};
};

/// A family of keys inside one store, found once by name with RocksStore::family.
enum class RocksFamily : std::uint32_t { standard = 0 };

/// Changes that become visible together or not at all.
class RocksBatch {
 public:
  void put(RocksFamily family, std::string_view key, std::string_view value);
  void remove(RocksFamily family, std::string_view key);
  /// Removes all keys with begin <= key < end.
  void remove_range(RocksFamily family, std::string_view begin, std::string_view end);
  [[nodiscard]] bool empty() const { return changes_.empty(); }
  [[nodiscard]] std::size_t size() const { return changes_.size(); }
  void clear() { changes_.clear(); }

 private:
  friend class RocksStore;
  enum class Action : std::uint8_t { put, remove, remove_range };
  struct Change {
    Action action = Action::put;
    RocksFamily family = RocksFamily::standard;
    std::string key = {};
    std::string value = {};
  };
  std::vector<Change> changes_;
};

/// The store as it was at one moment. Give it back (let it go) before the store.
class RocksSnapshot {
 public:
  RocksSnapshot(RocksSnapshot&& other) noexcept;
  RocksSnapshot& operator=(RocksSnapshot&& other) noexcept;
  RocksSnapshot(const RocksSnapshot&) = delete;
  RocksSnapshot& operator=(const RocksSnapshot&) = delete;
  ~RocksSnapshot();

 private:
  friend class RocksStore;
  struct State;
  explicit RocksSnapshot(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

/// A RocksDB folder of ours (Debian's library; for folders of a current server see the dump
/// tools). Thread-safe.
class RocksStore {
 public:
  /// Errors: store-unreadable, store-damaged, store-busy (another process has it).
  [[nodiscard]] static Result<std::unique_ptr<RocksStore>> open(const std::string& folder,
                                                                const RocksOptions& options = {});
  RocksStore(const RocksStore&) = delete;
  RocksStore& operator=(const RocksStore&) = delete;
  ~RocksStore();

  /// The family of that name, or nothing when the store has none.
  [[nodiscard]] std::optional<RocksFamily> family(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> family_names() const;

  /// Nothing: no such key.
  [[nodiscard]] Result<std::optional<std::string>> get(RocksFamily family, std::string_view key,
                                                       const RocksSnapshot* at = nullptr) const;
  [[nodiscard]] Outcome put(RocksFamily family, std::string_view key, std::string_view value,
                            bool is_synced = false);
  [[nodiscard]] Outcome remove(RocksFamily family, std::string_view key, bool is_synced = false);
  /// All changes of the batch or none. Synced: durable when it returns; else durable with the next
  /// synced write.
  [[nodiscard]] Outcome write(const RocksBatch& batch, bool is_synced = true);

  /// Calls `visit` for each key that begins with `prefix`, in byte order, until it returns false.
  /// The views are valid during the call. Sees one moment of the store.
  [[nodiscard]] Outcome scan(
      RocksFamily family, std::string_view prefix,
      const std::function<bool(std::string_view key, std::string_view value)>& visit,
      const RocksSnapshot* at = nullptr) const;
  /// The same from `first` on (inclusive), up to `end` (exclusive; empty: no end), optionally
  /// newest key first.
  [[nodiscard]] Outcome scan_range(
      RocksFamily family, std::string_view first, std::string_view end, bool is_reverse,
      const std::function<bool(std::string_view key, std::string_view value)>& visit,
      const RocksSnapshot* at = nullptr) const;

  [[nodiscard]] RocksSnapshot snapshot() const;
  /// Writes what is in memory to files.
  [[nodiscard]] Outcome flush();

 private:
  struct State;
  explicit RocksStore(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace plan::store
