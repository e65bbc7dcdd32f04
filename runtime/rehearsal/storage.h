#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/store/rocks.h"

namespace plan::rehearsal {

/// The target's state on disk. What one request changes is collected and written as one batch
/// before the answer goes out, so that after kill -9 each request has happened or has not. Not
/// synced to the disk: a rehearsal does not promise to survive a power cut. One thread at a time
/// (the World's lock).
class Storage {
 public:
  [[nodiscard]] static Result<std::unique_ptr<Storage>> open(const std::string& folder);

  void put(std::string_view key, const ir::Value& value);
  void put_bytes(std::string_view key, std::string_view bytes);
  void remove(std::string_view key);
  /// Removes all keys that begin with `prefix`.
  void remove_all(std::string_view prefix);
  /// Writes what was collected. On an error the change stays in memory only and the error is kept
  /// (see `failure`).
  void commit();

  [[nodiscard]] std::optional<std::string> bytes(std::string_view key) const;
  /// Values below `prefix` in the order of their keys; `rest` is the key without the prefix.
  void scan(std::string_view prefix,
            const std::function<void(std::string_view rest, const ir::Value& value)>& visit) const;
  void scan_bytes(
      std::string_view prefix,
      const std::function<void(std::string_view rest, std::string_view bytes)>& visit) const;
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }

 private:
  explicit Storage(std::unique_ptr<store::RocksStore> rocks) : rocks_(std::move(rocks)) {}
  std::unique_ptr<store::RocksStore> rocks_;
  store::RocksBatch batch_;
  std::optional<Error> failure_;
};

}  // namespace plan::rehearsal
