#pragma once
#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "runtime/engine/engine.h"
#include "runtime/engine/lease_keeper.h"
#include "runtime/engine/step_runner.h"
#include "runtime/engine/worker_pool.h"

namespace plan::engine {

/// What apply and rollback have in common: lock, leases, the run's record, and the runner. Ends
/// whatever way the object goes; only `end` marks the run as ended.
class Session {
 public:
  /// Errors: run-in-progress, lease-taken, plan-already-used, journal errors. Nothing was done
  /// then.
  [[nodiscard]] static Result<std::unique_ptr<Session>> begin(const EngineParts& parts,
                                                              const EngineOptions& options,
                                                              bool is_rollback);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  [[nodiscard]] StepRunner& runner() { return *runner_; }
  [[nodiscard]] const RunInfo& info() const { return info_; }
  [[nodiscard]] bool is_resumed() const { return is_resumed_; }
  /// The error that ends the run at once: journal or lease. Nothing more is begun.
  [[nodiscard]] std::optional<Error> fatal() const;
  void set_fatal(Error error);
  /// Says that a stop was asked for, and which accounts are finished or undone before it; again
  /// each time that somebody asks. `held` is only called when there is something to say.
  void tell_stop(const std::function<std::vector<std::string>()>& held);
  /// Marks the run as ended and tells it.
  [[nodiscard]] Outcome end(const RunResult& result);

 private:
  explicit Session(const EngineParts& parts);

  const EngineParts parts_;
  RunInfo info_;
  bool is_resumed_ = false;
  bool is_locked_ = false;
  std::unique_ptr<StepRunner> runner_;
  std::unique_ptr<LeaseKeeper> leases_;
  mutable std::mutex mutex_;
  std::optional<Error> fatal_;
  unsigned stops_told_ = 0;
};

/// Results of workers on their way to the one thread that decides.
template <class T>
class Mailbox {
 public:
  void put(T item) {
    {
      const std::lock_guard lock(mutex_);
      items_.push_back(std::move(item));
    }
    filled_.notify_one();
  }
  /// All that is there; waits up to `duration` for the first, which `workers` may bring.
  [[nodiscard]] std::deque<T> take(Workers& workers, std::chrono::milliseconds duration) {
    const bool is_over = workers.go_on(duration, [&] {
      const std::lock_guard lock(mutex_);
      return !items_.empty();
    });
    std::unique_lock lock(mutex_);
    if (!is_over) filled_.wait_for(lock, duration, [&] { return !items_.empty(); });
    return std::exchange(items_, {});
  }

 private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<T> items_;
};

}  // namespace plan::engine
