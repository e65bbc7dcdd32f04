#pragma once
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace plan::engine {

/// Where the steps of a run are carried out. The machine's is WorkerPool; a simulation hands in one
/// of its own, which decides in what order they go on. The destructor waits for the jobs that were
/// begun.
class Workers {
 public:
  Workers() = default;
  Workers(const Workers&) = delete;
  Workers& operator=(const Workers&) = delete;
  virtual ~Workers() = default;

  virtual void submit(std::function<void()> job) = 0;
  /// Called by the thread that decides, before it waits for a result. True: jobs went on until
  /// `has_come`, or until `duration` was over, and waiting is done. False: they go on by
  /// themselves.
  virtual bool go_on(std::chrono::milliseconds duration, const std::function<bool()>& has_come) = 0;
};

/// Threads for blocking drivers. Grows when all are busy, so that a held account never waits behind
/// others' copies: how many steps run at a time is the scheduler's business.
class WorkerPool final : public Workers {
 public:
  WorkerPool() = default;
  ~WorkerPool() override;

  void submit(std::function<void()> job) override;
  bool go_on(std::chrono::milliseconds, const std::function<bool()>&) override { return false; }
  [[nodiscard]] std::size_t size() const;

 private:
  void work();

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> jobs_;
  std::size_t idle_ = 0;
  bool is_ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace plan::engine
