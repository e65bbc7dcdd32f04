// `plan rollback`: what goes back, in which order, what bars it, and what people are told of it.
#include "tests/support/told_error.h"
#include "tests/unit/runtime/engine/engine_fixture.h"

namespace plan::engine {
namespace {

using report::Ending;
using test::move_graph;

class RollbackTest : public EngineTest {};

TEST_F(RollbackTest, an_account_rolled_back_is_at_the_source_and_moves_again) {
  world_.has_poor_content[2] = true;  // so that finalize has not run
  ASSERT_TRUE(run(move_graph()));
  const auto result = back(move_graph(), OfAccount{"a0@x"});
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->ending, Ending::finished) << result->message;
  EXPECT_EQ(world_.verdict(3, false), "");
  EXPECT_FALSE(world_.accounts[0].is_at_target);
  EXPECT_TRUE(world_.accounts[1].is_at_target);
  EXPECT_EQ(state_of("account/a0@x/create"), "done") << "what was before the hold is kept";
  world_.has_poor_content[2] = false;
  const auto again = run(move_graph());
  ASSERT_TRUE(again) << again.error().to_line();
  EXPECT_EQ(again->ending, Ending::finished) << again->message;
  EXPECT_EQ(world_.verdict(3, true), "");
}

TEST_F(RollbackTest, a_wave_rolled_back_leaves_the_other_wave_where_it_is) {
  world_.has_poor_content[3] = true;
  const ir::StepGraph graph = move_graph({.accounts = 4, .first_wave = 2});
  ASSERT_TRUE(run(graph));
  const auto result = back(graph, OfWave{"canary"});
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->ending, Ending::finished) << result->message;
  EXPECT_EQ(world_.verdict(4, false), "");
  EXPECT_FALSE(world_.accounts[0].is_at_target || world_.accounts[1].is_at_target);
  EXPECT_TRUE(world_.accounts[2].is_at_target);
}

TEST_F(RollbackTest, a_rollback_to_a_point_takes_everything_after_it_back) {
  ASSERT_TRUE(run(move_graph()));
  const auto result = back(move_graph(), ToPoint{"before-waves"});
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->ending, Ending::finished) << result->message;
  EXPECT_EQ(world_.verdict(3, false), "");
  for (std::size_t i = 0; i < 3; ++i) EXPECT_FALSE(world_.accounts[i].is_created);
  EXPECT_EQ(state_of("domain/x"), "done") << "before the point";
  EXPECT_EQ(state_of("point/before-waves"), "done");
}

TEST_F(RollbackTest, who_moved_before_a_point_stays_also_when_its_sweep_ended_behind_it) {
  /// Looks twice, a minute apart, as sweeps do: by then the next wave has begun.
  class LateSweep final : public step::StepDriver {
   public:
    explicit LateSweep(test::World& world) : driver(world) {}
    Result<ir::Observation> observe(step::StepContext& context) override {
      return driver.observe(context);
    }
    Result<ir::Value> apply(step::StepContext& context) override {
      if (context.notes.is_null()) {
        PLAN_TRY_VOID(context.remember(1));
        return step::not_yet(std::chrono::seconds(60), "another look");
      }
      return driver.apply(context);
    }
    Outcome verify(step::StepContext& context) override { return driver.verify(context); }
    Outcome undo(step::StepContext& context) override { return driver.undo(context); }
    test::WorldDriver driver;
  };
  drivers_.add(ir::StepKind::archive_sweep, std::make_shared<LateSweep>(world_));
  const auto graph = move_graph({.accounts = 4, .first_wave = 2, .has_barrier = true});
  world_.has_poor_content[3] = true;  // so that finalize has not run
  ASSERT_EQ(run(graph)->ending, Ending::failed);
  ASSERT_EQ(state_of("account/a0@x/sweep"), "done");
  ASSERT_EQ(back(graph, ToPoint{"wave-rest"})->ending, Ending::finished);
  EXPECT_TRUE(world_.accounts[0].is_at_target && world_.accounts[1].is_at_target);
  EXPECT_FALSE(world_.accounts[2].is_created || world_.accounts[3].is_created);
  EXPECT_EQ(world_.verdict(4, false), "");
}

