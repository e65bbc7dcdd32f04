#include "runtime/engine/engine.h"

#include <unistd.h>

#include <algorithm>
#include <thread>

#include "tests/support/told_error.h"
#include "tests/unit/runtime/engine/engine_fixture.h"

namespace plan::engine {
namespace {

using report::Ending;
using test::move_graph;
using test::WorldFault;

TEST_F(EngineTest, moves_every_account_and_loses_and_doubles_nothing) {
  const auto result = run(move_graph());
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->ending, Ending::finished) << result->message;
  EXPECT_EQ(result->counts.waiting, 0U);
  EXPECT_EQ(result->counts.accounts_moved, 3U);
  EXPECT_EQ(world_.verdict(3, true), "");
  EXPECT_EQ(world_.finalized, 1U);
  EXPECT_EQ(count_events<report::AccountHeld>(), 3U);
  EXPECT_EQ(count_events<report::AccountReleased>(), 3U);
}

TEST_F(EngineTest, a_second_apply_does_nothing) {
  ASSERT_TRUE(run(move_graph()));
  const std::uint32_t effects = world_.effects;
  const auto again = run(move_graph());
  ASSERT_TRUE(again) << again.error().to_line();
  EXPECT_EQ(again->ending, Ending::finished);
  EXPECT_EQ(again->counts.done, 0U);
  EXPECT_EQ(world_.effects, effects);
}

TEST_F(EngineTest, poor_content_gives_the_account_back_and_the_others_move) {
  world_.has_poor_content[1] = true;
  const auto result = run(move_graph());
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->ending, Ending::failed);
  ASSERT_EQ(result->failures.size(), 1U);
  EXPECT_EQ(result->failures[0].step, "account/a1@x/grade");
  EXPECT_EQ(result->failures[0].code, "grade-refused");
  EXPECT_EQ(result->counts.accounts_failed, 1U);
  EXPECT_EQ(world_.verdict(3, false), "");
  EXPECT_FALSE(world_.accounts[1].is_at_target);
  EXPECT_TRUE(world_.accounts[0].is_at_target && world_.accounts[2].is_at_target);
  EXPECT_EQ(world_.finalized, 0U) << "what waits for all accounts must not run";
  EXPECT_EQ(state_of("account/a1@x/hold-clients"), "undone");

  world_.has_poor_content[1] = false;
  const auto again = run(move_graph());
  ASSERT_TRUE(again) << again.error().to_line();
  EXPECT_EQ(again->ending, Ending::finished) << again->message;
  EXPECT_EQ(world_.verdict(3, true), "");
}

TEST_F(EngineTest, doubts_wait_for_an_approval_of_that_account) {
  world_.has_doubts[2] = true;
  const auto result = run(move_graph());
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->ending, Ending::needs_approval) << result->message;
  EXPECT_EQ(result->approvals_needed, (std::vector<std::string>{"account:a2@x"}));
  EXPECT_FALSE(world_.accounts[2].is_at_target);
  approve("account:a2@x");
  const auto again = run(move_graph());
  ASSERT_TRUE(again) << again.error().to_line();
  EXPECT_EQ(again->ending, Ending::finished) << again->message;
  EXPECT_EQ(world_.verdict(3, true), "");
  auto journal = open();
  EXPECT_FALSE((*journal)->is_approved("account:a2@x").value()) << "an approval is for one move";
}

TEST_F(EngineTest, a_wave_that_is_held_waits_for_its_approval) {
  const ir::StepGraph graph =
      move_graph({.accounts = 3, .first_wave = 1, .is_held_for_approval = true});
  const auto result = run(graph);
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->ending, Ending::needs_approval);
  EXPECT_EQ(result->approvals_needed, (std::vector<std::string>{"wave:rest"}));
  EXPECT_TRUE(world_.accounts[0].is_at_target);
  EXPECT_FALSE(world_.accounts[1].is_created) << "nothing of the wave begins before";
  approve("wave:rest");
  const auto again = run(graph);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->ending, Ending::finished) << again->message;
  EXPECT_EQ(world_.verdict(3, true), "");
}

