#include <gtest/gtest.h>

#include <algorithm>

#include "compiler/ir/json.h"
#include "runtime/report/event.h"
#include "runtime/report/run_record.h"
#include "runtime/report/sinks.h"

namespace plan::report {
namespace {

constexpr std::int64_t kNoon = 1'790'000'000'000;

std::vector<Event> one_of_each() {
  const Failure failure{.step = "account/a@x/copy",
                        .account = "a@x",
                        .place = "migration.yaml:33:5",
                        .code = "connection-lost",
                        .message = "the connection ended [connection-lost]",
                        .remedy = "run it again",
                        .blame = "network",
                        .effect = "unknown"};
  return {{kNoon, RunStarted{"r1", "example.org", 40, 3, 2, true, false}},
          {kNoon, WaveStarted{"rest", 2}},
          {kNoon, ApprovalNeeded{"wave:rest", "the wave waits for approval"}},
          {kNoon, StepStarted{"account/a@x/copy", "archive.copy", "a@x", "rest", 1, false}},
          {kNoon, StepProgress{"account/a@x/copy", "a@x", 500, 2000, "messages", "pass 1"}},
          {kNoon, StepRetried{failure, 1, 500, false}},
          {kNoon, StepFailed{failure, false}},
          {kNoon, StepFinished{"account/a@x/copy", "archive.copy", "a@x", 12'500, false, false,
                               ir::Value::map({{"messages", 2000}})}},
          {kNoon, AccountHeld{"a@x", "rest", 20'000}},
          {kNoon, AccountGraded{"a@x", "perfect"}},
          {kNoon, AccountReleased{"a@x", "rest", 1'900, true}},
          {kNoon, WaveEnded{"rest", 1, 1}},
          {kNoon, Notice{"paused"}},
          {kNoon, RunEnded{Ending::failed, 12, 0, 1, 27, "1 steps failed"}}};
}

TEST(LineLogTest, says_each_thing_in_one_line_with_its_time) {
  std::string text;
  LineLog log([&](std::string_view line) { text += line; });
  for (const Event& event : one_of_each()) log.on(event);
  EXPECT_EQ(
      text,
      "2026-09-21T14:13:20Z run of `example.org` goes on: 40 steps, 2 accounts, 3 done before "
      "(r1)\n"
      "2026-09-21T14:13:20Z wave rest begins: 2 accounts\n"
      "2026-09-21T14:13:20Z the wave waits for approval: plan approve wave:rest\n"
      "2026-09-21T14:13:20Z again in 500 ms: account/a@x/copy: the connection ended "
      "[connection-lost] "
      "(from migration.yaml:33:5)\n"
      "2026-09-21T14:13:20Z failed: account/a@x/copy: the connection ended [connection-lost] (from "
      "migration.yaml:33:5); help: run it again\n"
      "2026-09-21T14:13:20Z done account/a@x/copy (12.5 s)\n"
      "2026-09-21T14:13:20Z held a@x (at most 20.0 s)\n"
      "2026-09-21T14:13:20Z graded a@x: perfect\n"
      "2026-09-21T14:13:20Z moved a@x after 1.9 s\n"
      "2026-09-21T14:13:20Z wave rest ended: 1 moved, 1 failed\n"
      "2026-09-21T14:13:20Z paused\n"
      "2026-09-21T14:13:20Z failed: 12 done, 1 failed, 27 waiting; 1 steps failed\n");
}

TEST(LineLogTest, shows_progress_only_every_ten_seconds) {
  std::string text;
  LineLog log([&](std::string_view line) { text += line; });
  for (int second = 0; second < 25; ++second) {
    log.on({kNoon + second * 1000,
            StepProgress{"s", "a@x", static_cast<std::uint64_t>(second), 0, "messages", ""}});
  }
  EXPECT_EQ(text, "2026-09-21T14:13:30Z s: 10 messages\n2026-09-21T14:13:40Z s: 20 messages\n");
}

TEST(LineLogTest, keeps_control_characters_of_names_off_the_terminal) {
  std::string text;
  LineLog log([&](std::string_view line) { text += line; });
  log.on({kNoon, AccountGraded{"a\x1b[2J@x\n", "per\rfect"}});
  EXPECT_EQ(text.find('\x1b'), std::string::npos);
  EXPECT_EQ(text.find('\r'), std::string::npos);
  EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1);
}

TEST(NdjsonTest, every_event_is_one_object_with_name_and_time) {
  for (const Event& event : one_of_each()) {
    std::string text;
    NdjsonLog log([&](std::string_view line) { text += line; });
    log.on(event);
    ASSERT_FALSE(text.empty());
    EXPECT_EQ(text.find('\n'), text.size() - 1);
    const auto document = ir::parse_json(text);
    ASSERT_TRUE(document) << text;
    EXPECT_TRUE((*document)["event"].is_string());
    EXPECT_EQ((*document)["time"].string_or(""), "2026-09-21T14:13:20Z");
  }
}

TEST(TerminalTest, redraws_what_runs_below_what_has_happened) {
  std::string text;
  TerminalProgress terminal([&](std::string_view part) { text += part; },
                            {.width_columns = 60, .rows_max = 1, .has_colour = false});
  terminal.on({kNoon, RunStarted{"r1", "x", 10, 0, 2, false, false}});
  terminal.on({kNoon + 200, StepStarted{"account/a@x/copy", "archive.copy", "a@x", "", 1, false}});
  terminal.on({kNoon + 400, StepStarted{"account/b@x/copy", "archive.copy", "b@x", "", 1, false}});
  EXPECT_NE(text.find("  and 1 more\n"), std::string::npos);
  EXPECT_NE(text.find("0 of 10 steps, 0 of 2 accounts moved\n"), std::string::npos);
  const std::size_t before = text.size();
  terminal.on({kNoon + 410, StepProgress{"account/a@x/copy", "a@x", 1, 2, "messages", ""}});
  EXPECT_EQ(text.size(), before) << "at most ten times a second";
  terminal.on({kNoon + 600, StepProgress{"account/a@x/copy", "a@x", 1, 2, "messages", ""}});
  EXPECT_NE(text.find("\x1b[3A\x1b[J"), std::string::npos)
      << "two rows and the summary are drawn over";
  EXPECT_NE(text.find("1 of 2 (50 %) messages"), std::string::npos);
  text.clear();
  terminal.on({kNoon + 700, RunEnded{Ending::finished, 10, 0, 0, 0, "all done"}});
  EXPECT_EQ(text.substr(text.rfind('J') + 1), "finished: 10 done; all done\n")
      << "no block is left behind";
}

TEST(TerminalTest, no_line_is_wider_than_the_terminal) {
  std::string text;
  TerminalProgress terminal([&](std::string_view part) { text += part; },
                            {.width_columns = 20, .has_colour = false});
  terminal.on(
      {kNoon, StepStarted{"account/" + std::string(100, 'x') + "/copy", "k", "a", "", 1, false}});
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = text.find('\n', begin);
    EXPECT_LT(end - begin, 20U);
    begin = end + 1;
  }
}

RunRecord sample() {
  RunRecord run;
  run.plan_name = "example.org <script>alert(1)</script>";
  run.run_id = "r1";
  run.state = "failed";
  run.started_ms = kNoon;
  run.steps = 40;
  run.done = 39;
  run.failed = 1;
  run.waves = {{"rest", 2, 1, 1}};
  run.accounts = {{.account = "a@x",
                   .wave = "rest",
                   .state = "moved",
                   .grade = "perfect",
                   .messages = 2000,
                   .bytes = 5'000'000,
                   .carried = 3,
                   .stragglers = 0,
                   .held_at_ms = kNoon + 1000,
                   .held_ms = 1'900,
                   .attempts = 1},
                  {.account = "b\"&'<x>@x", .wave = "rest", .state = "failed"}};
  run.failures = {{.step = "account/b/grade",
                   .account = "b",
                   .place = "migration.yaml:33:5",
                   .code = "grade-refused",
                   .message = "graded `poor`",
                   .remedy = "look"}};
  run.timeline = {{kNoon, "s", "a@x", "done", 2, "", ""},
                  {kNoon, "t", "a@x", "failed", 1, "why <b>", ""}};
  return run;
}

TEST(HtmlTest, is_one_page_that_needs_nothing_from_elsewhere_and_runs_nothing) {
  const std::string page = render_html(sample());
  EXPECT_EQ(page.find("<script"), std::string::npos);
  EXPECT_EQ(page.find("http://"), std::string::npos);
  EXPECT_EQ(page.find("https://"), std::string::npos);
  EXPECT_EQ(page.find("src="), std::string::npos);
  EXPECT_NE(page.find("default-src 'none'"), std::string::npos);
  EXPECT_NE(page.find("b&quot;&amp;&#39;&lt;x&gt;@x"), std::string::npos);
  EXPECT_NE(page.find("why &lt;b&gt;"), std::string::npos);
  EXPECT_NE(page.find("migration.yaml:33:5"), std::string::npos);
  EXPECT_NE(page.find("not checked"), std::string::npos) << "no grade is shown as such";
  EXPECT_NE(page.find("</html>"), std::string::npos);
}

TEST(HtmlTest, a_long_time_line_is_cut_and_counted) {
  const std::string page = render_html(sample(), 1);
  EXPECT_NE(page.find("and 1 more"), std::string::npos);
}

TEST(RunRecordTest, the_document_has_every_member_and_null_for_what_is_not_known) {
  const ir::Value document = to_document(sample());
  EXPECT_EQ(document["format"].integer_or(0), 1);
  EXPECT_EQ(document["accounts"].item(0)["messages"].integer_or(0), 2000);
  EXPECT_TRUE(document["accounts"].item(1)["messages"].is_null());
  EXPECT_TRUE(document["accounts"].item(1).members().contains("grade"));
  EXPECT_TRUE(document["ended"].is_null());
  EXPECT_TRUE(ir::parse_json(ir::write_json(document)));
}

TEST(RunRecordTest, the_text_is_a_table_that_a_person_can_read) {
  RunRecord run = sample();
  run.plan_name = "example.org";
  run.accounts[1].account = "b@x";
  EXPECT_EQ(render_text(run),
            "example.org: failed (run r1, since 2026-09-21T14:13:20Z)\n"
            "39 of 40 steps done, 1 failed\n"
            "\n"
            "wave  accounts  moved  failed\n"
            "rest         2      1       1\n"
            "\n"
            "account  wave  state   grade        messages  carried  stragglers   hold\n"
            "a@x      rest  moved   perfect         2,000        3           0  1.9 s\n"
            "b@x      rest  failed  not checked         -        -           -      -\n"
            "\n"
            "account/b/grade: graded `poor`\n"
            "  from migration.yaml:33:5\n"
            "  help: look\n");
}

}  // namespace
}  // namespace plan::report
