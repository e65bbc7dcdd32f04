// What an account's grade and its approvals mean for a run, and who hears of them.
#include <algorithm>

#include "tests/unit/runtime/engine/engine_fixture.h"

namespace plan::engine {
namespace {

using report::Ending;
using test::move_graph;

class GradesTest : public EngineTest {
 protected:
  report::RunRecord record() {
    auto journal = open();
    auto record = run_record(**journal);
    EXPECT_TRUE(record) << (record ? "" : record.error().to_line());
    return record ? std::move(*record) : report::RunRecord{};
  }
};

TEST_F(GradesTest, an_account_that_was_given_back_keeps_its_grade_in_the_status) {
  world_.has_poor_content[1] = true;
  ASSERT_TRUE(run(move_graph()));
  EXPECT_EQ(state_of("account/a1@x/grade"), "undone");
  const report::RunRecord run = record();
  ASSERT_EQ(run.accounts.size(), 3U);
  EXPECT_EQ(run.accounts[1].state, "undone");
  EXPECT_EQ(run.accounts[1].grade, "poor");
  EXPECT_NE(report::render_text(run).find("poor"), std::string::npos);
  EXPECT_EQ(report::to_document(run)["accounts"].item(1)["grade"].string_or(""), "poor");
  EXPECT_TRUE(run.approvals_needed.empty() ||
              std::find(run.approvals_needed.begin(), run.approvals_needed.end(), "account:a1@x") ==
                  run.approvals_needed.end())
      << "nobody may approve missing content";
}

TEST_F(GradesTest, the_status_names_the_approval_that_a_doubtful_account_waits_for) {
  world_.has_doubts[2] = true;
  ASSERT_TRUE(run(move_graph()));
  const report::RunRecord waiting = record();
  EXPECT_EQ(waiting.accounts[2].grade, "investigate");
  ASSERT_EQ(waiting.approvals_needed.size(), 1U);
  EXPECT_EQ(waiting.approvals_needed[0], "account:a2@x");
  EXPECT_NE(report::render_text(waiting).find("waits for: plan approve"), std::string::npos);
  approve("account:a2@x");
  EXPECT_TRUE(record().approvals_needed.empty()) << "it is given";
  const auto again = run(move_graph());
  ASSERT_TRUE(again) << again.error().to_line();
  EXPECT_EQ(again->ending, Ending::finished) << again->message;
  EXPECT_TRUE(record().approvals_needed.empty());
  EXPECT_EQ(record().accounts[2].grade, "investigate");
  EXPECT_EQ(record().accounts[2].state, "moved");
}

// A wave in which every account has doubts has a cause of its own, and every one of them was held
// for nothing: they count like any that did not move.
TEST_F(GradesTest, doubts_count_for_the_rule_that_stops_a_wave) {
  world_.has_doubts.fill(true);
  const auto result = run(move_graph({.accounts = 5, .parallel = 1, .stop_after_failed = 2}));
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->ending, Ending::stopped) << result->message;
  EXPECT_NE(result->message.find("was stopped by its rule"), std::string::npos) << result->message;
  EXPECT_EQ(world_.verdict(5, false), "");
  EXPECT_FALSE(world_.accounts[4].is_created) << "nobody is begun behind the rule";
}

TEST_F(GradesTest, calendars_that_nobody_has_decided_about_keep_an_account_at_the_source) {
  world_.has_calendars = true;
  const auto result = run(move_graph());
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->ending, Ending::failed) << result->message;
  EXPECT_EQ(result->counts.accounts_moved, 0U);
  EXPECT_EQ(world_.verdict(3, false), "");
  const report::RunRecord run = record();
  EXPECT_EQ(run.accounts[0].grade, "not-checked");
  EXPECT_EQ(run.accounts[0].mail_grade, "perfect");
  EXPECT_TRUE(run.approvals_needed.empty()) << "an approval is no evidence";
}

TEST_F(GradesTest, calendars_that_stay_behind_let_mail_move_and_are_never_a_pass) {
  world_.has_calendars = world_.are_calendars_left = true;
  world_.has_poor_content[1] = true;
  const auto result = run(move_graph());
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->counts.accounts_moved, 2U);
  EXPECT_FALSE(world_.accounts[1].is_at_target) << "its mail is judged as ever";
  const report::RunRecord run = record();
  EXPECT_EQ(run.accounts[0].state, "moved");
  EXPECT_EQ(run.accounts[0].grade, "not-checked");
  EXPECT_EQ(run.accounts[0].not_checked, (std::vector<std::string>{"calendars and contacts"}));
  EXPECT_EQ(report::grade_words(run.accounts[0]),
            "mail perfect, not checked: calendars and contacts");
  const ir::Value document = report::to_document(run)["accounts"].item(0);
  EXPECT_EQ(document["grade"].string_or(""), "not-checked");
  EXPECT_EQ(document["mail_grade"].string_or(""), "perfect");
  EXPECT_EQ(document["not_checked"].item(0).string_or(""), "calendars and contacts");
}

// --- approvals ---