TEST_F(RollbackTest, behind_a_rollback_to_before_the_accounts_were_created_all_is_made_anew) {
  const auto graph = move_graph({.accounts = 4, .first_wave = 2, .has_barrier = true});
  world_.has_poor_content[3] = true;  // so that finalize has not run
  ASSERT_EQ(run(graph)->ending, Ending::failed);
  // First only over the second wave, then over everything.
  ASSERT_EQ(back(graph, ToPoint{"wave-rest"})->ending, Ending::finished);
  EXPECT_TRUE(world_.accounts[0].is_at_target && world_.accounts[1].is_at_target);
  EXPECT_FALSE(world_.accounts[2].is_created || world_.accounts[3].is_created);
  ASSERT_EQ(back(graph, ToPoint{"before-waves"})->ending, Ending::finished);
  EXPECT_EQ(world_.verdict(4, false), "");
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_FALSE(world_.accounts[i].is_created) << i;
    EXPECT_EQ(state_of("account/a" + std::to_string(i) + "@x/copy"), "undone") << i;
  }
  world_.has_poor_content[3] = false;
  const auto again = run(graph);
  ASSERT_TRUE(again) << again.error().to_line();
  EXPECT_EQ(again->ending, Ending::finished) << again->message;
  EXPECT_EQ(world_.verdict(4, true), "");
}

TEST_F(RollbackTest,
       a_point_that_can_no_longer_be_reached_is_refused_with_the_step_that_barred_it) {
  const auto graph = move_graph({.has_last_stage = true, .has_point_before_finalize = true});
  ASSERT_EQ(run(graph)->ending, Ending::finished);
  const std::uint32_t before = world_.effects;
  for (const char* point : {"before-waves", "before-finalize"}) {
    const auto refused = back(graph, ToPoint{point});
    ASSERT_FALSE(refused);
    EXPECT_TRUE(refused.error().is(errors::undo_barred)) << refused.error().to_line();
    const std::string& message = refused.error().message();
    EXPECT_NE(message.find(std::string("`") + point + "`"), std::string::npos) << message;
    EXPECT_NE(message.find("`finalize/address` (address.finalize)"), std::string::npos) << message;
  }
  EXPECT_EQ(world_.effects, before) << "nothing was undone";
  EXPECT_EQ(world_.verdict(3, true), "");
  auto journal = open();
  const auto planned = plan_rollback(**journal, graph, ToPoint{"before-waves"});
  ASSERT_TRUE(planned);
  ASSERT_EQ(planned->barred.size(), 1U);
  EXPECT_EQ(planned->barred.front().step, "finalize/address");
}

TEST_F(RollbackTest, after_finalize_an_account_is_not_rolled_back_alone) {
  ASSERT_TRUE(run(move_graph()));
  const std::uint32_t before = world_.effects;
  const auto refused = back(move_graph(), OfAccount{"a0@x"});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(test::told_as("undo-barred", refused.error()));
  EXPECT_EQ(world_.effects, before);
}

TEST_F(RollbackTest, a_point_that_was_not_reached_is_said_so) {
  ASSERT_TRUE(run(move_graph()));
  const auto refused = back(move_graph(), ToPoint{"nowhere"});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(test::told_as("point-unknown", refused.error()));
}

TEST_F(RollbackTest, an_account_that_is_at_the_source_has_nothing_to_go_back_from) {
  const ir::StepGraph graph = move_graph({.is_finalize_approved = true});
  ASSERT_TRUE(run(graph));
  ASSERT_TRUE(back(graph, OfAccount{"a0@x"}));
  const std::uint32_t before = world_.effects;
  const auto refused = back(graph, OfAccount{"a0@x"});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(test::told_as("nothing-to-roll-back", refused.error()));
  EXPECT_EQ(world_.effects, before);
}