TEST_F(EngineTest, a_wave_stops_by_its_rule_and_nobody_stays_held) {
  world_.has_poor_content[0] = true;
  const auto result = run(move_graph({.accounts = 5, .parallel = 1, .stop_after_failed = 1}));
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->ending, Ending::stopped);
  EXPECT_NE(result->message.find("wave rest was stopped by its rule"), std::string::npos)
      << result->message;
  EXPECT_EQ(world_.verdict(5, false), "");
  EXPECT_EQ(result->counts.accounts_moved, 0U);
}

TEST_F(EngineTest, a_wave_that_bears_failures_lets_the_next_one_begin) {
  world_.has_poor_content[0] = true;
  const auto result = run(
      move_graph({.accounts = 4, .first_wave = 2, .stop_after_failed = 2, .has_barrier = true}));
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->ending, Ending::failed) << result->message;
  EXPECT_EQ(result->counts.accounts_moved, 3U);
  EXPECT_TRUE(world_.accounts[3].is_at_target);
  EXPECT_EQ(world_.finalized, 0U) << "what needs every account does not run";
  EXPECT_EQ(world_.verdict(4, false), "");
  world_.has_poor_content[0] = false;
  const auto again = run(
      move_graph({.accounts = 4, .first_wave = 2, .stop_after_failed = 2, .has_barrier = true}));
  ASSERT_TRUE(again) << again.error().to_line();
  EXPECT_EQ(again->ending, Ending::finished) << again->message;
  EXPECT_EQ(world_.verdict(4, true), "");
}

/// Everything is done at once, but a sweep looks three times, a minute apart.
class MinuteSweeps final : public step::StepDriver {
 public:
  Result<ir::Observation> observe(step::StepContext&) override { return ir::Observation{}; }
  Result<ir::Value> apply(step::StepContext& context) override {
    if (context.kind == ir::StepKind::archive_grade) return ir::Value::map({{"grade", "perfect"}});
    if (context.kind != ir::StepKind::archive_sweep)
      return ir::Value::map({{"account_id", "i"}, {"generation", 1}});
    const std::int64_t looks = context.notes.integer_or(0) + 1;
    PLAN_TRY_VOID(context.remember(looks));
    if (looks < 3) return step::not_yet(std::chrono::seconds(60), "another look");
    return ir::Value::map({{"messages", 0}});
  }
  Outcome verify(step::StepContext&) override { return {}; }
  Outcome undo(step::StepContext&) override { return {}; }
};

TEST_F(EngineTest, accounts_that_are_swept_take_no_thread_and_keep_nobody_waiting) {
  const auto driver = std::make_shared<MinuteSweeps>();
  for (const ir::StepKindInfo& info : ir::all_step_kinds()) drivers_.add(info.kind, driver);
  add_local_drivers(drivers_);
  options_.threads_max = 4;
  const std::int64_t begun = clock_.wall_ms();
  const auto result = run(move_graph({.accounts = 150, .parallel = 8}));
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->ending, Ending::finished) << result->message;
  EXPECT_EQ(result->counts.accounts_moved, 150U);
  const std::int64_t minutes = (clock_.wall_ms() - begun) / 60'000;
  EXPECT_GE(minutes, 2);
  EXPECT_LE(minutes, 4) << "four threads, two minutes each in a row, would be 75";
}

TEST_F(EngineTest, a_stop_does_not_wait_for_what_waits) {
  const auto driver = std::make_shared<MinuteSweeps>();
  for (const ir::StepKindInfo& info : ir::all_step_kinds()) drivers_.add(info.kind, driver);
  add_local_drivers(drivers_);
  class StopAtRelease final : public report::EventSink {
   public:
    explicit StopAtRelease(step::StopSignal& stop) : stop_(stop) {}
    void on(const report::Event& event) override {
      if (std::holds_alternative<report::AccountReleased>(event.what)) stop_.request();
    }

   private:
    step::StopSignal& stop_;
  };
  const ir::StepGraph graph = move_graph({.accounts = 1});
  const std::int64_t begun = clock_.wall_ms();
  {
    auto journal = open();
    StopAtRelease sink(stop_);
    const auto result =
        engine::run({graph, **journal, drivers_, secrets_, clock_, sink, stop_}, options_);
    ASSERT_TRUE(result) << result.error().to_line();
    EXPECT_EQ(result->ending, Ending::stopped) << result->message;
    EXPECT_LT(clock_.wall_ms() - begun, 60'000);
  }
  step::StopSignal calm;
  auto journal = open();
  const auto again =
      engine::run({graph, **journal, drivers_, secrets_, clock_, events_, calm}, options_);
  ASSERT_TRUE(again) << again.error().to_line();
  EXPECT_EQ(again->ending, Ending::finished) << again->message;
}

TEST_F(EngineTest, a_window_waits_for_its_moment) {
  ir::StepGraph graph;
  const std::int64_t opens = clock_.wall_ms() + 3 * 3'600'000;
  graph.add_step(graph.add_shape({ir::StepKind::window,
                                  ir::Stage::waves,
                                  ir::TransactionRole::none,
                                  "window",
                                  ir::Value::map({{"not_before_ms", opens}}),
                                  {}}),
                 ir::RowId::none, ir::WaveId::none);
  ASSERT_FALSE(graph.freeze());
  const auto result = run(graph);
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->ending, Ending::finished) << result->message;
  EXPECT_GE(clock_.wall_ms(), opens);
}

