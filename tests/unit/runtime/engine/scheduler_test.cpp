#include "runtime/engine/scheduler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>
#include <random>
#include <set>

#include "tests/support/move_graph.h"

namespace plan::engine {
namespace {

using ir::StepId;
using test::move_graph;

std::string name(const ir::StepGraph& graph, const Decision& decision) {
  return (decision.is_undo ? "undo " : "") + graph.id(decision.step);
}

/// Plays a whole run: takes a running step by `random`, fails those that `fails` names.
struct Player {
  const ir::StepGraph& graph;
  Scheduler& scheduler;
  std::deque<Decision> running = {};
  std::vector<std::string> log = {};

  void begin() {
    for (const Decision& decision : scheduler.next()) {
      running.push_back(decision);
      log.push_back(name(graph, decision));
    }
  }
  template <class Random, class Fails>
  void play(Random& random, const Fails& fails) {
    begin();
    while (!running.empty()) {
      const std::size_t at = random() % running.size();
      const Decision decision = running[at];
      running.erase(running.begin() + static_cast<std::ptrdiff_t>(at));
      if (decision.is_undo) {
        scheduler.on_undone(decision.step);
      } else if (fails(decision)) {
        scheduler.on_failed(decision.step);
      } else {
        scheduler.on_done(decision.step);
      }
      begin();
    }
  }
};

std::vector<std::string> names(const ir::StepGraph& graph, const std::vector<Decision>& decisions) {
  std::vector<std::string> out;
  for (const Decision& decision : decisions) out.push_back(name(graph, decision));
  return out;
}

TEST(SchedulerTest, begins_with_what_waits_for_nothing_and_respects_parallel) {
  const ir::StepGraph graph = move_graph({.accounts = 5, .parallel = 2});
  Scheduler scheduler(graph, {});
  scheduler.start();
  EXPECT_EQ(names(graph, scheduler.next()), (std::vector<std::string>{"domain/x"}));
  EXPECT_TRUE(scheduler.next().empty());
  scheduler.on_done(*graph.find("domain/x"));
  EXPECT_EQ(names(graph, scheduler.next()), (std::vector<std::string>{"point/before-waves"}));
  scheduler.on_done(*graph.find("point/before-waves"));
  EXPECT_EQ(names(graph, scheduler.next()),
            (std::vector<std::string>{"account/a0@x/create", "account/a1@x/create"}));
}

TEST(SchedulerTest, a_moved_account_frees_its_place_before_its_sweep) {
  const ir::StepGraph graph = move_graph({.accounts = 2, .parallel = 1});
  Scheduler scheduler(graph, {});
  scheduler.start();
  Player player{graph, scheduler};
  player.begin();
  while (player.running.front().step != *graph.find("account/a0@x/release")) {
    scheduler.on_done(player.running.front().step);
    player.running.pop_front();
    player.begin();
  }
  scheduler.on_done(*graph.find("account/a0@x/release"));
  EXPECT_EQ(names(graph, scheduler.next()),
            (std::vector<std::string>{"account/a0@x/flush", "account/a1@x/create"}));
}

TEST(SchedulerTest, in_any_order_of_events_no_step_begins_before_what_it_waits_for) {
  const ir::StepGraph graph = move_graph({.accounts = 6, .parallel = 3, .first_wave = 2});
  for (unsigned seed = 1; seed <= 100; ++seed) {
    std::mt19937 random(seed);
    Scheduler scheduler(graph, {.threads_max = 1 + seed % 5});
    scheduler.start();
    Player player{graph, scheduler};
    player.play(random, [](const Decision&) { return false; });
    ASSERT_TRUE(scheduler.is_complete()) << "seed " << seed;
    ASSERT_EQ(player.log.size(), graph.size()) << "seed " << seed;
    std::set<std::string> begun;
    for (const std::string& id : player.log) {
      for (const StepId earlier : graph.after(*graph.find(id))) {
        ASSERT_TRUE(begun.contains(graph.id(earlier))) << "seed " << seed << ": " << id;
      }
      begun.insert(id);
    }
  }
}

TEST(SchedulerTest, whatever_fails_nobody_stays_held_and_undo_is_newest_first) {
  const ir::StepGraph graph = move_graph({.accounts = 6, .parallel = 3});
  const auto place = [&](StepId step) {
    return std::find(graph.order().begin(), graph.order().end(), step) - graph.order().begin();
  };
  for (unsigned seed = 1; seed <= 150; ++seed) {
    std::mt19937 random(seed);
    Scheduler scheduler(graph, {});
    scheduler.start();
    Player player{graph, scheduler};
    player.play(random, [&](const Decision&) { return random() % 20 == 0; });
    for (std::size_t r = 1; r <= graph.row_count(); ++r) {
      const auto row = static_cast<ir::RowId>(r);
      const RowPhase phase = scheduler.phase(row);
      ASSERT_TRUE(phase != RowPhase::held && phase != RowPhase::undoing) << "seed " << seed;
      // Every held step that was begun in an account that failed before its commit is undone,
      // backwards.
      std::vector<std::string> held;
      std::vector<std::string> undone;
      bool is_committed = false;
      for (const std::string& line : player.log) {
        const bool is_undo = line.starts_with("undo ");
        const StepId step = *graph.find(is_undo ? line.substr(5) : line);
        if (graph.row(step) != row) continue;
        if (is_undo) undone.push_back(line.substr(5));
        if (!is_undo && graph.role(step) != ir::TransactionRole::none) held.push_back(line);
        if (scheduler.is_done(step) && graph.role(step) == ir::TransactionRole::commit)
          is_committed = true;
      }
      if (is_committed) {
        ASSERT_TRUE(undone.empty()) << "seed " << seed;
      } else {
        // Steps that run side by side are undone in the order of the graph, too.
        std::sort(held.begin(), held.end(), [&](const auto& left, const auto& right) {
          return place(*graph.find(left)) > place(*graph.find(right));
        });
        ASSERT_EQ(undone, held) << "seed " << seed;
      }
    }
    ASSERT_EQ(scheduler.running(), 0U);
  }
}

TEST(SchedulerTest, draining_finishes_the_held_and_begins_nothing_else) {
  const ir::StepGraph graph = move_graph({.accounts = 4, .parallel = 4});
  for (unsigned seed = 1; seed <= 100; ++seed) {
    std::mt19937 random(seed);
    Scheduler scheduler(graph, {});
    scheduler.start();
    Player player{graph, scheduler};
    std::size_t steps = 0;
    const std::size_t drain_at = random() % 60;
    player.play(random, [&](const Decision&) {
      if (++steps == drain_at) scheduler.drain();
      return false;
    });
    for (std::size_t r = 1; r <= graph.row_count(); ++r) {
      ASSERT_NE(scheduler.phase(static_cast<ir::RowId>(r)), RowPhase::held) << "seed " << seed;
    }
  }
}

TEST(SchedulerTest, a_commit_of_unknown_effect_is_never_undone) {
  const ir::StepGraph graph = move_graph({.accounts = 1});
  Scheduler scheduler(graph, {});
  scheduler.start();
  const StepId release = *graph.find("account/a0@x/release");
  Player player{graph, scheduler};
  player.begin();
  while (player.running.front().step != release) {
    scheduler.on_done(player.running.front().step);
    player.running.pop_front();
    player.begin();
  }
  EXPECT_TRUE(player.running.front().ends_hold);
  scheduler.on_failed(release, true);
  EXPECT_TRUE(scheduler.next().empty());
  EXPECT_EQ(scheduler.phase(static_cast<ir::RowId>(1)), RowPhase::stuck);
}

TEST(SchedulerTest, held_steps_are_not_kept_waiting_by_limits) {
  const ir::StepGraph graph = move_graph({.accounts = 3, .parallel = 3});
  Scheduler scheduler(graph, {.threads_max = 1});
  scheduler.restore_done(*graph.find("domain/x"));
  scheduler.restore_done(*graph.find("point/before-waves"));
  for (const char* step : {"create", "copy", "hold-mail", "hold-clients"}) {
    scheduler.restore_done(*graph.find(std::string("account/a2@x/") + step));
  }
  scheduler.restore_held(static_cast<ir::RowId>(3));
  scheduler.start();
  EXPECT_EQ(names(graph, scheduler.next()),
            (std::vector<std::string>{"account/a2@x/deny", "account/a0@x/create"}));
}

TEST(SchedulerTest, a_bound_on_the_source_is_kept_by_accounts_that_are_not_held) {
  const ir::StepGraph graph = move_graph({.accounts = 4, .parallel = 4});
  Scheduler scheduler(graph, {.target_parallel = 2});
  scheduler.restore_done(*graph.find("domain/x"));
  scheduler.restore_done(*graph.find("point/before-waves"));
  scheduler.start();
  EXPECT_EQ(scheduler.next().size(), 2U) << "create is on the target";
  scheduler.set_limits({.target_parallel = 3});
  EXPECT_EQ(scheduler.next().size(), 1U);
}

TEST(SchedulerTest, what_a_crash_left_half_way_is_undone_first_and_then_begins_anew) {
  const ir::StepGraph graph = move_graph({.accounts = 1});
  Scheduler scheduler(graph, {});
  for (const char* step :
       {"domain/x", "point/before-waves", "account/a0@x/create", "account/a0@x/copy"}) {
    scheduler.restore_done(*graph.find(step));
  }
  scheduler.restore_undoing(static_cast<ir::RowId>(1), {*graph.find("account/a0@x/deny"),
                                                        *graph.find("account/a0@x/hold-clients")});
  scheduler.start();
  std::vector<Decision> now = scheduler.next();
  ASSERT_EQ(names(graph, now), (std::vector<std::string>{"undo account/a0@x/deny"}));
  EXPECT_TRUE(now[0].begins_undo);
  scheduler.on_undone(now[0].step);
  now = scheduler.next();
  ASSERT_EQ(names(graph, now), (std::vector<std::string>{"undo account/a0@x/hold-clients"}));
  EXPECT_TRUE(now[0].ends_hold);
  scheduler.on_undone(now[0].step);
  now = scheduler.next();
  ASSERT_EQ(names(graph, now), (std::vector<std::string>{"account/a0@x/hold-mail"}));
  EXPECT_TRUE(now[0].begins_hold);
}

TEST(SchedulerTest, behind_a_soft_edge_the_next_wave_begins_whoever_failed_and_a_hard_one_keeps) {
  const ir::StepGraph graph =
      move_graph({.accounts = 6, .parallel = 2, .first_wave = 3, .has_barrier = true});
  for (unsigned seed = 1; seed <= 60; ++seed) {
    std::mt19937 random(seed);
    Scheduler scheduler(graph, {});
    scheduler.start();
    Player player{graph, scheduler};
    player.play(random, [&](const Decision& decision) {
      return graph.id(decision.step).starts_with("account/a1@x/") && random() % 8 == 0;
    });
    const bool is_failed = !scheduler.is_done(*graph.find("account/a1@x/sweep"));
    EXPECT_EQ(scheduler.is_done(*graph.find("finalize")), !is_failed) << "seed " << seed;
    EXPECT_TRUE(scheduler.is_done(*graph.find("account/a5@x/release"))) << "seed " << seed;
    const auto begun = std::find(player.log.begin(), player.log.end(), "wave/rest/begin");
    ASSERT_NE(begun, player.log.end()) << "seed " << seed;
    for (auto line = begun; line != player.log.end(); ++line)
      EXPECT_FALSE(*line == "account/a0@x/release" || *line == "account/a2@x/flush")
          << "seed " << seed;
  }
}

TEST(SchedulerTest, a_wave_stops_by_share_and_by_hold) {
  const ir::StepGraph graph =
      move_graph({.accounts = 10, .parallel = 1, .stop_failed_permille = 200});
  Scheduler scheduler(graph, {});
  scheduler.start();
  Player player{graph, scheduler};
  std::mt19937 random(1);
  player.play(random, [&](const Decision& decision) {
    return graph.kind(decision.step) == ir::StepKind::archive_copy;
  });
  ASSERT_TRUE(scheduler.stopped_by());
  EXPECT_EQ(scheduler.wave_counts(scheduler.stopped_by()->wave).failed, 2U) << "a fifth of ten";

  const ir::StepGraph held = move_graph({.accounts = 2, .stop_hold_ms = 5'000});
  Scheduler other(held, {});
  other.start();
  other.on_hold_ended(static_cast<ir::RowId>(1), 5'000);
  EXPECT_FALSE(other.is_draining());
  other.on_hold_ended(static_cast<ir::RowId>(1), 5'001);
  EXPECT_TRUE(other.is_draining());
  EXPECT_EQ(other.stopped_by()->held_ms, 5'001U);
}

TEST(SchedulerTest, what_waits_for_a_moment_is_in_nobodys_way) {
  const ir::StepGraph graph = move_graph({.accounts = 3, .parallel = 1});
  Scheduler scheduler(graph, {.threads_max = 1});
  scheduler.restore_done(*graph.find("domain/x"));
  scheduler.restore_done(*graph.find("point/before-waves"));
  scheduler.start();
  for (int i = 0; i < 3; ++i) {
    std::vector<Decision> now = scheduler.next();
    ASSERT_EQ(now.size(), 1U) << "one place in the wave, and the one before left it";
    scheduler.on_done(now[0].step);
    now = scheduler.next();
    ASSERT_EQ(now.size(), 1U);
    EXPECT_EQ(graph.kind(now[0].step), ir::StepKind::archive_copy);
    scheduler.on_waiting(now[0].step);
  }
  EXPECT_EQ(scheduler.sleeping(), 3U);
  EXPECT_EQ(scheduler.running(), 0U);
  EXPECT_TRUE(scheduler.next().empty());
  scheduler.wake(*graph.find("account/a1@x/copy"));
  scheduler.wake(*graph.find("account/a1@x/copy"));
  EXPECT_EQ(names(graph, scheduler.next()), (std::vector<std::string>{"account/a1@x/copy"}));
  scheduler.on_failed(*graph.find("account/a1@x/copy"));
  EXPECT_EQ(scheduler.sleeping(), 2U);
}

TEST(SchedulerTest, five_thousand_accounts_are_scheduled_in_linear_time) {
  const ir::StepGraph graph = move_graph({.accounts = 5'000, .parallel = 8});
  Scheduler scheduler(graph, {});
  scheduler.start();
  std::size_t steps = 0;
  std::vector<Decision> now = scheduler.next();
  while (!now.empty()) {
    for (const Decision& decision : now) scheduler.on_done(decision.step);
    steps += now.size();
    now = scheduler.next();
  }
  EXPECT_TRUE(scheduler.is_complete());
  EXPECT_EQ(steps, graph.size());
}

}  // namespace
}  // namespace plan::engine
