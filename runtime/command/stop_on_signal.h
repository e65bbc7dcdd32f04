#pragma once
#include "runtime/step/step_driver.h"

namespace plan::command {

/// While it lives, SIGINT and SIGTERM set `stop` instead of ending the process; a second SIGINT
/// says what is waited for. At most one lives at a time.
class StopOnSignal {
 public:
  explicit StopOnSignal(step::StopSignal& stop);
  ~StopOnSignal();
  StopOnSignal(const StopOnSignal&) = delete;
  StopOnSignal& operator=(const StopOnSignal&) = delete;
};

}  // namespace plan::command
