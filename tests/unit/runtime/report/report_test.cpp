#include <gtest/gtest.h>

#include <algorithm>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/report/event.h"
#include "runtime/report/metrics.h"
#include "runtime/report/run_record.h"
#include "runtime/report/sinks.h"
#include "runtime/report/watch.h"
#include "tests/support/repository.h"
#include "tests/support/shared_data.h"

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
      "2026-09-21T14:13:20Z run of `example.org` goes on: 40 steps, 2 accounts, 3 steps done "
      "before "
      "(r1)\n"
      "2026-09-21T14:13:20Z wave rest begins: 2 accounts\n"
      "2026-09-21T14:13:20Z the wave waits for approval: plan approve rest\n"
      "2026-09-21T14:13:20Z again in 500 ms: account/a@x/copy: the connection ended "
      "[connection-lost] "
      "(from migration.yaml:33:5)\n"
      "2026-09-21T14:13:20Z failed: account/a@x/copy: the connection ended [connection-lost] (from "
      "migration.yaml:33:5); help: run it again\n"
      "2026-09-21T14:13:20Z done account/a@x/copy (12.5 s)\n"
      "2026-09-21T14:13:20Z held a@x (at most 20.0 s)\n"
      "2026-09-21T14:13:20Z graded a@x: perfect\n"
      "2026-09-21T14:13:20Z moved a@x, held for 1.9 s\n"
      "2026-09-21T14:13:20Z wave rest ended: 1 moved, 1 failed\n"
      "2026-09-21T14:13:20Z paused\n"
      "2026-09-21T14:13:20Z failed: 12 steps done this time, 1 failed, 27 waiting\n");
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
    EXPECT_EQ((*document)["format"].integer_or(0), 1);
    EXPECT_EQ((*document)["time"].string_or(""), "2026-09-21T14:13:20Z");
  }
}

TEST(NdjsonTest, every_event_and_member_is_in_the_page_of_the_format_and_nothing_else_is) {
  const std::string page = test::read_all(test::repository() / "docs/formats/events.md");
  std::size_t rows = 0;  // of the table of events
  for (const std::string_view line : split(page.substr(page.find("## The events")), '\n'))
    rows += line.starts_with("| `") ? 1U : 0U;
  std::size_t events = 0;
  for (const Event& event : one_of_each()) {
    const ir::Value document = to_document(event);
    const std::string name(document["event"].string_or(""));
    const std::size_t row = page.find("| `" + name + "` |");
    ASSERT_NE(row, std::string::npos) << name;
    const std::string line = page.substr(row, page.find('\n', row) - row);
    for (const auto& [member, value] : document.members()) {
      if (member == "format" || member == "event" || member == "time" || member == "time_ms")
        continue;
      EXPECT_NE(line.find("`" + member + "`"), std::string::npos) << name << ": " << member;
    }
    ++events;
  }
  EXPECT_EQ(rows, events) << "the page has an event that there is not";
}

TEST(MetricsTest, counts_what_happened_without_naming_an_account) {
  Metrics metrics;
  for (const Event& event : one_of_each()) {
    if (std::holds_alternative<AccountReleased>(event.what)) {
      EXPECT_NE(metrics.text().find("plan_accounts_held 1\n"), std::string::npos);
    }
    metrics.on(event);
  }
  const std::string text = metrics.text();
  for (const std::string line :
       {"plan_run_info{plan=\"example.org\",run=\"r1\",rollback=\"false\"} 1", "plan_run_running 0",
        "plan_steps 40", "plan_steps_done 4", "plan_steps_failed_total 1",
        "plan_steps_retried_total 1", "plan_accounts 2", "plan_accounts_held 0",
        "plan_approvals_waiting 0", "plan_messages_copied_total 2000",
        "plan_wave_accounts{wave=\"rest\"} 2", "plan_accounts_moved_total{wave=\"rest\"} 1",
        "plan_accounts_given_back_total{wave=\"rest\"} 0", "plan_grades_total{grade=\"perfect\"} 1",
        "plan_hold_seconds_bucket{le=\"1\"} 0", "plan_hold_seconds_bucket{le=\"2\"} 1",
        "plan_hold_seconds_bucket{le=\"+Inf\"} 1", "plan_hold_seconds_sum 1.9",
        "plan_hold_seconds_count 1"}) {
    EXPECT_NE(("\n" + text).find("\n" + line + "\n"), std::string::npos) << line << "\n" << text;
  }
  EXPECT_EQ(text.find("a@x"), std::string::npos);
  // Every line is a comment or a sample, every sample has its TYPE before it, and the page names
  // it.
  const std::string page = test::read_all(test::repository() / "docs/formats/metrics.md");
  for (const std::string_view line : split(text, '\n')) {
    if (line.empty() || line.starts_with('#')) continue;
    std::string name(line.substr(0, line.find_first_of("{ ")));
    for (const std::string_view suffix : {"_bucket", "_sum", "_count"}) {
      if (name.starts_with("plan_hold_seconds") && name.ends_with(suffix))
        name.resize(name.size() - suffix.size());
    }
    EXPECT_NE(text.find("# TYPE " + name + " "), std::string::npos) << name;
    EXPECT_NE(page.find("`" + name), std::string::npos) << name << " is not in metrics.md";
  }
}