/// One switch that steps turn on.
class SwitchDriver final : public step::StepDriver {
 public:
  explicit SwitchDriver(bool& is_on) : is_on_(is_on) {}
  Result<ir::Observation> observe(step::StepContext&) override {
    ir::Observation seen;
    seen.standing = is_on_ ? ir::Standing::satisfied : ir::Standing::absent;
    seen.prior = ir::Value::map({{"was_on", is_on_}});
    return seen;
  }
  Result<ir::Value> apply(step::StepContext& context) override {
    EXPECT_EQ(context.kind, ir::StepKind::postfix_listener) << "also when it is restored";
    is_on_ = true;
    return ir::Value::map();
  }
  Outcome verify(step::StepContext&) override { return {}; }
  Outcome undo(step::StepContext& context) override {
    EXPECT_EQ(context.id, "source/listener");
    is_on_ = context.prior["was_on"].bool_or(false);
    return {};
  }

 private:
  bool& is_on_;
};

ir::StepGraph switch_graph() {
  ir::StepGraph graph;
  const auto add = [&](ir::StepKind kind, const char* id, ir::Value arguments) {
    return graph.add_step(
        graph.add_shape(
            {kind, ir::Stage::finalize, ir::TransactionRole::none, id, std::move(arguments), {}}),
        ir::RowId::none, ir::WaveId::none);
  };
  const ir::StepId on = add(ir::StepKind::postfix_listener, "source/listener", ir::Value::map());
  const ir::StepId point =
      add(ir::StepKind::mark_rollback_point, "point/before", ir::Value::map({{"point", "before"}}));
  const ir::StepId off = add(ir::StepKind::restore, "finalize/listener",
                             ir::Value::map({{"step", "source/listener"}}));
  graph.add_edge(on, point);
  graph.add_edge(point, off);
  EXPECT_FALSE(graph.freeze());
  return graph;
}

TEST_F(EngineTest, restore_takes_back_what_an_earlier_step_did_and_its_undo_makes_it_again) {
  bool is_on = false;
  drivers_.add(ir::StepKind::postfix_listener, std::make_shared<SwitchDriver>(is_on));
  const auto result = run(switch_graph());
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->ending, Ending::finished) << result->message;
  EXPECT_FALSE(is_on);
  EXPECT_EQ(state_of("finalize/listener"), "done");
  const auto undone = back(switch_graph(), ToPoint{"before"});
  ASSERT_TRUE(undone) << undone.error().to_line();
  EXPECT_TRUE(is_on);
}

TEST_F(EngineTest, restore_leaves_alone_what_was_there_before_plan) {
  bool is_on = true;
  drivers_.add(ir::StepKind::postfix_listener, std::make_shared<SwitchDriver>(is_on));
  const auto result = run(switch_graph());
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->ending, Ending::finished) << result->message;
  EXPECT_TRUE(is_on);
}

