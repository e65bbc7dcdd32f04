#pragma once
#include <string>

#include "compiler/source/result.h"

namespace plan::engine {

/// Who executes with a journal: an flock(2) on the file beside it. The kernel ends it with the
/// process, however that ends, so a killed run leaves nothing to clear away. Holds on one machine;
/// two machines are kept apart by the leases on source and target. Not for several threads.
class RunLock {
 public:
  /// `journal_path` names the journal; the lock's file is that with `.lock` behind it.
  explicit RunLock(const std::string& journal_path);
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;
  ~RunLock();

  /// run-in-progress when another process has it; nothing happens when this one does already.
  [[nodiscard]] Outcome take();
  void give_back();
  /// By this process or another. A file that cannot be opened counts as held by nobody.
  [[nodiscard]] bool is_held() const;

 private:
  std::string path_;
  int file_ = -1;
};

}  // namespace plan::engine
