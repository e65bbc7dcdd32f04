#pragma once
#include <cstdint>
#include <memory>
#include <string>

namespace plan::store {

/// A file layer under SQLite that forgets what was not synced and runs out of space, for the tests
/// that pull the plug (style.md 3.8). Files are real files in the default layer, so that a test can
/// look at them. Register one per test, open databases with `SqliteOptions::vfs = name()`, crash,
/// close them, `lose_unsynced`, open again. Thread-safe. Must outlive the databases opened on it.
class FaultVfs {
 public:
  explicit FaultVfs(std::string name);
  ~FaultVfs();
  FaultVfs(const FaultVfs&) = delete;
  FaultVfs& operator=(const FaultVfs&) = delete;

  [[nodiscard]] const std::string& name() const;

  /// From now on every read and write of open files fails, as for a process that is gone.
  void crash();
  /// Crashes by itself at the n-th write, truncation or sync from now on (1: the next one), before
  /// it takes effect. 0: never.
  void crash_after(std::uint64_t operations);
  [[nodiscard]] bool is_crashed() const;

  /// Call when all databases are closed. Takes back every write since the last sync of its file,
  /// except that each sector of 512 bytes survives with `survivors_percent` (by `seed`): power cuts
  /// keep any subset. Ends the crash.
  void lose_unsynced(std::uint64_t seed, unsigned survivors_percent = 0);

  /// Sabotage: syncs return success and do nothing. What lies below a journal must never do this;
  /// a test that passes with it proves nothing.
  void ignore_syncs(bool is_ignoring);

  /// All files together may hold this many bytes; a write that would exceed it reports a full
  /// disk.
  void limit_space(std::uint64_t bytes);

  [[nodiscard]] std::uint64_t operations() const;  ///< writes, truncations and syncs so far
  [[nodiscard]] std::uint64_t syncs() const;

  struct State;

 private:
  std::unique_ptr<State> state_;
};

}  // namespace plan::store