TEST(MetricsTest, a_name_cannot_leave_its_label) {
  Metrics metrics;
  metrics.on({kNoon, WaveStarted{"a\"} 1\nevil{x=\"\\", 3}});
  const std::string text = metrics.text();
  EXPECT_EQ(text.find("\nevil"), std::string::npos);
  EXPECT_NE(text.find("wave=\"a\\\"} 1"), std::string::npos) << text;
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
  EXPECT_NE(text.find("\r\x1b[3A\x1b[J"), std::string::npos)
      << "two rows and the summary are drawn over";
  EXPECT_NE(text.find("1 of 2 (50 %) messages"), std::string::npos);
  text.clear();
  terminal.on({kNoon + 700, RunEnded{Ending::finished, 10, 0, 0, 0, "all done"}});
  EXPECT_EQ(text.substr(text.rfind('J') + 1), "finished: 10 steps done this time\n")
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

TEST(TerminalTest, follows_a_window_that_gets_narrower) {
  std::string text;
  std::size_t columns = 60;
  TerminalProgress terminal([&](std::string_view part) { text += part; },
                            {.width_now = [&] { return columns; }, .has_colour = false});
  const std::string step = "account/" + std::string(30, 'x') + "/copy";
  terminal.on({kNoon, StepStarted{step, "k", "a", "", 1, false}});
  EXPECT_NE(text.find("  " + step + "\n"), std::string::npos) << text;
  text.clear();
  columns = 20;
  terminal.on({kNoon + 500, StepProgress{step, "a", 1, 2, "messages", ""}});
  EXPECT_NE(text.find("\n"), std::string::npos);
  for (std::size_t begin = text.rfind('J') + 1; begin < text.size();) {
    const std::size_t end = text.find('\n', begin);
    EXPECT_LT(end - begin, 20U) << text;
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

RunRecord watched() {
  RunRecord run;
  run.plan_name = "example.org";
  run.state = "running";
  run.started_ms = kNoon;
  run.steps = 100;
  run.done = 40;
  run.waves = {{"rest", 4, 2, 0}};
  for (int i = 0; i < 4; ++i) {
    AccountRecord account{.account = "a" + std::to_string(i) + "@x", .wave = "rest"};
    account.messages = 1000;
    account.bytes = 60U << 20U;
    if (i < 3) account.copied_at_ms = kNoon + 30'000 * (i + 1);
    account.state = i < 2 ? "moved" : i == 2 ? "held" : "copying";
    if (i < 2) {
      account.holds = {{.begun_ms = kNoon + 30'000 * (i + 1),
                        .ended_ms = kNoon + 30'000 * (i + 1) + 1500,
                        .is_committed = true,
                        .carried = "3 messages"}};
    } else if (i == 2) {
      account.holds = {{.begun_ms = kNoon + 118'000}};
    }
    run.accounts.push_back(std::move(account));
  }
  return run;
}

TEST(WatchTest, rates_and_the_time_left_follow_from_what_has_moved) {
  const Pace pace = pace_of(watched(), kNoon + 120'000);
  EXPECT_EQ(pace.accounts, 4U);
  EXPECT_EQ(pace.moved, 2U);
  EXPECT_EQ(pace.held, 1U);
  EXPECT_EQ(pace.copied_messages, 3000U);
  ASSERT_TRUE(pace.moves_per_minute && pace.bytes_per_second && pace.left_ms);
  EXPECT_DOUBLE_EQ(*pace.moves_per_minute, 1.0);
  EXPECT_DOUBLE_EQ(*pace.bytes_per_second, 1.5 * (1U << 20U));
  EXPECT_EQ(*pace.left_ms, 120'000U);
  // What lies longer back than ten minutes is no pace any more.
  const Pace later = pace_of(watched(), kNoon + 3'600'000);
  EXPECT_FALSE(later.moves_per_minute || later.left_ms);
  EXPECT_EQ(later.moved, 2U);
  EXPECT_FALSE(pace_of(watched(), kNoon + 2'000).moves_per_minute) << "nothing is said so early";
}

TEST(WatchTest, the_picture_shows_waves_holds_and_what_runs_within_the_terminal) {
  const std::vector<RunningStep> running = {
      {"account/a3@x/copy", "1,200 of 2,000 messages (60 %)"}};
  const std::string picture =
      render_watch(watched(), running, kNoon + 120'000, {.width_columns = 80, .rows_max = 24});
  EXPECT_EQ(picture,
            "example.org: running for 2 min 0 s\n"
            "[#########...............] 40 of 100 steps\n"
            "[############............] 2 of 4 accounts moved\n"
            "1.0 accounts a minute, 1.5 MiB/s copied; about 2 min 0 s left\n"
            "3,000 messages copied in this run, 180.0 MiB\n"
            "wave rest             [############............] 2 of 4 moved\n"
            "held  a2@x  2.0 s\n"
            "runs  account/a3@x/copy: 1,200 of 2,000 messages (60 %)\n");
  const std::string small =
      render_watch(watched(), running, kNoon + 120'000, {.width_columns = 40, .rows_max = 5});
  EXPECT_EQ(std::count(small.begin(), small.end(), '\n'), 4);
  EXPECT_NE(small.find("and 5 more lines\n"), std::string::npos) << small;
  for (const std::string_view line : split(small, '\n')) EXPECT_LT(line.size(), 40U) << line;
  RunRecord over = watched();
  over.state = "stopped";
  over.ended_ms = kNoon + 120'000;
  const std::string last = render_watch(over, {}, kNoon + 500'000, {.width_columns = 80});
  EXPECT_TRUE(last.starts_with("example.org: stopped after 2 min 0 s\n")) << last;
  EXPECT_EQ(last.find(" left"), std::string::npos) << "a run that is over takes no more time";
  EXPECT_EQ(watch_line(watched(), kNoon + 120'000),
            "running: 40 of 100 steps, 2 of 4 accounts moved, 1 held; 1.0 accounts a minute, 1.5 "
            "MiB/s copied; about 2 min 0 s left");
}

TEST(WatchTest, what_runs_is_read_from_the_end_of_the_event_file) {
  std::string lines = "\"step\":\"cut\"}\n";
  NdjsonLog log([&](std::string_view line) { lines += line; });
  log.on({kNoon, StepStarted{"old", "k", "", "", 1, false}});
  log.on({kNoon, RunStarted{"r2", "x", 10, 0, 2, false, false}});
  log.on({kNoon, StepStarted{"account/a@x/copy", "archive.copy", "a@x", "", 1, false}});
  log.on({kNoon, StepStarted{"account/b@x/copy", "archive.copy", "b@x", "", 1, false}});
  log.on({kNoon, StepStarted{"account/c@x/copy", "archive.copy", "c@x", "", 1, false}});
  log.on({kNoon, StepProgress{"account/a@x/copy", "a@x", 500, 2000, "messages", "pass 1"}});
  log.on({kNoon, StepFinished{"account/b@x/copy", "archive.copy", "b@x", 1, false, false, {}}});
  log.on({kNoon, StepFailed{{.step = "account/c@x/copy"}, false}});
  lines += "{\"format\":1,\"event\":\"step-sta";
  const std::vector<RunningStep> running = running_steps(lines);
  ASSERT_EQ(running.size(), 1U);
  EXPECT_EQ(running[0].step, "account/a@x/copy");
  EXPECT_EQ(running[0].words, "500 of 2,000 (25 %) messages, pass 1");
  lines += "\n";
  log.on({kNoon, RunEnded{}});
  EXPECT_TRUE(running_steps(lines).empty()) << "the run is over";
}

TEST(ReportTest, the_time_line_says_when_each_account_was_held_and_what_was_carried) {
  RunRecord run = watched();
  run.accounts[0].holds.push_back({.begun_ms = kNoon + 60'000,
                                   .ended_ms = kNoon + 62'000,
                                   .is_way_back = true,
                                   .carried = "carried back to the source: 79 messages"});
  EXPECT_EQ(render_text(run).find("when each account"), std::string::npos) << "status has none";
  run.timeline = {{kNoon, "s", "a@x", "done", 1, "", ""}};
  const std::string text = render_text(run);
  EXPECT_NE(text.find("\na0@x\n"
                      "  2026-09-21T14:13:50Z  copied: 1,000 messages, 60.0 MiB\n"
                      "  2026-09-21T14:13:50Z  held for 1.5 s, moved to the target; carried: "
                      "3 messages\n"
                      "  2026-09-21T14:14:20Z  held for 2.0 s, given back to the source; carried: "
                      "carried back to the source: 79 messages\n"),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("held, still is"), std::string::npos);
  const std::string page = render_html(run);
  EXPECT_NE(page.find("held for 2.0 s, given back to the source"), std::string::npos);
  const ir::Value holds = to_document(run)["accounts"].item(0)["holds"];
  ASSERT_EQ(holds.size(), 2U);
  EXPECT_EQ(holds.item(1)["held_ms"].integer_or(0), 2000);
  EXPECT_TRUE(holds.item(1)["is_way_back"].bool_or(false));
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
  EXPECT_TRUE(document["throttles"].is_list());
  EXPECT_TRUE(ir::parse_json(ir::write_json(document)));
}

TEST(ApprovalTest, a_subject_is_said_as_plan_approve_takes_it) {
  EXPECT_EQ(approval_name("stage:finalize"), "finalize");
  EXPECT_EQ(approval_name("wave:rest"), "rest");
  EXPECT_EQ(approval_name("account:a@x"), "a@x");
  EXPECT_EQ(approval_name("wave:finalize"), "wave:finalize") << "the short word is the stage";
  EXPECT_EQ(approval_name("wave:a@x"), "wave:a@x") << "the short word would be an account";
}

TEST(RunRecordTest, the_text_is_a_table_that_a_person_can_read) {
  RunRecord run = sample();
  run.plan_name = "example.org";
  run.accounts[1].account = "b@x";
  run.accounts.push_back({.account = "c@x", .wave = "rest", .state = "copying"});
  run.points = {"before-cutover", "wave-rest"};
  run.approvals_needed = {"stage:finalize"};
  run.throttles = {{"source", 1, 20ULL << 20U}, {"target", 1200}};
  EXPECT_EQ(render_text(run),
            "example.org: failed (run r1, since 2026-09-21T14:13:20Z)\n"
            "39 of 40 steps done, 1 failed\n"
            "throttled: at most 1 step at a time on the source until plan throttle --host source "
            "--connections 0\n"
            "throttled: copying takes at most 20.0 MiB a second of the source until plan throttle "
            "--host source --rate 0\n"
            "throttled: at most 1,200 steps at a time on the target until plan throttle --host "
            "target --connections 0\n"
            "\n"
            "wave  accounts  moved  failed\n"
            "rest         2      1       1\n"
            "\n"
            "account  wave  state    grade        messages  carried  stragglers   hold\n"
            "a@x      rest  moved    perfect         2,000        3           0  1.9 s\n"
            "b@x      rest  failed   not checked         -        -           -      -\n"
            "c@x      rest  copying  -                   -        -           -      -\n"
            "\n"
            "rollback points reached: before-cutover, wave-rest\n"
            "\n"
            "account/b/grade: graded `poor`\n"
            "  from migration.yaml:33:5\n"
            "  help: look\n"
            "\n"
            "waits for: plan approve finalize\n");
}

}  // namespace
}  // namespace plan::report
