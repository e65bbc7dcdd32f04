#pragma once
#include <chrono>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "runtime/engine/worker_pool.h"
#include "runtime/net/clock.h"

namespace plan::simulation {

using std::chrono::milliseconds;

/// Time that goes on only when everybody waits, chance from one seed, and jobs of which one runs at
/// a time: the same seed gives the same world to the last event. One thread, no real waiting.
///
/// A job gives way only in `sleep`; which of several goes on is chance. The main program (the
/// engine's deciding thread) lets jobs and events go on in `run_until`.
class VirtualTime {
 public:
  explicit VirtualTime(std::uint64_t seed);
  ~VirtualTime();
  VirtualTime(const VirtualTime&) = delete;
  VirtualTime& operator=(const VirtualTime&) = delete;

  /// 0 <= result < `below`.
  [[nodiscard]] std::uint64_t random(std::uint64_t below);
  [[nodiscard]] bool is_chance(unsigned permille) { return random(1000) < permille; }
  [[nodiscard]] milliseconds between(milliseconds least, milliseconds most);

  [[nodiscard]] milliseconds now() const { return now_; }
  /// Something that happens outside of plan.
  void after(milliseconds pause, std::function<void()> event);
  void begin(std::function<void()> job);
  [[nodiscard]] std::size_t jobs() const { return living_; }
  /// In a job: others go on meanwhile. In the main program: run_until nothing.
  void sleep(milliseconds duration);
  /// Main program only. False: the time was over first.
  bool run_until(milliseconds duration, const std::function<bool()>& is_reached);

 private:
  struct Job;
  void resume(Job& job);
  static void enter();

  std::mt19937_64 random_;
  milliseconds now_{0};
  std::uint64_t sequence_ = 0;
  std::map<std::pair<milliseconds, std::uint64_t>, std::function<void()>> events_;
  std::vector<Job*> ready_;
  std::vector<std::unique_ptr<Job>> all_;
  std::vector<Job*> ended_;  ///< their stacks serve the next jobs
  std::size_t living_ = 0;
  Job* current_ = nullptr;
};

/// The clock of plan's machine.
class VirtualClock final : public net::Clock {
 public:
  explicit VirtualClock(VirtualTime& time) : time_(time) {}
  Monotonic now() override { return Monotonic(time_.now() + std::chrono::hours(1)); }
  std::int64_t wall_ms() override { return 1'700'000'000'000 + (time_.now() + jumped_).count(); }
  void sleep_for(milliseconds duration) override { time_.sleep(duration); }
  /// Somebody sets the time of day.
  void jump(milliseconds by) { jumped_ += by; }

 private:
  VirtualTime& time_;
  milliseconds jumped_{0};
};

/// The engine's workers in virtual time.
class VirtualWorkers final : public engine::Workers {
 public:
  explicit VirtualWorkers(VirtualTime& time) : time_(time) {}
  ~VirtualWorkers() override;
  void submit(std::function<void()> job) override { time_.begin(std::move(job)); }
  bool go_on(milliseconds duration, const std::function<bool()>& has_come) override {
    time_.run_until(duration, has_come);
    return true;
  }

 private:
  VirtualTime& time_;
};

}  // namespace plan::simulation
