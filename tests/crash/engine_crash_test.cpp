// The engine killed with -9 at every kill point and inside every effect, its journal cut off from
// power at any write, its disk full: each time the run is begun again and the world's own books are
// read (tests/support/fake_world.h). Nothing lost, nothing twice, one authority. A failure names
// the point and pass; the seeded runs name their seed, and PLAN_SEED=n repeats one.
#include <sys/mman.h>
#include <sys/wait.h>

#include <cstdlib>
#include <new>
#include <random>

#include "runtime/engine/kill_point.h"
#include "tests/unit/runtime/engine/engine_fixture.h"

namespace plan::engine {
namespace {

using report::Ending;
using test::World;
using test::WorldFault;

/// How a child process ended.
enum class End : std::uint8_t { finished, not_finished, refused, killed, strange };

struct Job {
  std::string kill_point = {};  ///< "name:n"; empty: nowhere
  std::string boot_id = "boot-1";
  bool is_rollback = false;
  std::uint32_t parallel = 1;
  bool is_from_stalwart = false;
};

class CrashTest : public ::testing::Test {
 protected:
  CrashTest() {
    void* memory =
        ::mmap(nullptr, sizeof(World), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    world_ = new (memory) World();
  }
  ~CrashTest() override { ::munmap(world_, sizeof(World)); }

  void begin_anew() {
    std::destroy_at(world_);
    new (world_) World();
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      std::filesystem::remove_all(entry.path(), ignored);
    }
  }

  /// One process: opens the journal, runs, ends or is killed.
  End run(const Job& job) {
    world_->lock.clear();  // a killed process may have held it
    const pid_t child = ::fork();
    if (child == 0) {
      if (!job.kill_point.empty()) ::setenv("PLAN_KILL_POINT", job.kill_point.c_str(), 1);
      ::_exit(static_cast<int>(run_here(job)));
    }
    int status = 0;
    ::waitpid(child, &status, 0);
    if (WIFSIGNALED(status)) return WTERMSIG(status) == SIGKILL ? End::killed : End::strange;
    const int code = WEXITSTATUS(status);
    return code <= static_cast<int>(End::refused) ? static_cast<End>(code) : End::strange;
  }

  End run_here(const Job& job) {
    // A VFS that does not sync: a kill loses nothing that was written, and a sync costs a
    // millisecond.
    store::FaultVfs vfs("crash");
    StillClock clock;
    report::EventRecorder events;
    step::StopSignal stop;
    NoSecrets secrets;
    const ir::StepGraph graph = test::move_graph({.accounts = 3,
                                                  .parallel = job.parallel,
                                                  .has_last_stage = true,
                                                  .is_from_stalwart = job.is_from_stalwart});
    const step::DriverTable drivers = world_drivers(*world_);
    auto journal =
        open_journal(folder_.file("journal.sqlite"), {.vfs = vfs.name(), .clock = &clock});
    if (!journal) return End::refused;
    EngineOptions options;
    options.plan_name = "crash";
    options.boot_id = job.boot_id;
    const EngineParts parts{graph, **journal, drivers, secrets, clock, events, stop};
    const auto result = job.is_rollback ? engine::roll_back(parts, options, OfAccount{"a0@x"})
                                        : engine::run(parts, options);
    if (!result) {
      if (!job.is_rollback) std::fprintf(stderr, "refused: %s\n", result.error().to_line().c_str());
      return End::refused;
    }
    return result->ending == Ending::finished ? End::finished : End::not_finished;
  }