TEST_F(RollbackTest, what_follows_a_point_waits_for_an_account_that_went_back_over_it) {
  const auto graph = move_graph({.has_point_before_finalize = true});
  ASSERT_EQ(run(graph)->ending, Ending::finished);
  ASSERT_EQ(back(graph, ToPoint{"before-finalize"})->ending, Ending::finished);
  ASSERT_EQ(back(graph, OfAccount{"a1@x"})->ending, Ending::finished);
  world_.has_poor_content[1] = true;
  EXPECT_NE(run(graph)->ending, Ending::finished);
  EXPECT_EQ(world_.finalized, 1U) << "an account is at the source: nothing is finalized";
  world_.has_poor_content[1] = false;
  ASSERT_EQ(run(graph)->ending, Ending::finished);
  EXPECT_EQ(world_.finalized, 2U);
  EXPECT_EQ(world_.verdict(3, true), "");
}

TEST_F(RollbackTest, a_barred_rollback_names_the_step_that_bars_it) {
  ASSERT_EQ(run(move_graph())->ending, Ending::finished);
  const auto refused = back(move_graph(), OfAccount{"a1@x"});
  ASSERT_FALSE(refused);
  EXPECT_TRUE(refused.error().is(errors::undo_barred));
  EXPECT_NE(refused.error().message().find("`finalize`"), std::string::npos);
  EXPECT_TRUE(world_.accounts[1].is_at_target);
}

TEST_F(RollbackTest, what_the_way_back_would_carry_is_seen_before_and_one_that_cannot_stays) {
  struct Carrier final : step::StepDriver {
    explicit Carrier(std::shared_ptr<step::StepDriver> under) : driver(std::move(under)) {}
    Result<ir::Observation> observe(step::StepContext& context) override {
      PLAN_TRY(seen, driver->observe(context));
      if (!context.is_rollback) return std::move(seen);
      if (is_source_away) return Error(test::kWorldError, "the source is away");
      seen.remark = "to be carried back: 1 message";
      seen.messages = 1;
      seen.bytes = 70;
      seen.hold_ms = 400;
      seen.hold_basis = "two passes";
      return std::move(seen);
    }
    Result<ir::Value> apply(step::StepContext& context) override { return driver->apply(context); }
    Outcome verify(step::StepContext& context) override { return driver->verify(context); }
    Outcome before_undo(step::StepContext& context) override {
      if (context.account == "a1@x") return Error(test::kWorldError, "over quota");
      if (context.say) context.say("prepared");
      return {};
    }
    Outcome undo(step::StepContext& context) override { return driver->undo(context); }
    std::shared_ptr<step::StepDriver> driver;
    bool is_source_away = false;
  };
  const auto carrier = std::make_shared<Carrier>(std::make_shared<test::WorldDriver>(world_));
  drivers_.add(ir::StepKind::archive_delta, carrier);
  const auto graph = move_graph({.has_point_before_finalize = true});
  world_.has_poor_content[2] = true;  // nothing is finalized
  ASSERT_EQ(run(graph)->ending, Ending::failed);
  {
    auto journal = open();
    const auto looks =
        look_before_rollback(parts(graph, **journal), options_, OfWave{"rest"}, 10, 5);
    ASSERT_TRUE(looks) << looks.error().to_line();
    ASSERT_EQ(looks->size(), 2U);
    const RollbackLook& look = looks->front();
    EXPECT_EQ(look.text, "to be carried back: 1 message");
    EXPECT_FALSE(look.is_refused);
    EXPECT_EQ(look.messages, 1U);
    EXPECT_EQ(look.bytes, 70U);
    const auto delta = std::find_if(look.hold.begin(), look.hold.end(), [](const auto& share) {
      return share.step.ends_with("/delta");
    });
    ASSERT_NE(delta, look.hold.end());
    EXPECT_EQ(delta->ms, 410U) << "what the driver says, and two records";
    EXPECT_EQ(delta->basis, "two passes; 2 writes to the journal of 5.0 ms");
    std::uint64_t sum = 0;
    for (const auto& share : look.hold) sum += share.ms;
    ASSERT_TRUE(look.hold_ms);
    EXPECT_GE(*look.hold_ms, sum) << "and the records of what has nothing to undo";
    EXPECT_GT(look.hold.size(), 2U);
    carrier->is_source_away = true;
    const auto away = look_before_rollback(parts(graph, **journal), options_, OfWave{"rest"}, 1, 5);
    ASSERT_TRUE(away) << away.error().to_line();
    ASSERT_EQ(away->size(), 1U);
    EXPECT_TRUE(away->front().is_refused);
    EXPECT_FALSE(away->front().hold_ms) << "what could not be looked at is not predicted";
    carrier->is_source_away = false;
  }
  const auto refused = back(graph, OfAccount{"a1@x"});
  ASSERT_TRUE(refused) << refused.error().to_line();
  EXPECT_EQ(refused->ending, Ending::failed);
  EXPECT_TRUE(refused->accounts_held.empty());
  EXPECT_TRUE(world_.accounts[1].is_at_target) << "it was never held";
  EXPECT_EQ(count_events<report::Notice>(), 0U);
  const auto other = back(graph, OfAccount{"a0@x"});
  ASSERT_EQ(other->ending, Ending::finished);
  EXPECT_FALSE(world_.accounts[0].is_at_target);
  EXPECT_EQ(count_events<report::Notice>(), 1U);
}

