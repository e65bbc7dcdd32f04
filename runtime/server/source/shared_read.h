#pragma once
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>

#include "compiler/source/result.h"

namespace plan::server::source {

/// Lets many threads share one costly reading of something that changes (a mail queue): who asks
/// while another reads waits for the next reading, and all who wait then share that one.
/// Thread-safe.
template <class Snapshot>
class SharedRead {
 public:
  /// What `read` (a function that returns Result<Snapshot>) gives, from a reading that began after
  /// this call: one that has begun already may miss what the caller just did.
  template <class Read>
  [[nodiscard]] Result<std::shared_ptr<const Snapshot>> get(Read&& read) {
    std::uint64_t needed = 0;
    {
      const std::lock_guard lock(mutex_);
      needed = begun_ + 1;
    }
    const std::lock_guard turn(reading_);
    std::uint64_t number = 0;
    {
      const std::lock_guard lock(mutex_);
      if (last_ >= needed) return snapshot_;
      number = ++begun_;
    }
    PLAN_TRY(fresh, read());
    auto snapshot = std::make_shared<const Snapshot>(std::move(fresh));
    const std::lock_guard lock(mutex_);
    last_ = number;
    snapshot_ = snapshot;
    return snapshot;
  }

 private:
  std::mutex reading_;
  std::mutex mutex_;
  std::uint64_t begun_ = 0;
  std::uint64_t last_ = 0;  // number of the reading that `snapshot_` is
  std::shared_ptr<const Snapshot> snapshot_;
};

}  // namespace plan::server::source