TEST_F(GradesTest, an_approval_of_the_last_stage_is_void_behind_a_rollback) {
  const ir::StepGraph graph = move_graph({.is_finalize_approved = true});
  ASSERT_TRUE(run(graph));
  approve("stage:finalize");  // given, and not used: the account goes back first
  const auto back_again = back(graph, OfAccount{"a1@x"});
  ASSERT_TRUE(back_again) << back_again.error().to_line();
  const auto moved = run(graph);
  ASSERT_TRUE(moved) << moved.error().to_line();
  EXPECT_EQ(moved->ending, Ending::needs_approval) << moved->message;
  EXPECT_EQ(moved->approvals_needed, (std::vector<std::string>{"stage:finalize"}));
  EXPECT_EQ(world_.finalized, 0U);
  EXPECT_EQ(record().approvals_needed, (std::vector<std::string>{"stage:finalize"}));
  approve("stage:finalize");
  const auto done = run(graph);
  ASSERT_TRUE(done) << done.error().to_line();
  EXPECT_EQ(done->ending, Ending::finished) << done->message;
  EXPECT_EQ(world_.verdict(3, true), "");
}

TEST_F(GradesTest, an_approval_that_nothing_has_changed_for_still_holds) {
  const ir::StepGraph graph = move_graph({.is_finalize_approved = true});
  ASSERT_TRUE(run(graph));
  approve("stage:finalize");
  const auto nothing = back(graph, OfAccount{"nobody@x"});
  EXPECT_TRUE(!nothing || nothing->counts.undone == 0);
  const auto done = run(graph);
  ASSERT_TRUE(done) << done.error().to_line();
  EXPECT_EQ(done->ending, Ending::finished) << done->message;
}

TEST_F(GradesTest, the_status_behind_a_rollback_names_no_approval_for_it_waits_for_none) {
  const ir::StepGraph graph =
      move_graph({.accounts = 3, .first_wave = 2, .is_held_for_approval = true});
  ASSERT_TRUE(run(graph));
  EXPECT_EQ(record().approvals_needed, (std::vector<std::string>{"wave:rest"}));
  clock_.advance(std::chrono::seconds(1));  // the time is in the name of a run
  const auto back_again = back(graph, OfAccount{"a1@x"});
  ASSERT_TRUE(back_again) << back_again.error().to_line();
  const report::RunRecord rolled_back = record();
  EXPECT_TRUE(rolled_back.is_rollback);
  EXPECT_EQ(rolled_back.accounts[1].state, "rolled-back");
  EXPECT_EQ(rolled_back.approvals_needed, std::vector<std::string>{});
  EXPECT_EQ(report::render_text(rolled_back).find("waits for"), std::string::npos);
  clock_.advance(std::chrono::seconds(1));
  ASSERT_TRUE(run(graph));
  EXPECT_EQ(record().approvals_needed, (std::vector<std::string>{"wave:rest"}));
}

TEST_F(GradesTest, the_status_names_the_approval_of_a_wave_only_when_the_run_has_come_to_it) {
  const ir::StepGraph graph = move_graph({.accounts = 3,
                                          .first_wave = 1,
                                          .is_held_for_approval = true,
                                          .is_first_wave_held = true,
                                          .has_barrier = true});
  ASSERT_TRUE(run(graph));
  EXPECT_EQ(record().approvals_needed, (std::vector<std::string>{"wave:canary"}));
  approve("wave:canary");
  ASSERT_TRUE(run(graph));
  EXPECT_EQ(record().approvals_needed, (std::vector<std::string>{"wave:rest"}));
}

// An address that has gone to the target does not come back with an account: the approval's step
// stays done, while the approval itself is void.
TEST_F(GradesTest, an_approval_whose_step_is_done_is_not_asked_for) {
  const ir::StepGraph graph = move_graph({.is_finalize_approved = true});
  approve("stage:finalize");
  const auto moved = run(graph);
  ASSERT_TRUE(moved) << moved.error().to_line();
  ASSERT_EQ(state_of("finalize/approval"), "done");
  auto journal = open();
  ASSERT_TRUE((*journal)->use_approval("stage:finalize"));
  EXPECT_TRUE(record().approvals_needed.empty());
}

// --- steering ---

TEST_F(GradesTest, the_status_shows_the_bounds_of_throttle_until_they_are_taken_away) {
  ASSERT_TRUE(run(move_graph()));
  EXPECT_TRUE(record().throttles.empty());
  const auto throttle = [&](const std::string& host, int connections) {
    auto journal = open();
    ASSERT_TRUE(journal);
    ASSERT_TRUE(
        (*journal)->add_request({.kind = RequestKind::throttle,
                                 .subject = host,
                                 .parameters = ir::Value::map({{"connections", connections}})}));
  };
  throttle("source", 4);
  throttle("target", 2);
  throttle("source", 3);
  ASSERT_TRUE(run(move_graph())) << "it holds for later runs";
  ASSERT_EQ(record().throttles.size(), 2U);
  const ir::Value shown = report::to_document(record())["throttles"];
  EXPECT_EQ(shown.item(0)["host"].string_or(""), "source");
  EXPECT_EQ(shown.item(0)["connections"].integer_or(0), 3);
  EXPECT_EQ(shown.item(1)["host"].string_or(""), "target");
  throttle("source", 0);
  ASSERT_EQ(record().throttles.size(), 1U);
  EXPECT_EQ(record().throttles[0].host, "target");
  auto journal = open();
  ASSERT_TRUE(
      (*journal)->add_request({.kind = RequestKind::throttle,
                               .subject = "target",
                               .parameters = ir::Value::map({{"bytes_per_second", 20 << 20}})}));
  const ir::Value both = report::to_document(record())["throttles"].item(0);
  EXPECT_EQ(both["connections"].integer_or(0), 2) << "one bound leaves the other as it is";
  EXPECT_EQ(both["bytes_per_second"].integer_or(0), 20 << 20);
}

}  // namespace
}  // namespace plan::engine