  World* world_ = nullptr;
  test::TempDir folder_;
};

std::string at_pass(const KillPoint& point, int pass) {
  return std::string(point.name) + ":" + std::to_string(pass);
}

TEST_F(CrashTest, killed_at_every_kill_point_the_same_command_goes_on) {
  std::size_t kills = 0;
  for (const KillPoint& point : all_kill_points()) {
    for (int pass = 1; pass < 200; ++pass) {
      begin_anew();
      const End first = run({.kill_point = at_pass(point, pass)});
      if (first != End::killed) {
        ASSERT_EQ(first, End::finished) << at_pass(point, pass);
        break;
      }
      ++kills;
      ASSERT_EQ(run({}), End::finished) << "killed at " << at_pass(point, pass);
      ASSERT_EQ(world_->verdict(3, true), "") << "killed at " << at_pass(point, pass);
      // Nothing shows whether that step was done: it may be made twice, never left out.
      ASSERT_GE(world_->finalized, 1U) << "killed at " << at_pass(point, pass);
      ASSERT_EQ(world_->address_finalized, 1U) << "killed at " << at_pass(point, pass);
      ASSERT_EQ(world_->domain_made, 0U) << "restored; killed at " << at_pass(point, pass);
    }
  }
  std::printf("%zu kills\n", kills);
  EXPECT_GT(kills, 200U);
}

/// Its steps of the source are others: source.hold, source.freeze, source.forward.
TEST_F(CrashTest, a_move_from_an_old_stalwart_goes_on_and_back_the_same) {
  std::size_t kills = 0;
  for (const std::string_view name :
       {"journal.after-intent", "driver.after-apply", "journal.after-outcome"}) {
    for (int pass = 1; pass < 200; ++pass) {
      begin_anew();
      const std::string at = std::string(name) + ":" + std::to_string(pass);
      const End first = run({.kill_point = at, .is_from_stalwart = true});
      if (first != End::killed) break;
      ++kills;
      ASSERT_EQ(run({.is_from_stalwart = true}), End::finished) << "killed at " << at;
      ASSERT_EQ(world_->verdict(3, true), "") << "killed at " << at;
    }
  }
  EXPECT_GT(kills, 100U);
  for (const KillPoint& point : all_kill_points()) {
    if (point.name.find("und") == std::string_view::npos) continue;
    for (int pass = 1; pass < 50; ++pass) {
      begin_anew();
      world_->has_poor_content[2] = true;  // finalize has not run
      ASSERT_EQ(run({.is_from_stalwart = true}), End::not_finished);
      const End first =
          run({.kill_point = at_pass(point, pass), .is_rollback = true, .is_from_stalwart = true});
      if (first != End::killed) break;
      ++kills;
      ASSERT_EQ(run({.is_rollback = true, .is_from_stalwart = true}), End::finished)
          << "killed at " << at_pass(point, pass);
      ASSERT_EQ(world_->verdict(3, false), "") << "killed at " << at_pass(point, pass);
      ASSERT_FALSE(world_->accounts[0].is_at_target) << "killed at " << at_pass(point, pass);
    }
  }
  EXPECT_GT(kills, 120U);
}

TEST_F(CrashTest, after_a_reboot_a_held_account_goes_back_first_and_then_moves) {
  std::size_t kills = 0;
  for (const std::string_view name :
       {"journal.after-intent", "driver.after-apply", "journal.after-outcome"}) {
    for (int pass = 1; pass < 200; ++pass) {
      begin_anew();
      const std::string at = std::string(name) + ":" + std::to_string(pass);
      const End first = run({.kill_point = at});
      if (first != End::killed) break;
      ++kills;
      ASSERT_EQ(run({.boot_id = "boot-2"}), End::finished) << "killed at " << at;
      ASSERT_EQ(world_->verdict(3, true), "") << "killed at " << at;
    }
  }
  EXPECT_GT(kills, 100U);
}

TEST_F(CrashTest, killed_in_the_undo_of_an_account_the_undo_is_finished) {
  std::size_t kills = 0;
  for (const KillPoint& point : all_kill_points()) {
    const bool is_of_undo = point.name.find("und") != std::string_view::npos;
    if (!is_of_undo) continue;
    for (int pass = 1; pass < 50; ++pass) {
      begin_anew();
      world_->has_poor_content[1] = true;
      const End first = run({.kill_point = at_pass(point, pass)});
      if (first != End::killed) break;
      ++kills;
      ASSERT_EQ(run({}), End::not_finished) << "killed at " << at_pass(point, pass);
      ASSERT_EQ(world_->verdict(3, false), "") << "killed at " << at_pass(point, pass);
      world_->has_poor_content[1] = false;
      ASSERT_EQ(run({}), End::finished) << "killed at " << at_pass(point, pass);
      ASSERT_EQ(world_->verdict(3, true), "") << "killed at " << at_pass(point, pass);
    }
  }
  EXPECT_GE(kills, 12U);
}

TEST_F(CrashTest, killed_in_a_rollback_the_same_command_finishes_it_and_so_does_apply) {
  std::size_t kills = 0;
  for (const KillPoint& point : all_kill_points()) {
    for (int pass = 1; pass < 50; ++pass) {
      for (const bool goes_on_with_apply : {false, true}) {
        begin_anew();
        world_->has_poor_content[2] = true;  // finalize has not run
        ASSERT_EQ(run({}), End::not_finished);
        const End first = run({.kill_point = at_pass(point, pass), .is_rollback = true});
        if (first != End::killed) {
          pass = 50;
          break;
        }
        ++kills;
        if (goes_on_with_apply) {
          world_->has_poor_content[2] = false;
          ASSERT_EQ(run({}), End::finished) << "killed at " << at_pass(point, pass);
          ASSERT_EQ(world_->verdict(3, true), "") << "killed at " << at_pass(point, pass);
        } else {
          ASSERT_EQ(run({.is_rollback = true}), End::finished)
              << "killed at " << at_pass(point, pass);
          ASSERT_EQ(world_->verdict(3, false), "") << "killed at " << at_pass(point, pass);
          ASSERT_FALSE(world_->accounts[0].is_at_target) << "killed at " << at_pass(point, pass);
          ASSERT_TRUE(world_->accounts[1].is_at_target);
        }
      }
    }
  }
  EXPECT_GT(kills, 40U);
}

TEST_F(CrashTest, killed_inside_every_effect_before_and_after_it) {
  for (const WorldFault::Kind kind :
       {WorldFault::Kind::killed_before, WorldFault::Kind::killed_after}) {
    for (const std::uint32_t parallel : {1U, 3U}) {
      for (std::uint32_t at = 1; at <= 47; ++at) {
        begin_anew();
        world_->fault = {kind, at};
        const End first = run({.parallel = parallel});
        ASSERT_TRUE(first == End::killed || first == End::finished) << at;
        ASSERT_EQ(run({.parallel = parallel}), End::finished) << "killed at effect " << at;
        ASSERT_EQ(world_->verdict(3, true), "") << "killed at effect " << at;
      }
    }
  }
}

TEST_F(CrashTest, seeded_runs_with_several_kills_faults_and_reboots) {
  const char* wanted = std::getenv("PLAN_SEED");
  const std::uint64_t first = wanted == nullptr ? 1 : std::strtoull(wanted, nullptr, 10);
  const bool is_long = std::getenv("PLAN_LONG_TESTS") != nullptr;
  const std::uint64_t last = wanted != nullptr ? first : is_long ? 3000 : 80;
  const auto points = all_kill_points();
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    SCOPED_TRACE("PLAN_SEED=" + std::to_string(seed) +
                 " crash_engine --gtest_filter='*seeded_runs*'");
    std::mt19937_64 random(seed);
    begin_anew();
    const auto kind = static_cast<WorldFault::Kind>(random() % 8);
    world_->fault = {kind, static_cast<std::uint32_t>(1 + random() % 60)};
    world_->has_poor_content[random() % 3] = random() % 4 == 0;
    const std::uint32_t tries = 2 + static_cast<std::uint32_t>(random() % 4);
    for (std::uint32_t i = 0; i < tries; ++i) {
      const KillPoint& point = points[random() % points.size()];
      const End end = run({.kill_point = at_pass(point, static_cast<int>(1 + random() % 40)),
                           .boot_id = random() % 3 == 0 ? "boot-" + std::to_string(i) : "boot-1",
                           .is_rollback = random() % 5 == 0});
      ASSERT_NE(end, End::strange);
    }
    world_->has_poor_content = {};
    world_->fault = {};
    End end = run({});
    // One more when the last interruption left an account that goes back for a reason of its own.
    if (end != End::finished) end = run({});
    ASSERT_EQ(end, End::finished);
    ASSERT_EQ(world_->verdict(3, true), "");
  }
}

// --- the disk below the journal ---

class PowerTest : public EngineTest {
 protected:
  /// Every write with PLAN_LONG_TESTS, else a sample that shifts over all of them.
  static std::uint64_t stride() { return std::getenv("PLAN_LONG_TESTS") == nullptr ? 11 : 1; }