TEST_F(EngineTest, restore_of_no_step_is_said_so) {
  ir::StepGraph graph;
  graph.add_step(graph.add_shape({ir::StepKind::restore,
                                  ir::Stage::finalize,
                                  ir::TransactionRole::none,
                                  "finalize/x",
                                  ir::Value::map({{"step", "nowhere"}}),
                                  {}}),
                 ir::RowId::none, ir::WaveId::none);
  ASSERT_FALSE(graph.freeze());
  const auto result = run(graph);
  ASSERT_TRUE(result);
  ASSERT_EQ(result->failures.size(), 1U);
  EXPECT_EQ(result->failures[0].code, "argument-missing");
}

TEST_F(EngineTest, a_stop_request_finishes_the_held_accounts_and_begins_nothing_new) {
  /// Asks to stop as soon as the first account is held.
  class StopAtHold final : public report::EventSink {
   public:
    StopAtHold(step::StopSignal& stop, report::EventSink& next) : stop_(stop), next_(next) {}
    void on(const report::Event& event) override {
      if (std::holds_alternative<report::AccountHeld>(event.what)) stop_.request();
      next_.on(event);
    }

   private:
    step::StopSignal& stop_;
    report::EventSink& next_;
  };
  const ir::StepGraph graph = move_graph({.accounts = 4, .parallel = 1});
  {
    auto journal = open();
    StopAtHold sink(stop_, events_);
    const auto result =
        engine::run({graph, **journal, drivers_, secrets_, clock_, sink, stop_}, options_);
    ASSERT_TRUE(result) << result.error().to_line();
    EXPECT_EQ(result->ending, Ending::stopped) << result->message;
    EXPECT_EQ(result->counts.accounts_moved, 1U);
  }
  EXPECT_TRUE(world_.accounts[0].is_at_target) << "a held account is finished";
  EXPECT_FALSE(world_.accounts[1].is_proxy_held);
  EXPECT_EQ(count_notices("stopping: "), 1U) << "who asks is told that it was heard";
  step::StopSignal go;
  auto journal = open();
  const auto again =
      engine::run({graph, **journal, drivers_, secrets_, clock_, events_, go}, options_);
  ASSERT_TRUE(again) << again.error().to_line();
  EXPECT_EQ(again->ending, Ending::finished);
  EXPECT_EQ(world_.verdict(4, true), "");
  std::uint64_t moved_before = 0;
  for (const report::Event& event : events_.events()) {
    if (const auto* started = std::get_if<report::RunStarted>(&event.what))
      moved_before = started->accounts_moved_before;
  }
  EXPECT_EQ(moved_before, 1U) << "the second run goes on counting";
}

TEST_F(EngineTest, a_journal_that_is_taken_away_ends_the_run_with_nobody_held) {
  /// Takes the journal away as soon as the first account is held.
  class Vandal final : public report::EventSink {
   public:
    Vandal(std::string file, report::EventSink& next) : file_(std::move(file)), next_(next) {}
    void on(const report::Event& event) override {
      if (std::holds_alternative<report::AccountHeld>(event.what)) unlink(file_.c_str());
      next_.on(event);
    }

   private:
    std::string file_;
    report::EventSink& next_;
  };
  const ir::StepGraph graph = move_graph({.accounts = 4, .parallel = 1});
  auto journal = open();
  Vandal sink(folder_.file("journal.sqlite"), events_);
  const auto result =
      engine::run({graph, **journal, drivers_, secrets_, clock_, sink, stop_}, options_);
  ASSERT_FALSE(result);
  EXPECT_TRUE(result.error().is(errors::journal_missing)) << result.error().to_line();
  EXPECT_NE(result.error().message().find("journal.sqlite"), std::string::npos);
  EXPECT_TRUE(world_.accounts[0].is_at_target) << "a held account is finished";
  EXPECT_FALSE(world_.accounts[1].is_proxy_held) << "and no other is begun";
  EXPECT_FALSE(world_.accounts[1].is_at_target);
  EXPECT_EQ(world_.violations, 0U) << world_.first_violation.data();
}

