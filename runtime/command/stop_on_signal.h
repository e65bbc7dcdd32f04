#pragma once
#include "runtime/step/step_driver.h"

namespace plan::command {

/// While it lives, SIGINT, SIGTERM and SIGHUP (unless it was ignored, as under nohup) set `stop`
/// instead of ending the process; a second SIGINT says what is waited for. At most one lives at a
/// time.
class StopOnSignal {
 public:
  explicit StopOnSignal(step::StopSignal& stop);
  ~StopOnSignal();
  StopOnSignal(const StopOnSignal&) = delete;
  StopOnSignal& operator=(const StopOnSignal&) = delete;

 private:
  bool has_hang_up_ = false;
};

}  // namespace plan::command
