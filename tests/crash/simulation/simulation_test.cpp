// Thousands of moves, ways back and second moves on the simulator, each with somebody hit at one
// kill point. The seed gives everything; a failure names it and the command that plays it again.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <random>
#include <set>

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

/// The run that a seed stands for: every border with every victim in turn, in any stage and pass.
Wish wish_of(std::uint64_t seed) {
  std::mt19937_64 random(seed * 2654435761U + 17);
  const auto points = engine::all_kill_points();
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
  for (const engine::KillPoint& point : engine::all_kill_points())
    EXPECT_TRUE(reached.contains(std::string(point.name))) << point.name;
}

TEST(Simulation, every_kill_point_with_every_victim) {
  const std::uint64_t wanted = number_from("PLAN_SEED", 0);
  const std::uint64_t runs = wanted != 0 ? 1 : number_from("PLAN_RUNS", 2016);
  const std::uint64_t first = wanted != 0 ? wanted : number_from("PLAN_FIRST_SEED", 1);
  const std::uint64_t seconds = number_from("PLAN_SIMULATION_SECONDS", 0);
  const auto began = std::chrono::steady_clock::now();
  std::map<std::string, std::map<std::string, std::uint64_t>> hits;  // point, victim
  Verdict sum;
  std::uint64_t played = 0, reached = 0, failed = 0;
  for (std::uint64_t seed = first; played < runs; ++seed, ++played) {
    if (seconds != 0 && std::chrono::steady_clock::now() - began > std::chrono::seconds(seconds))
      break;
    const Wish wish = wish_of(seed);
    const Verdict verdict = play(wish);
    sum.processes += verdict.processes;
    sum.calls += verdict.calls;
    sum.faults += verdict.faults;
    sum.messages += verdict.messages;
    if (verdict.is_reached) {
      ++reached;
      ++hits[wish.kill_point][std::string(to_string(wish.victim))];
    }
    if (wanted != 0) std::printf("%s\n%s\n", wish.show().c_str(), verdict.wrong.c_str());
    if (verdict.wrong.empty()) continue;
    ADD_FAILURE() << "seed " << seed << ": " << verdict.wrong << "\n"
                  << wish.show() << "\n"
                  << command_for(seed);
    if (++failed >= 10) break;
  }
  if (wanted != 0) return;
  std::printf(
      "%llu runs, %llu victims hit, %llu processes of plan, %llu calls, %llu faults, %llu "
      "messages\n",
      static_cast<unsigned long long>(played), static_cast<unsigned long long>(reached),
      static_cast<unsigned long long>(sum.processes), static_cast<unsigned long long>(sum.calls),
      static_cast<unsigned long long>(sum.faults), static_cast<unsigned long long>(sum.messages));
  for (const engine::KillPoint& point : engine::all_kill_points()) {
    for (std::size_t v = 0; v < kVictims && runs >= 2016 && failed == 0; ++v) {
      const std::string victim(to_string(static_cast<Victim>(v)));
      EXPECT_GT(hits[std::string(point.name)][victim], 0U) << point.name << ", " << victim;
    }
  }
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
  std::printf("caught at seed %llu: %s\n", static_cast<unsigned long long>(seed), how.c_str());
}

TEST(Sabotage, a_journal_whose_syncs_are_left_out_is_caught) {
  expect_caught(Sabotage::syncs_left_out, "", Victim::power_cut, "driver.after-apply");
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
  expect_caught(Sabotage::flips_source_first, "");
}
TEST(Sabotage, sessions_left_open_at_the_source_are_caught) {
  expect_caught(Sabotage::leaves_sessions_open, "");
}
TEST(Sabotage, a_way_back_that_carries_nothing_is_caught) {
  expect_caught(Sabotage::leaves_source_as_it_is, "");
}

}  // namespace
}  // namespace plan::simulation