TEST_F(EngineTest, a_copy_that_runs_stops_when_the_journal_is_taken_away) {
  /// A copy without end: it stops when it is told to.
  class LongCopy final : public step::StepDriver {
   public:
    LongCopy(std::string journal, step::StepDriver& world)
        : journal_(std::move(journal)), world_(world) {}
    Result<ir::Observation> observe(step::StepContext& context) override {
      return world_.observe(context);
    }
    Result<ir::Value> apply(step::StepContext& context) override {
      unlink(journal_.c_str());
      constexpr int kLooksMax = 60'000;  // a minute and more, then the test has failed
      for (int look = 0; look < kLooksMax && !context.stop.is_requested(); ++look)
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      was_told = context.stop.is_requested();
      return Error(step::errors::stopped, "stopped between two messages").with_retry(Retry::safe);
    }
    Outcome verify(step::StepContext& context) override { return world_.verify(context); }
    Outcome undo(step::StepContext& context) override { return world_.undo(context); }
    bool was_told = false;

   private:
    std::string journal_;
    step::StepDriver& world_;
  };
  test::WorldDriver rest(world_);
  const auto copy = std::make_shared<LongCopy>(folder_.file("journal.sqlite"), rest);
  drivers_.add(ir::StepKind::archive_copy, copy);
  const auto result = run(move_graph({.accounts = 1, .parallel = 1}));
  ASSERT_FALSE(result);
  EXPECT_TRUE(result.error().is(errors::journal_missing)) << result.error().to_line();
  EXPECT_TRUE(copy->was_told);
  EXPECT_FALSE(stop_.is_requested()) << "nobody asked";
  EXPECT_FALSE(world_.accounts[0].is_at_target);
  EXPECT_EQ(world_.violations, 0U) << world_.first_violation.data();
}

TEST_F(EngineTest, a_pause_outlives_the_process_that_it_was_asked_of) {
  /// Stops a run that says it is paused; it would wait for ever.
  class StopWhenPaused final : public report::EventSink {
   public:
    StopWhenPaused(step::StopSignal& stop, report::EventSink& next) : stop_(stop), next_(next) {}
    void on(const report::Event& event) override {
      next_.on(event);
      const auto* notice = std::get_if<report::Notice>(&event.what);
      if (notice != nullptr && notice->text.starts_with("paused earlier")) stop_.request();
    }

   private:
    step::StopSignal& stop_;
    report::EventSink& next_;
  };
  const auto ask = [&](RequestKind kind) { ASSERT_TRUE((*open())->add_request({.kind = kind})); };
  ask(RequestKind::pause);
  const ir::StepGraph graph = move_graph();
  {
    auto journal = open();
    StopWhenPaused sink(stop_, events_);
    const auto result =
        engine::run({graph, **journal, drivers_, secrets_, clock_, sink, stop_}, options_);
    ASSERT_TRUE(result) << result.error().to_line();
    EXPECT_EQ(result->ending, Ending::stopped) << result->message;
    EXPECT_EQ(result->counts.done, 0U) << "nothing begins while it is paused";
  }
  ask(RequestKind::resume);
  step::StopSignal go;
  auto journal = open();
  const auto again =
      engine::run({graph, **journal, drivers_, secrets_, clock_, events_, go}, options_);
  ASSERT_TRUE(again) << again.error().to_line();
  EXPECT_EQ(again->ending, Ending::finished) << again->message;
  EXPECT_EQ(count_notices("paused earlier"), 1U);
}

TEST_F(EngineTest, an_edited_plan_keeps_what_was_done_and_redoes_what_changed) {
  world_.has_poor_content[0] = true;
  ASSERT_TRUE(run(move_graph()));
  world_.has_poor_content[0] = false;
  const std::uint32_t before = world_.effects;
  const auto result = run(move_graph({.domain_note = "v2"}));
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->ending, Ending::finished);
  EXPECT_EQ(world_.verdict(3, true), "");
  // The domain again, the rollback point not, the failed account's move from its hold on, finalize.
  EXPECT_EQ(world_.effects - before, 1U + 13U + 1U);
}

TEST_F(EngineTest, an_account_that_has_moved_stays_as_it_is_whatever_the_plan_says_now) {
  ASSERT_TRUE(run(move_graph()));
  const std::uint32_t before = world_.effects;
  const auto result = run(move_graph({.copy_note = "v2"}));
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->ending, Ending::finished) << result->message;
  EXPECT_EQ(world_.effects, before);
  EXPECT_GE(count_events<report::Notice>(), 1U);
}

