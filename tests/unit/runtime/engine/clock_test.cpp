// Clocks that jump: how long an account is held is a matter of the machine's monotonic clock and
// its boot id, never of the time of day.
#include "tests/unit/runtime/engine/engine_fixture.h"

namespace plan::engine {
namespace {

using report::Ending;
using test::move_graph;

constexpr std::int64_t kHour = 3'600'000;

/// A clock whose time of day somebody sets.
class JumpingClock final : public net::Clock {
 public:
  Monotonic now() override { return Monotonic(std::chrono::milliseconds(up_ms)); }
  std::int64_t wall_ms() override { return 1'700'000'000'000 + up_ms + jump_ms; }
  void sleep_for(std::chrono::milliseconds duration) override { up_ms += duration.count(); }
  std::atomic<std::int64_t> up_ms{1'000'000};
  std::atomic<std::int64_t> jump_ms{0};
};

class ClockJump : public EngineTest, public ::testing::WithParamInterface<std::int64_t> {
 protected:
  Result<RunResult> run_on_jumping_clock(const ir::StepGraph& graph, report::EventSink& sink) {
    auto journal =
        open_journal(folder_.file("journal.sqlite"), {.vfs = vfs_.name(), .clock = &jumping_});
    if (!journal) return std::move(journal).error();
    return engine::run({graph, **journal, drivers_, secrets_, jumping_, sink, stop_}, options_);
  }

  /// A run that was killed while a0 was held: mail and clients wait, nothing else was done.
  void leave_one_held(const ir::StepGraph& graph) {
    auto journal =
        open_journal(folder_.file("journal.sqlite"), {.vfs = vfs_.name(), .clock = &jumping_});
    ASSERT_TRUE(journal);
    ASSERT_TRUE((*journal)->begin_run({.run_id = "r0",
                                       .plan_name = "test",
                                       .graph_digest = graph_digest(graph),
                                       .boot_id = "boot-1"},
                                      graph));
    world_.accounts[0].is_created = world_.accounts[0].is_proxy_held = true;
    ASSERT_TRUE((*journal)->write(
        {Intent{"account/a0@x/hold-clients", "a0@x", "d", "k", 1, ir::Value::map({{"on", false}})},
         HoldBegun{"a0@x", jumping_.wall_ms(), "boot-1", 20'000, false,
                   net::uptime_ms(jumping_)}}));
  }

  JumpingClock jumping_;
};

TEST_P(ClockJump, in_the_middle_of_a_hold_changes_nothing) {
  /// Somebody sets the clock as soon as an account is held.
  class AtHold final : public report::EventSink {
   public:
    AtHold(JumpingClock& clock, std::int64_t jump) : clock_(clock), jump_(jump) {}
    void on(const report::Event& event) override {
      if (std::holds_alternative<report::AccountHeld>(event.what)) clock_.jump_ms += jump_;
    }

   private:
    JumpingClock& clock_;
    const std::int64_t jump_;
  };
  AtHold sink(jumping_, GetParam());
  const auto result = run_on_jumping_clock(move_graph(), sink);
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->ending, Ending::finished) << result->message;
  EXPECT_EQ(world_.verdict(3, true), "");
}

TEST_P(ClockJump, between_a_kill_and_the_next_run_changes_nothing) {
  const ir::StepGraph graph = move_graph();
  leave_one_held(graph);
  jumping_.up_ms += 3'000;
  jumping_.jump_ms += GetParam();
  const auto result = run_on_jumping_clock(graph, events_);
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->ending, Ending::finished) << result->message;
  EXPECT_EQ(count_notices("a0@x was left held"), 0U) << "three seconds are within its bound";
  EXPECT_EQ(world_.verdict(3, true), "");
}

// The time of day agrees with a hold of a moment ago, and yet it is an hour old: that counts. The
// account goes back first; then it moves, and the hold that has ended is no measure for its next.
TEST_P(ClockJump, does_not_hide_that_a_bound_has_passed) {
  const ir::StepGraph graph = move_graph();
  leave_one_held(graph);
  jumping_.up_ms += kHour;
  jumping_.jump_ms += GetParam() - kHour;
  const auto result = run_on_jumping_clock(graph, events_);
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->ending, Ending::finished) << result->message;
  EXPECT_EQ(count_notices("a0@x was left held"), 1U);
  EXPECT_EQ(world_.verdict(3, true), "");
}

INSTANTIATE_TEST_SUITE_P(Hours, ClockJump, ::testing::Values(-kHour, -1'000, 0, kHour));

TEST_F(ClockJump, another_boot_means_that_nobody_knows) {
  const ir::StepGraph graph = move_graph();
  leave_one_held(graph);
  options_.boot_id = "boot-2";
  jumping_.up_ms = 5'000;
  const auto result = run_on_jumping_clock(graph, events_);
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->ending, Ending::finished) << result->message;
  EXPECT_EQ(count_notices("a0@x was left held"), 1U);
  EXPECT_EQ(world_.verdict(3, true), "");
}

}  // namespace
}  // namespace plan::engine
