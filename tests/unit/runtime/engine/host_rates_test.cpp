#include "runtime/engine/host_rates.h"

#include <gtest/gtest.h>

#include <functional>
#include <mutex>

#include "tests/unit/runtime/engine/engine_fixture.h"

namespace plan::engine {
namespace {

using std::chrono::milliseconds;

/// Time passes only by sleeping.
class SleptClock final : public net::Clock {
 public:
  Monotonic now() override { return now_; }
  std::int64_t wall_ms() override { return 0; }
  void sleep_for(milliseconds duration) override {
    now_ += duration;
    if (on_sleep) on_sleep();
  }
  [[nodiscard]] milliseconds slept() const {
    return std::chrono::duration_cast<milliseconds>(now_ - Monotonic{});
  }
  std::function<void()> on_sleep = {};

 private:
  Monotonic now_ = {};
};

class HostRatesTest : public ::testing::Test {
 protected:
  SleptClock clock_;
  step::StopSignal stop_;
  HostRates rates_;
};

TEST_F(HostRatesTest, WhatWasMovedTakesAsLongAsTheRateSays) {
  rates_.set("source", 1000, clock_.now());
  rates_.moved("source", 3000, clock_, stop_);
  EXPECT_GE(clock_.slept(), milliseconds(3000));
  EXPECT_LE(clock_.slept(), milliseconds(3100));
}

TEST_F(HostRatesTest, StepsBesideEachOtherShareTheRate) {
  rates_.set("source", 1000, clock_.now());
  rates_.add("source", 1000, clock_.now());
  rates_.moved("source", 1000, clock_, stop_);
  EXPECT_GE(clock_.slept(), milliseconds(2000));
}

TEST_F(HostRatesTest, TimeInWhichNothingMovedIsNotSavedUp) {
  rates_.set("source", 1000, clock_.now());
  clock_.sleep_for(std::chrono::hours(1));
  rates_.moved("source", 1000, clock_, stop_);
  EXPECT_GE(clock_.slept(), std::chrono::hours(1) + milliseconds(1000));
}

TEST_F(HostRatesTest, AHostWithoutABoundWaitsForNobody) {
  rates_.set("source", 1000, clock_.now());
  rates_.moved("target", 1'000'000'000, clock_, stop_);
  EXPECT_EQ(clock_.slept(), milliseconds(0));
}

TEST_F(HostRatesTest, ABoundThatIsTakenAwayLetsGoAtOnce) {
  rates_.set("source", 1, clock_.now());
  clock_.on_sleep = [this] { rates_.set("source", 0, clock_.now()); };
  rates_.moved("source", 1'000'000, clock_, stop_);
  EXPECT_LT(clock_.slept(), milliseconds(1000));
}

TEST_F(HostRatesTest, AHigherRateCountsForWhatIsOwedAlready) {
  rates_.set("source", 1, clock_.now());
  clock_.on_sleep = [this] { rates_.set("source", 10'000, clock_.now()); };
  rates_.moved("source", 10'000, clock_, stop_);
  EXPECT_LT(clock_.slept(), milliseconds(1200));
}

TEST_F(HostRatesTest, WhoIsToStopWaitsNoLonger) {
  rates_.set("source", 1, clock_.now());
  clock_.on_sleep = [this] { stop_.request(); };
  rates_.moved("source", 1'000'000, clock_, stop_);
  EXPECT_LT(clock_.slept(), milliseconds(1000));
}

/// Every step moves as much, and how long it was kept is written down.
class MovingDriver final : public step::StepDriver {
 public:
  explicit MovingDriver(test::World& world) : inner_(world) {}
  Result<ir::Observation> observe(step::StepContext& context) override {
    return inner_.observe(context);
  }
  Result<ir::Value> apply(step::StepContext& context) override {
    const auto begun = context.clock.now();
    context.moved("source", 10'000);
    {
      const std::lock_guard lock(mutex_);
      kept_[context.kind] =
          std::max(kept_[context.kind],
                   std::chrono::duration_cast<milliseconds>(context.clock.now() - begun));
    }
    return inner_.apply(context);
  }
  Outcome verify(step::StepContext& context) override { return inner_.verify(context); }
  Outcome undo(step::StepContext& context) override { return inner_.undo(context); }
  [[nodiscard]] milliseconds kept(ir::StepKind kind) { return kept_[kind]; }

 private:
  test::WorldDriver inner_;
  std::mutex mutex_;
  std::map<ir::StepKind, milliseconds> kept_;
};

TEST_F(EngineTest, ARateKeepsWhatIsCopiedAndNeverWhoIsHeld) {
  const auto driver = std::make_shared<MovingDriver>(world_);
  drivers_.add(ir::StepKind::archive_copy, driver);
  drivers_.add(ir::StepKind::archive_delta, driver);
  {
    auto journal = open();
    ASSERT_TRUE(
        (*journal)->add_request({.kind = RequestKind::throttle,
                                 .subject = "source",
                                 .parameters = ir::Value::map({{"bytes_per_second", 1000}})}));
  }
  ASSERT_TRUE(run(test::move_graph({.accounts = 1})));
  EXPECT_GE(driver->kept(ir::StepKind::archive_copy), milliseconds(10'000));
  EXPECT_LT(driver->kept(ir::StepKind::archive_delta), milliseconds(10'000));
  EXPECT_EQ(count_notices("source: copying takes at most"), 1U);
}

}  // namespace
}  // namespace plan::engine