TEST_F(EngineTest, a_step_that_was_so_already_is_recorded_as_such_and_not_undone) {
  world_.accounts[1].is_denied = true;
  world_.has_poor_content[1] = true;
  ASSERT_TRUE(run(move_graph()));
  EXPECT_TRUE(world_.accounts[1].is_denied)
      << "plan did not close that door, so it does not open it";
}

TEST_F(EngineTest, two_runs_at_once_are_refused) {
  auto other = open();
  ASSERT_TRUE((*other)->lock_for_run());
  const auto refused = run(move_graph());
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(errors::run_in_progress)) << refused.error().to_line();
  EXPECT_EQ(world_.effects, 0U);
}

TEST_F(EngineTest, a_saved_plan_is_used_once_and_may_resume_its_own_run) {
  options_.saved_plan_digest = "d1";
  world_.has_poor_content[0] = true;
  ASSERT_EQ(run(move_graph())->ending, Ending::failed);
  world_.has_poor_content[0] = false;
  const auto resumed = run(move_graph());
  ASSERT_TRUE(resumed) << resumed.error().to_line();
  EXPECT_EQ(resumed->ending, Ending::finished);
  const auto refused = run(move_graph());
  ASSERT_FALSE(refused);
  EXPECT_TRUE(test::told_as("plan-already-used", refused.error(), {{resumed->run_id, "<run>"}}));
}

TEST_F(EngineTest, a_wave_begins_only_when_the_one_before_is_over) {
  ASSERT_TRUE(run(move_graph({.accounts = 4, .parallel = 4, .first_wave = 2})));
  std::vector<std::string> seen;
  for (const report::Event& event : events_.events()) {
    if (const auto* begun = std::get_if<report::WaveStarted>(&event.what))
      seen.push_back("+" + begun->wave);
    if (const auto* ended = std::get_if<report::WaveEnded>(&event.what))
      seen.push_back("-" + ended->wave);
  }
  EXPECT_EQ(seen, (std::vector<std::string>{"+canary", "-canary", "+rest", "-rest"}));
}

