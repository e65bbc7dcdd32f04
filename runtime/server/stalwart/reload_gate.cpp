#include "runtime/server/stalwart/reload_gate.h"

namespace plan::server::stalwart {

Outcome ReloadGate::pass() {
  std::unique_lock lock(mutex_);
  // The reload that is running may have begun before our write: only the next one will do.
  const std::uint64_t wanted = begun_ + 1;
  ++waiting_[wanted];
  while (done_ < wanted) {
    if (is_leader_) {
      ended_.wait(lock);
      continue;
    }
    is_leader_ = true;
    if (last_) {
      const auto ready = *last_ + apart_;
      const auto now = clock_.now();
      if (ready > now) {
        const auto wait = std::chrono::ceil<std::chrono::milliseconds>(ready - now);
        lock.unlock();
        clock_.sleep_for(wait);  // those who write meanwhile come along
        lock.lock();
      }
    }
    const std::uint64_t number = ++begun_;
    last_ = clock_.now();
    lock.unlock();
    Outcome outcome = reload_();
    lock.lock();
    if (!outcome && waiting_[number] > 0)
      failed_[number] = {std::move(outcome).error(), waiting_[number]};
    done_ = number;
    is_leader_ = false;
    ended_.notify_all();
  }
  if (--waiting_[wanted] == 0) waiting_.erase(wanted);
  const auto failure = failed_.find(wanted);
  if (failure == failed_.end()) return {};
  Error error = *failure->second.first;
  if (--failure->second.second == 0) failed_.erase(failure);
  return error;
}

std::uint64_t ReloadGate::count() const {
  const std::lock_guard lock(mutex_);
  return done_;
}

}  // namespace plan::server::stalwart
