#include "runtime/engine/lease_keeper.h"

#include <algorithm>

namespace plan::engine {

LeaseKeeper::LeaseKeeper(std::vector<LeaseHolder*> holders, std::string token)
    : holders_(std::move(holders)), token_(std::move(token)) {}

LeaseKeeper::~LeaseKeeper() { release(); }

Outcome LeaseKeeper::acquire_from_earlier(LeaseHolder& holder,
                                          const std::vector<std::string>& earlier) {
  Outcome refused = holder.acquire(token_);
  if (refused || earlier.empty()) return refused;
  const Result<std::string> token = holder.holder();
  if (!token || std::find(earlier.begin(), earlier.end(), *token) == earlier.end()) return refused;
  return holder.take_over(token_);
}

Outcome LeaseKeeper::acquire(bool takes_over, const std::vector<std::string>& earlier) {
  for (LeaseHolder* holder : holders_) {
    Outcome outcome =
        takes_over ? holder->take_over(token_) : acquire_from_earlier(*holder, earlier);
    if (!outcome) {
      release();
      return std::move(outcome).error().while_doing("taking the lease on the " + holder->name());
    }
    held_.push_back(holder);
  }
  return {};
}

void LeaseKeeper::keep(std::chrono::milliseconds interval,
                       std::function<void(const Error&)> on_lost) {
  if (held_.empty()) return;
  thread_ = std::thread(
      [this, interval, on_lost = std::move(on_lost)] { renew_until_ended(interval, on_lost); });
}

void LeaseKeeper::renew_until_ended(std::chrono::milliseconds interval,
                                    const std::function<void(const Error&)>& on_lost) {
  std::unique_lock lock(mutex_);
  while (!ended_.wait_for(lock, interval, [&] { return is_ending_; })) {
    lock.unlock();
    for (LeaseHolder* holder : held_) {
      if (const Outcome outcome = holder->renew(token_);
          !outcome && outcome.error().code().name.ends_with("lease-lost")) {
        on_lost(outcome.error());
        return;
      }
    }
    lock.lock();
  }
}

void LeaseKeeper::release() {
  {
    const std::lock_guard lock(mutex_);
    is_ending_ = true;
  }
  ended_.notify_all();
  if (thread_.joinable()) thread_.join();
  for (auto holder = held_.rbegin(); holder != held_.rend(); ++holder) {
    // A lease that cannot be given back is this run's until it resumes or another takes over.
    if (const Outcome outcome = (*holder)->release(token_); !outcome) continue;
  }
  held_.clear();
}

}  // namespace plan::engine