TEST_F(EngineTest, a_plan_edited_while_an_account_is_held_is_refused_until_it_is_not) {
  const ir::StepGraph before = move_graph();
  {
    auto journal = open();
    ASSERT_TRUE((*journal)->begin_run({.run_id = "r0",
                                       .plan_name = "test",
                                       .graph_digest = graph_digest(before),
                                       .boot_id = "boot-1"},
                                      before));
    world_.accounts[0].is_created = world_.accounts[0].is_proxy_held = true;
    ASSERT_TRUE((*journal)->write(
        {Intent{"account/a0@x/hold-clients", "a0@x", "d", "k", 1, ir::Value::map({{"on", false}})},
         HoldBegun{"a0@x", clock_.wall_ms(), "boot-1", 20'000, false}}));
  }
  const auto refused = run(move_graph({.copy_note = "v2"}));
  ASSERT_FALSE(refused);
  EXPECT_TRUE(test::told_as("plan-changed-while-held", refused.error()));
  const auto smaller = run(move_graph({.accounts = 0}));
  ASSERT_FALSE(smaller) << "nor may the account be left out";
  EXPECT_TRUE(smaller.error().is(errors::plan_changed_while_held));
  const auto result = run(before);
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->ending, Ending::finished) << result->message;
  EXPECT_EQ(world_.verdict(3, true), "");
}

TEST_F(EngineTest, an_account_held_beyond_its_bound_goes_back) {
  /// Time passes as soon as the first account is held.
  class LateAtHold final : public report::EventSink {
   public:
    explicit LateAtHold(StillClock& clock) : clock_(clock) {}
    void on(const report::Event& event) override {
      if (!std::holds_alternative<report::AccountHeld>(event.what) || is_late_) return;
      is_late_ = true;
      clock_.advance(std::chrono::seconds(21));
    }

   private:
    StillClock& clock_;
    bool is_late_ = false;
  };
  LateAtHold late(clock_);
  const ir::StepGraph graph = move_graph({.accounts = 2, .parallel = 1});
  {
    auto journal = open();
    const auto result =
        engine::run({graph, **journal, drivers_, secrets_, clock_, late, stop_}, options_);
    ASSERT_TRUE(result) << result.error().to_line();
    EXPECT_EQ(result->ending, Ending::failed);
    ASSERT_EQ(result->failures.size(), 1U);
    EXPECT_EQ(result->failures[0].code, "held-too-long");
  }
  EXPECT_EQ(world_.verdict(2, false), "");
  EXPECT_FALSE(world_.accounts[0].is_at_target);
  EXPECT_TRUE(world_.accounts[1].is_at_target);
}

TEST_F(EngineTest, what_fails_in_a_hold_that_has_outlived_its_bound_fails_for_that) {
  /// Takes longer than an account may be held; by then the proxies have given it back.
  class SlowDeny final : public step::StepDriver {
   public:
    explicit SlowDeny(StillClock& clock) : clock_(clock) {}
    Result<ir::Observation> observe(step::StepContext&) override {
      return ir::Observation{.standing = ir::Standing::absent};
    }
    Result<ir::Value> apply(step::StepContext&) override {
      clock_.advance(std::chrono::seconds(21));
      return Error(step::errors::not_as_wanted, "the user still gets in");
    }
    Outcome verify(step::StepContext&) override { return {}; }
    Outcome undo(step::StepContext&) override { return {}; }

   private:
    StillClock& clock_;
  };
  drivers_.add(ir::StepKind::dovecot_deny, std::make_shared<SlowDeny>(clock_));
  const auto result = run(move_graph({.accounts = 1, .parallel = 1}));
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->ending, Ending::failed);
  ASSERT_EQ(result->failures.size(), 1U);
  EXPECT_EQ(result->failures[0].code, "held-too-long");
  EXPECT_NE(result->failures[0].message.find("the bound is 20.0 s"), std::string::npos)
      << result->failures[0].message;
  EXPECT_NE(result->failures[0].message.find("the user still gets in"), std::string::npos)
      << result->failures[0].message;
  EXPECT_FALSE(world_.accounts[0].is_at_target);
}

// --- what goes wrong, at every effect ---

class FaultAtEveryEffect : public EngineTest,
                           public ::testing::WithParamInterface<WorldFault::Kind> {};

TEST_P(FaultAtEveryEffect, ends_with_every_message_once) {
  const ir::StepGraph graph = move_graph();
  for (std::uint32_t at = 1; at <= 45; ++at) {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      std::filesystem::remove_all(entry.path(), ignored);
    }
    std::destroy_at(&world_);
    std::construct_at(&world_);
    world_.fault = {GetParam(), at};
    const auto result = run(graph);
    ASSERT_TRUE(result) << at << ": " << result.error().to_line();
    EXPECT_EQ(world_.verdict(3, false), "") << "fault at effect " << at;
    if (result->ending != Ending::finished) {
      const auto again = run(graph);
      ASSERT_TRUE(again) << again.error().to_line();
      EXPECT_EQ(again->ending, Ending::finished)
          << "fault at effect " << at << ": " << again->message;
    }
    EXPECT_EQ(world_.verdict(3, true), "") << "fault at effect " << at;
  }
}

INSTANTIATE_TEST_SUITE_P(Faults, FaultAtEveryEffect,
                         ::testing::Values(WorldFault::Kind::lost_reply,
                                           WorldFault::Kind::lost_request,
                                           WorldFault::Kind::refused_safe,
                                           WorldFault::Kind::refused_never,
                                           WorldFault::Kind::doubled_call));

// --- what people see ---

TEST_F(EngineTest, status_tells_where_every_account_stands) {
  world_.has_poor_content[1] = true;
  ASSERT_TRUE(run(move_graph()));
  auto journal = open();
  const auto record = run_record(**journal, true);
  ASSERT_TRUE(record) << record.error().to_line();
  EXPECT_EQ(record->state, "failed");
  ASSERT_EQ(record->accounts.size(), 3U);
  EXPECT_EQ(record->accounts[0].state, "moved");
  EXPECT_EQ(record->accounts[0].grade, "perfect");
  EXPECT_TRUE(record->accounts[0].held_ms);
  EXPECT_EQ(record->accounts[1].attempts, 1U);
  EXPECT_EQ(record->waves[0].moved, 2U);
  EXPECT_FALSE(record->timeline.empty());
  const auto moments = trace(**journal, "a1@x");
  ASSERT_TRUE(moments);
  EXPECT_EQ(moments->back().what, "given-back");
}

}  // namespace
}  // namespace plan::engine