  void begin_anew() {
    std::destroy_at(&world_);
    std::construct_at(&world_);
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      std::filesystem::remove_all(entry.path(), ignored);
    }
  }
};

TEST_F(PowerTest, power_cut_at_any_write_of_the_journal) {
  const ir::StepGraph graph = test::move_graph({.parallel = 1});
  std::size_t cuts = 0;
  for (std::uint64_t at = 1; at < 2500; at += stride()) {
    begin_anew();
    vfs_.crash_after(at);
    {
      const auto first = run(graph);
      if (!vfs_.is_crashed()) break;
      // The last writes come when the database is closed: then all was recorded before.
      ASSERT_TRUE(!first || first->ending == Ending::finished);
    }
    ++cuts;
    vfs_.lose_unsynced(at, static_cast<unsigned>(at % 100));
    const auto again = run(graph);
    ASSERT_TRUE(again) << "cut at " << at << ": " << again.error().to_line();
    ASSERT_EQ(again->ending, Ending::finished) << "cut at " << at << ": " << again->message;
    ASSERT_EQ(world_.verdict(3, true), "") << "cut at " << at;
  }
  EXPECT_GT(cuts, 50U);
}

TEST_F(PowerTest, a_journal_whose_syncs_are_left_out_is_caught) {
  // Sabotage: with the syncs ignored some power cut must show, or the test above proves nothing.
  const ir::StepGraph graph = test::move_graph({.parallel = 1});
  std::size_t caught = 0;
  for (std::uint64_t at = 40; at < 600 && caught == 0; at += 20) {
    begin_anew();
    vfs_.ignore_syncs(true);
    vfs_.crash_after(at);
    static_cast<void>(run(graph).has_value());
    vfs_.lose_unsynced(at, 0);
    vfs_.ignore_syncs(false);
    const auto again = run(graph);
    if (!again || again->ending != Ending::finished || !world_.verdict(3, true).empty() ||
        world_.finalized != 1) {
      ++caught;
      continue;
    }
    // Nothing may be visible in the world because drivers converge; the journal itself has
    // forgotten.
    auto journal = open();
    std::size_t begun = 0;
    ASSERT_TRUE((*journal)->each_history("", [&](const HistoryRecord& record) {
      begun += record.step == "account/a0@x/create" && record.what == "started" ? 1U : 0U;
      return true;
    }));
    if (begun == 1 && world_.effects > 46) ++caught;
  }
  EXPECT_GT(caught, 0U);
}

TEST_F(PowerTest, a_full_disk_stops_the_run_and_the_same_command_goes_on) {
  const ir::StepGraph graph = test::move_graph({.parallel = 1});
  std::size_t stopped = 0;
  for (std::uint64_t space = 150'000; space < 1'500'000; space += 60'000) {
    begin_anew();
    vfs_.limit_space(space);
    const auto first = run(graph);
    if (!first) {
      ++stopped;
    }
    vfs_.limit_space(UINT64_MAX);
    const auto again = run(graph);
    ASSERT_TRUE(again) << space << ": " << again.error().to_line();
    ASSERT_EQ(again->ending, Ending::finished) << space << ": " << again->message;
    ASSERT_EQ(world_.verdict(3, true), "") << space;
  }
  EXPECT_GT(stopped, 3U);
}

TEST_F(PowerTest, every_kill_point_has_a_name_of_its_own_and_a_meaning) {
  std::set<std::string_view> names;
  for (const KillPoint& point : all_kill_points()) {
    EXPECT_TRUE(names.insert(point.name).second) << point.name;
    EXPECT_FALSE(point.meaning.empty()) << point.name;
  }
}

}  // namespace
}  // namespace plan::engine
