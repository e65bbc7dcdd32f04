#pragma once
#include "runtime/net/clock.h"

namespace plan::dump {

/// Time passes only while somebody waits.
class WaitingClock final : public net::Clock {
 public:
  [[nodiscard]] Monotonic now() override { return now_; }
  [[nodiscard]] std::int64_t wall_ms() override { return 0; }
  void sleep_for(std::chrono::milliseconds duration) override { now_ += duration; }

 private:
  Monotonic now_{};
};

}  // namespace plan::dump
