#include "runtime/engine/host_rates.h"

#include <algorithm>
#include <chrono>

namespace plan::engine {
namespace {

constexpr std::chrono::milliseconds kLook{50};

}  // namespace

void HostRates::Debt::pay(net::Clock::Monotonic now) {
  const std::chrono::duration<double> passed = now - paid_at;
  bytes = std::max(0.0, bytes - bytes_per_second * std::max(0.0, passed.count()));
  paid_at = now;
}

void HostRates::set(std::string_view host, std::uint64_t bytes_per_second,
                    net::Clock::Monotonic now) {
  const std::lock_guard lock(mutex_);
  if (bytes_per_second == 0) {
    if (const auto found = debts_.find(host); found != debts_.end()) debts_.erase(found);
    return;
  }
  Debt& debt = debts_[std::string(host)];
  debt.pay(now);
  debt.bytes_per_second = static_cast<double>(bytes_per_second);
}

void HostRates::add(std::string_view host, std::uint64_t bytes, net::Clock::Monotonic now) {
  const std::lock_guard lock(mutex_);
  const auto found = debts_.find(host);
  if (found == debts_.end()) return;
  found->second.pay(now);
  found->second.bytes += static_cast<double>(bytes);
}

bool HostRates::is_behind(std::string_view host, net::Clock::Monotonic now) {
  const std::lock_guard lock(mutex_);
  const auto found = debts_.find(host);
  if (found == debts_.end()) return false;
  found->second.pay(now);
  return found->second.bytes > 0;
}

void HostRates::moved(std::string_view host, std::uint64_t bytes, net::Clock& clock,
                      const step::StopSignal& stop) {
  add(host, bytes, clock.now());
  while (!stop.is_requested() && is_behind(host, clock.now())) clock.sleep_for(kLook);
}

}  // namespace plan::engine
