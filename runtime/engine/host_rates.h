#pragma once
#include <cstdint>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "runtime/net/clock.h"
#include "runtime/step/step_driver.h"

namespace plan::engine {

/// How many bytes a second the copying may take of a host (`plan throttle --rate`). What was moved
/// is a debt that the rate pays off; who moved something goes on when there is none, so that steps
/// beside each other share the rate. Thread-safe.
class HostRates {
 public:
  /// 0: no bound, and no debt any more.
  void set(std::string_view host, std::uint64_t bytes_per_second, net::Clock::Monotonic now);
  void add(std::string_view host, std::uint64_t bytes, net::Clock::Monotonic now);
  [[nodiscard]] bool is_behind(std::string_view host, net::Clock::Monotonic now);
  /// `add`, and blocks until the host is not behind or `stop` is requested.
  void moved(std::string_view host, std::uint64_t bytes, net::Clock& clock,
             const step::StopSignal& stop);

 private:
  struct Debt {
    double bytes_per_second = 0;
    double bytes = 0;
    net::Clock::Monotonic paid_at = {};
    void pay(net::Clock::Monotonic now);
  };
  std::mutex mutex_;
  std::map<std::string, Debt, std::less<>> debts_;  ///< of hosts with a bound
};

}  // namespace plan::engine
