// Thousands of moves, ways back and second moves on the simulator, each with somebody hit at one
// kill point. The seed gives everything; a failure names it and the command that plays it again.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <random>
#include <set>

#include "compiler/ir/json.h"
#include "runtime/engine/kill_point.h"
#include "tests/crash/simulation/scenario.h"

namespace plan::simulation {
namespace {

/// Where each stage came by how often when nothing was hit: what passes can be chosen from.
using Passes = std::map<std::pair<Stage, std::string>, int>;

/// Several quiet runs with lost replies, so that every border that exists is there.
const Passes& known_passes() {
  static const Passes all = [] {
    Passes most;
    for (std::uint64_t seed = 1; seed <= 6; ++seed) {
      const Verdict verdict = play({.seed = seed, .faults_permille = 25});
      for (const auto& [place, count] : verdict.passes) most[place] = std::max(most[place], count);
    }
    return most;
  }();
  return all;
}

/// Every border with every victim about seven times.
constexpr std::uint64_t kRuns = 2080;

/// For tests/evidence: what this run has shown, as a file in the folder that it names.
void write_evidence(const std::string& name, const ir::Value& value) {
  const char* folder = std::getenv("PLAN_EVIDENCE");
  if (folder == nullptr) return;
  std::ofstream file(std::string(folder) + "/" + name + ".json");
  file << ir::write_json(value, 2) << "\n";
}

/// The borders of a move of accounts. Those of a store are for tests/crash/store_move_kill_test.py,
/// with real stores.
std::vector<engine::KillPoint> points_of_moves() {
  std::vector<engine::KillPoint> points;
  for (const engine::KillPoint& point : engine::all_kill_points()) {
    if (!point.name.starts_with("dump.")) points.push_back(point);
  }
  return points;
}

/// The run that a seed stands for: every border with every victim in turn, in any stage and pass.
Wish wish_of(std::uint64_t seed) {
  std::mt19937_64 random(seed * 2654435761U + 17);
  const auto points = points_of_moves();
  Wish wish{.seed = seed};
  const std::uint64_t pair = seed % (points.size() * kVictims);
  wish.kill_point = points[pair / kVictims].name;
  wish.victim = static_cast<Victim>(pair % kVictims);
  std::vector<std::pair<Stage, int>> places;
  for (const auto& [place, count] : known_passes()) {
    if (place.second == wish.kill_point) places.emplace_back(place.first, count);
  }
  if (places.empty()) return wish;
  const auto& [stage, count] = places[random() % places.size()];
  wish.stage = stage;
  wish.pass = static_cast<int>(1 + random() % static_cast<std::uint64_t>(count));
  const bool needs_faults = wish.kill_point == "journal.after-unknown";
  wish.faults_permille = needs_faults        ? 30
                         : random() % 2 == 0 ? 0
                                             : static_cast<unsigned>(random() % 20);
  return wish;
}

std::string command_for(std::uint64_t seed) {
  return "PLAN_SEED=" + std::to_string(seed) +
         " build/dev/crash_simulation --gtest_filter='Simulation.every*'";
}

std::uint64_t number_from(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(Simulation, a_quiet_run_ends_with_true_books_and_gives_the_same_world_again) {
  const Verdict first = play({.seed = 42});
  EXPECT_EQ(first.wrong, "");
  EXPECT_EQ(first.processes, 4U);
  const Verdict again = play({.seed = 42});
  EXPECT_EQ(again.calls, first.calls);
  EXPECT_EQ(again.messages, first.messages);
  EXPECT_EQ(again.passes, first.passes);
}

TEST(Simulation, every_kill_point_is_on_the_way) {
  std::set<std::string> reached;
  for (const auto& [place, count] : known_passes()) reached.insert(place.second);
  for (const engine::KillPoint& point : points_of_moves())
    EXPECT_TRUE(reached.contains(std::string(point.name))) << point.name;
}

/// What many runs have shown.
struct Tally {
  Verdict sum;
  std::uint64_t played = 0;
  std::uint64_t reached = 0;
  std::uint64_t failed = 0;
  std::map<std::string, std::map<std::string, std::int64_t>> hits;  ///< by point and victim

  void add(const Wish& wish, const Verdict& verdict) {
    ++played;
    sum.processes += verdict.processes;
    sum.calls += verdict.calls;
    sum.faults += verdict.faults;
    sum.messages += verdict.messages;
    if (!verdict.wrong.empty()) ++failed;
    if (!verdict.is_reached) return;
    ++reached;
    ++hits[wish.kill_point][std::string(to_string(wish.victim))];
  }

  [[nodiscard]] ir::Value document(std::uint64_t first) {
    const auto count = [](std::uint64_t number) { return static_cast<std::int64_t>(number); };
    ir::Value points = ir::Value::map();
    for (const engine::KillPoint& point : points_of_moves()) {
      ir::Value of_point = ir::Value::map();
      for (std::size_t v = 0; v < kVictims; ++v) {
        const std::string victim(to_string(static_cast<Victim>(v)));
        of_point.set(victim, hits[std::string(point.name)][victim]);
      }
      points.set(std::string(point.name), std::move(of_point));
    }
    return ir::Value::map({{"runs", count(played)},
                           {"first_seed", count(first)},
                           {"victims_hit", count(reached)},
                           {"processes", count(sum.processes)},
                           {"calls", count(sum.calls)},
                           {"faults", count(sum.faults)},
                           {"messages", count(sum.messages)},
                           {"failed", count(failed)},
                           {"points", std::move(points)}});
  }
};

/// Not every run comes by a rare border: each pair that was not hit yet goes on with further seeds
/// of its own until it is.
void hit_the_rest(Tally& tally, std::uint64_t from) {
  const auto points = points_of_moves();
  const std::uint64_t pairs = points.size() * kVictims;
  for (std::uint64_t pair = 0; pair < pairs; ++pair) {
    const std::string point(points[pair / kVictims].name);
    const std::string victim(to_string(static_cast<Victim>(pair % kVictims)));
    std::uint64_t seed = (from / pairs + 1) * pairs + pair;
    for (int tries = 0; tries < 100 && tally.hits[point][victim] == 0; ++tries, seed += pairs) {
      const Wish wish = wish_of(seed);
      const Verdict verdict = play(wish);
      tally.add(wish, verdict);
      EXPECT_EQ(verdict.wrong, "") << "seed " << seed << ": " << wish.show() << "\n"
                                   << command_for(seed);
    }
  }
}

TEST(Simulation, every_kill_point_with_every_victim) {
  const std::uint64_t wanted = number_from("PLAN_SEED", 0);
  const std::uint64_t runs = wanted != 0 ? 1 : number_from("PLAN_RUNS", kRuns);
  const std::uint64_t first = wanted != 0 ? wanted : number_from("PLAN_FIRST_SEED", 1);
  Tally tally;
  for (std::uint64_t seed = first; tally.played < runs && tally.failed < 10; ++seed) {
    const Wish wish = wish_of(seed);
    const Verdict verdict = play(wish);
    tally.add(wish, verdict);
    if (wanted != 0) std::printf("%s\n", wish.show().c_str());
    EXPECT_EQ(verdict.wrong, "") << "seed " << seed << ": " << wish.show() << "\n"
                                 << command_for(seed);
  }
  if (wanted != 0) return;
  if (tally.played >= kRuns && tally.failed == 0) hit_the_rest(tally, first + runs);
  const ir::Value document = tally.document(first);
  ir::Value totals = document;
  totals.set("points", ir::Value());
  std::printf("%s\n", ir::write_json(totals).c_str());
  write_evidence("simulation", document);
  if (tally.played < kRuns || tally.failed > 0) return;
  for (const auto& [point, victims] : document["points"].members()) {
    for (const auto& [victim, hits] : victims.members())
      EXPECT_GT(hits.integer_or(0), 0) << point << ", " << victim << " was never hit";
  }
}

/// Runs of one kill point after the other with one victim, and what else `wish` says.
void expect_true_books(const Wish& wish, std::uint64_t runs, std::uint64_t from = 1) {
  const std::uint64_t wanted = number_from("PLAN_SEED", 0);
  const std::uint64_t first = wanted != 0 ? wanted : from;
  std::uint64_t reached = 0;
  for (std::uint64_t seed = first; seed < first + (wanted != 0 ? 1 : runs); ++seed) {
    Wish chosen = wish_of(seed * kVictims);  // each seed another kill point
    chosen.seed = seed;
    chosen.victim = wish.victim;
    chosen.outage = wish.outage;
    chosen.jump = wish.jump;
    chosen.ignores_goodbye = wish.ignores_goodbye;
    chosen.is_first_renamed = wish.is_first_renamed;
    chosen.is_renamed_there = wish.is_renamed_there;
    if (wish.is_first_renamed || wish.is_renamed_there) chosen.stage = Stage::move;
    const Verdict verdict = play(chosen);
    reached += verdict.is_reached ? 1 : 0;
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    EXPECT_EQ(verdict.wrong, "") << "seed " << seed << ": " << chosen.show()
                                 << "\nPLAN_SEED=" << seed
                                 << " build/dev/crash_simulation --gtest_filter='"
                                 << test->test_suite_name() << "." << test->name() << "'";
    if (!verdict.wrong.empty()) return;
  }
  if (wanted != 0) return;
  EXPECT_GT(reached, runs / 8) << "nearly all runs were hit by nobody";
}

constexpr std::chrono::hours kAnHour(1);
constexpr std::uint64_t kRunsOfOne = 38;  ///< every kill point about once

// Longer than every hold and every retry of plan, shorter than a queue keeps mail.
TEST(Outage, the_source_is_gone_for_an_hour_in_the_middle) {
  expect_true_books({.victim = Victim::source_killed, .outage = kAnHour}, kRunsOfOne);
}
TEST(Outage, the_target_is_gone_for_an_hour_in_the_middle) {
  expect_true_books({.victim = Victim::target_killed, .outage = kAnHour}, kRunsOfOne);
}
TEST(Outage, a_proxy_is_gone_for_an_hour_in_the_middle) {
  expect_true_books({.victim = Victim::proxy_killed, .outage = kAnHour}, kRunsOfOne);
}

// Killed, and somebody sets the clock before the next run; or the clock is set under a run that
// lives.
TEST(ClockJump, an_hour_forward_loses_and_doubles_nothing) {
  expect_true_books({.victim = Victim::plan_killed, .jump = kAnHour}, kRunsOfOne / 2);
  expect_true_books({.victim = Victim::call_doubled, .jump = kAnHour}, kRunsOfOne / 2, 14);
}
TEST(ClockJump, an_hour_back_loses_and_doubles_nothing) {
  expect_true_books({.victim = Victim::plan_killed, .jump = -kAnHour}, kRunsOfOne / 2);
  expect_true_books({.victim = Victim::call_doubled, .jump = -kAnHour}, kRunsOfOne / 2, 14);
}

// They write on for two seconds, and what they are answered counts.
TEST(Goodbye, clients_that_ignore_it_lose_nothing) {
  expect_true_books({.victim = Victim::plan_killed, .ignores_goodbye = true}, kRunsOfOne / 2);
  expect_true_books({.victim = Victim::proxy_killed, .ignores_goodbye = true}, kRunsOfOne / 2, 14);
}

// plan is refused under the name that `plan fetch` saw; senders and users go on at the source.
TEST(Renamed, an_account_that_the_source_has_under_another_name_fails_alone) {
  expect_true_books({.victim = Victim::plan_killed, .is_first_renamed = true}, kRunsOfOne);
}

// While it is copied, before its hold, in its hold and behind its flip: wherever a border is.
TEST(Renamed, an_account_that_gets_another_name_during_its_move_loses_nothing) {
  expect_true_books({.is_renamed_there = true}, 2 * kRunsOfOne);
}

/// The first seed whose run notices the sabotage; 0: none did.
std::uint64_t caught_at(Sabotage sabotage, Victim victim, std::string_view point,
                        std::string& how) {
  for (std::uint64_t seed = 1; seed <= 150; ++seed) {
    Wish wish = wish_of(seed);
    wish.sabotage = sabotage;
    wish.victim = victim;
    if (!point.empty()) {
      wish.kill_point = point;
      wish.stage = static_cast<Stage>(seed % kStages);
      wish.pass = static_cast<int>(1 + seed % 40);
    }
    how = play(wish).wrong;
    if (!how.empty()) return seed;
  }
  return 0;
}

void expect_caught(Sabotage sabotage, const char* expected, Victim victim = Victim::plan_killed,
                   std::string_view point = {}) {
  std::string how;
  const std::uint64_t seed = caught_at(sabotage, victim, point, how);
  EXPECT_GT(seed, 0U);
  EXPECT_NE(how.find(expected), std::string::npos) << how;
  const std::string test = ::testing::UnitTest::GetInstance()->current_test_info()->name();
  write_evidence(
      "sabotage-" + test,
      ir::Value::map({{"test", test}, {"seed", static_cast<std::int64_t>(seed)}, {"seen", how}}));
}

TEST(Sabotage, a_journal_whose_syncs_are_left_out_is_caught) {
  expect_caught(Sabotage::syncs_left_out, "journal-damaged", Victim::power_cut,
                "driver.after-apply");
}
TEST(Sabotage, an_engine_that_tries_again_without_a_look_is_caught) {
  expect_caught(Sabotage::retries_blindly, "without a look");
}
TEST(Sabotage, an_archive_that_does_not_look_up_what_it_may_have_done_is_caught) {
  expect_caught(Sabotage::imports_blindly, "once too often", Victim::reply_lost,
                "journal.after-intent");
}
TEST(Sabotage, a_flip_before_the_drain_is_caught) {
  expect_caught(Sabotage::flips_before_drain, "after the last delta");
}
TEST(Sabotage, a_source_that_is_flipped_first_is_caught) {
  expect_caught(Sabotage::flips_source_first, "went round until it was bounced");
}
TEST(Sabotage, sessions_left_open_at_the_source_are_caught) {
  // What was answered at the source after the last look at it is not at the target.
  expect_caught(Sabotage::leaves_sessions_open, "message ");
}
// The archive did so: a second move that was cut off after the delta's intent brought back what the
// user had deleted at the source since the first (unit_archive has it on a real Dovecot).
TEST(Sabotage, a_delta_that_counts_as_complete_since_an_earlier_move_is_caught) {
  expect_caught(Sabotage::keeps_old_mark, "message ", Victim::power_cut, "journal.after-intent");
}
TEST(Sabotage, a_way_back_that_names_events_anew_in_each_try_is_caught) {
  expect_caught(Sabotage::names_events_anew, "is there once too often", Victim::plan_killed,
                "carry.dav-written");
}
TEST(Sabotage, a_way_back_that_carries_nothing_is_caught) {
  // Deleted at the target and still at the source, or never brought there.
  expect_caught(Sabotage::leaves_source_as_it_is, "message ");
}

}  // namespace
}  // namespace plan::simulation
