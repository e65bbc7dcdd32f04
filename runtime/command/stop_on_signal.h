#pragma once
#include "runtime/step/step_driver.h"

namespace plan::command {

/// While it lives, SIGINT, SIGTERM and SIGHUP (unless it was ignored, as under nohup) set `stop`
/// instead of ending the process, and the terminal is told that it was heard. At most one lives at
/// a time.
class StopOnSignal {
 public:
  explicit StopOnSignal(step::StopSignal& stop);
  ~StopOnSignal();
  StopOnSignal(const StopOnSignal&) = delete;
  StopOnSignal& operator=(const StopOnSignal&) = delete;
  /// From now on the run itself says what it finishes first (an event): a line from here would
  /// stand in the middle of its progress.
  void leave_words_to_the_run() const;

 private:
  bool has_hang_up_ = false;
};

}  // namespace plan::command
