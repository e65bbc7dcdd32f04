#pragma once
#include "runtime/net/clock.h"

namespace plan::proxy {

/// A clock that the test moves.
class ManualClock final : public net::Clock {
 public:
  Monotonic now() override { return start_ + std::chrono::milliseconds(ms_); }
  std::int64_t wall_ms() override { return 1'790'000'000'000 + ms_; }
  void sleep_for(std::chrono::milliseconds duration) override { ms_ += duration.count(); }
  void advance(std::chrono::milliseconds duration) { ms_ += duration.count(); }

 private:
  Monotonic start_ = std::chrono::steady_clock::now();
  std::int64_t ms_ = 0;
};

}  // namespace plan::proxy