TEST_F(RollbackTest, an_account_that_went_back_has_no_grade_until_it_is_graded_again) {
  const auto graph = move_graph();
  world_.has_poor_content[2] = true;  // nothing is finalized
  ASSERT_EQ(run(graph)->ending, Ending::failed);
  const auto grade_of = [this](std::size_t account) {
    auto journal = open();
    auto record = run_record(**journal);
    EXPECT_TRUE(record) << (record ? "" : record.error().to_line());
    return record ? record->accounts.at(account).grade : std::string("no record");
  };
  ASSERT_EQ(grade_of(0), "perfect");
  ASSERT_EQ(back(graph, OfAccount{"a0@x"})->ending, Ending::finished);
  EXPECT_EQ(grade_of(0), "") << "that was the grade of another move";
  EXPECT_EQ(grade_of(2), "poor") << "it is why that one did not move";
  const auto again = run(graph);
  ASSERT_TRUE(again) << again.error().to_line();
  EXPECT_EQ(grade_of(0), "perfect");
}

TEST_F(RollbackTest, a_stop_before_an_account_is_held_is_no_failure_of_it) {
  /// Somebody presses Ctrl-C while what came at the target is carried back.
  struct Stopped final : step::StepDriver {
    Stopped(std::shared_ptr<step::StepDriver> under, step::StopSignal& stop)
        : driver(std::move(under)), stop_(stop) {}
    Result<ir::Observation> observe(step::StepContext& context) override {
      return driver->observe(context);
    }
    Result<ir::Value> apply(step::StepContext& context) override { return driver->apply(context); }
    Outcome verify(step::StepContext& context) override { return driver->verify(context); }
    Outcome before_undo(step::StepContext& context) override {
      if (context.account != "a1@x" || stop_.is_requested()) return {};
      stop_.request();
      return Error(step::errors::stopped, "between two messages").with_retry(Retry::safe);
    }
    Outcome undo(step::StepContext& context) override { return driver->undo(context); }
    std::shared_ptr<step::StepDriver> driver;
    step::StopSignal& stop_;
  };
  drivers_.add(ir::StepKind::archive_delta,
               std::make_shared<Stopped>(std::make_shared<test::WorldDriver>(world_), stop_));
  const auto graph = move_graph({.accounts = 3, .parallel = 1, .has_point_before_finalize = true});
  world_.has_poor_content[2] = true;  // nothing is finalized
  ASSERT_EQ(run(graph)->ending, Ending::failed);
  const auto stopped = back(graph, OfWave{"rest"});
  ASSERT_TRUE(stopped) << stopped.error().to_line();
  EXPECT_EQ(stopped->ending, Ending::stopped) << stopped->message;
  EXPECT_TRUE(stopped->failures.empty());
  EXPECT_TRUE(stopped->accounts_held.empty());
  EXPECT_TRUE(world_.accounts[1].is_at_target) << "it was never held";
  step::StopSignal go;
  auto journal = open();
  const auto again = roll_back({graph, **journal, drivers_, secrets_, clock_, events_, go},
                               options_, OfWave{"rest"});
  ASSERT_TRUE(again) << again.error().to_line();
  EXPECT_EQ(again->ending, Ending::finished) << again->message;
  EXPECT_FALSE(world_.accounts[0].is_at_target);
  EXPECT_FALSE(world_.accounts[1].is_at_target);
}

