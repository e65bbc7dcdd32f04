// Why a step did not come to its end, as its error says it: steps are carried out one by one, in
// the order of the graph, as the scheduler would have them.
#include "runtime/engine/step_runner.h"
#include "tests/support/told_error.h"
#include "tests/unit/runtime/engine/engine_fixture.h"

namespace plan::engine {
namespace {

using test::move_graph;

class StepErrorsTest : public EngineTest {
 protected:
  /// The error of the first step of an account's move that does not end well.
  Error first_error(const ir::StepGraph& graph) {
    auto journal = open();
    EXPECT_TRUE((*journal)->begin_run(
        {.run_id = "r1", .plan_name = "test", .graph_digest = graph_digest(graph)}, graph));
    const EngineParts given = parts(graph, **journal);
    StepRunner runner(given, options_, "r1", "boot-1");
    bool is_held = false;
    for (const ir::StepId step : graph.order()) {
      const bool is_of_hold = graph.role(step) == ir::TransactionRole::held;
      const Decision decision{
          .step = step, .is_held = is_of_hold, .begins_hold = is_of_hold && !is_held};
      is_held = is_held || is_of_hold;
      const StepResult result = runner.apply(decision);
      if (result.error) return *result.error;
      if (before_next) before_next(graph.kind(step));
    }
    ADD_FAILURE() << "every step came to its end";
    return {test::kWorldError, "none"};
  }

  std::function<void(ir::StepKind)> before_next;
};

TEST_F(StepErrorsTest, a_grade_that_the_plan_does_not_accept) {
  world_.has_poor_content[0] = true;
  EXPECT_TRUE(test::told_as("grade-refused", first_error(move_graph({.accounts = 1}))));
}

TEST_F(StepErrorsTest, a_hold_that_has_outlived_its_bound) {
  before_next = [this](ir::StepKind done) {
    if (done == ir::StepKind::proxy_hold) clock_.advance(std::chrono::seconds(21));
  };
  EXPECT_TRUE(test::told_as("held-too-long", first_error(move_graph({.accounts = 1}))));
}

TEST_F(StepErrorsTest, a_kind_of_step_that_nobody_carries_out) {
  step::DriverTable few;
  add_local_drivers(few);
  few.add(ir::StepKind::admin_upsert, std::make_shared<test::WorldDriver>(world_));
  drivers_ = few;
  EXPECT_TRUE(test::told_as("driver-missing", first_error(move_graph({.accounts = 1}))));
}

/// Makes accounts and forgets to say which.
class Forgetful final : public step::StepDriver {
 public:
  Result<ir::Observation> observe(step::StepContext&) override {
    return ir::Observation{.standing = ir::Standing::absent};
  }
  Result<ir::Value> apply(step::StepContext&) override { return ir::Value::map(); }
  Outcome verify(step::StepContext&) override { return {}; }
  Outcome undo(step::StepContext&) override { return {}; }
};

TEST_F(StepErrorsTest, an_output_that_an_earlier_step_did_not_give) {
  drivers_.add(ir::StepKind::admin_account, std::make_shared<Forgetful>());
  EXPECT_TRUE(test::told_as("output-missing", first_error(move_graph({.accounts = 1}))));
}

TEST_F(StepErrorsTest, what_is_forbidden_to_begin_or_undo_is_told_with_the_first_reason) {
  const ir::StepGraph graph = move_graph({.accounts = 1});
  auto journal = open();
  ASSERT_TRUE((*journal)->begin_run(
      {.run_id = "r1", .plan_name = "test", .graph_digest = graph_digest(graph)}, graph));
  const EngineParts given = parts(graph, **journal);
  StepRunner runner(given, options_, "r1", "boot-1");
  const ir::StepId domain = graph.order().front();
  ASSERT_EQ(runner.apply({.step = domain}).kind, StepResult::Kind::done);
  const std::uint32_t effects = world_.effects;
  runner.forbid_effects({test::kWorldError, "the disk is full"});
  runner.forbid_effects({test::kWorldError, "and what follows from it"});
  for (const StepResult& result :
       {runner.apply({.step = graph.order().at(1)}), runner.undo(graph, domain, {}, false)}) {
    EXPECT_EQ(result.kind, StepResult::Kind::unrecorded);
    ASSERT_TRUE(result.error);
    EXPECT_EQ(result.error->message(), "the disk is full");
  }
  EXPECT_EQ(world_.effects, effects);
}

}  // namespace
}  // namespace plan::engine