TEST_F(RollbackTest, the_rollback_plan_names_the_steps_newest_first) {
  world_.has_poor_content[2] = true;
  ASSERT_TRUE(run(move_graph()));
  auto journal = open();
  const auto plan = plan_rollback(**journal, move_graph(), OfAccount{"a1@x"});
  ASSERT_TRUE(plan) << plan.error().to_line();
  ASSERT_EQ(plan->steps.size(), 13U);
  EXPECT_EQ(plan->steps.front().step, "account/a1@x/sweep");
  EXPECT_EQ(plan->steps.back().step, "account/a1@x/hold-mail");
  EXPECT_TRUE(plan->barred.empty());
}

TEST_F(RollbackTest,
       the_record_says_when_an_account_was_held_what_was_carried_and_where_it_comes_from) {
  struct Carrier final : step::StepDriver {
    explicit Carrier(test::World& world) : driver(world) {}
    Result<ir::Observation> observe(step::StepContext& context) override {
      return driver.observe(context);
    }
    Result<ir::Value> apply(step::StepContext& context) override {
      PLAN_TRY(outputs, driver.apply(context));
      outputs.set("messages", 3);
      return std::move(outputs);
    }
    Outcome verify(step::StepContext& context) override { return driver.verify(context); }
    Outcome undo(step::StepContext& context) override {
      context.say("79 messages went back");
      return driver.undo(context);
    }
    test::WorldDriver driver;
  };
  drivers_.add(ir::StepKind::archive_delta, std::make_shared<Carrier>(world_));
  std::uint32_t asked = 0;
  options_.place = [&](Span) { return "migration.yaml:" + std::to_string(++asked) + ":1"; };
  const auto graph = move_graph({.has_point_before_finalize = true});
  world_.has_poor_content[2] = true;  // nothing is finalized
  ASSERT_EQ(run(graph)->ending, Ending::failed);
  ASSERT_EQ(back(graph, OfAccount{"a0@x"})->ending, Ending::finished);
  auto journal = open();
  const auto record = run_record(**journal, true);
  ASSERT_TRUE(record) << record.error().to_line();
  const report::AccountRecord& account = record->accounts[0];
  EXPECT_EQ(account.state, "rolled-back");
  ASSERT_EQ(account.holds.size(), 2U);
  EXPECT_TRUE(account.holds[0].is_committed);
  EXPECT_FALSE(account.holds[0].is_way_back);
  EXPECT_EQ(account.holds[0].carried, "3 messages");
  EXPECT_FALSE(account.holds[1].is_committed);
  EXPECT_TRUE(account.holds[1].is_way_back);
  EXPECT_EQ(account.holds[1].carried, "79 messages went back");
  EXPECT_TRUE(account.holds[1].ended_ms);
  // Without the time line the history is not read.
  EXPECT_EQ(run_record(**journal)->accounts[0].holds[0].carried, "");

  const auto moments = trace(**journal, "a0@x");
  ASSERT_TRUE(moments);
  std::size_t steps = 0;
  for (const report::MomentRecord& moment : *moments) {
    if (moment.step.empty()) continue;
    ++steps;
    const auto shape =
        static_cast<std::size_t>(&graph.shape(*graph.find(moment.step)) - graph.shapes().data());
    EXPECT_EQ(moment.procedure, "migration.yaml:" + std::to_string(shape + 1) + ":1")
        << moment.step;
    const auto row = static_cast<std::size_t>(graph.row(*graph.find(moment.step)));
    EXPECT_EQ(moment.place, "migration.yaml:" + std::to_string(graph.shapes().size() + row) + ":1")
        << moment.step;
  }
  EXPECT_GT(steps, 20U);
  // The plan is edited: what was done keeps the place it had.
  options_.place = [](Span) { return std::string("elsewhere:1:1"); };
  world_.has_poor_content[2] = false;
  ASSERT_TRUE(run(move_graph({.copy_note = "v2", .has_point_before_finalize = true})));
  const auto later = trace(**journal, "a0@x");
  ASSERT_TRUE(later);
  EXPECT_EQ(later->front().step, "account/a0@x/create");
  EXPECT_TRUE(later->front().place.starts_with("migration.yaml:")) << later->front().place;
}

}  // namespace
}  // namespace plan::engine
