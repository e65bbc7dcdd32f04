#include "tests/crash/simulation/scenario.h"

#include <fmt/format.h>
#include <stdlib.h>

#include <filesystem>
#include <set>

#include "compiler/source/check.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/errors.h"
#include "runtime/engine/kill_point.h"
#include "runtime/engine/rollback.h"
#include "runtime/store/fault_vfs.h"
#include "tests/support/move_graph.h"

namespace plan::simulation {
namespace {

using report::Ending;

constexpr int kTriesMax = 40;
constexpr int kRunsWithoutIt = 6;
constexpr unsigned kMessagesOfStage = 14;
constexpr milliseconds kSettled = std::chrono::minutes(40);  ///< longer than every retry of a queue

/// What the engine says, for whoever looks for the cause of a failure (PLAN_TRACE=1).
class Teller final : public report::EventSink {
 public:
  void on(const report::Event& event) override {
    if (is_wanted_) fmt::print("{} {}\n", event.wall_ms, report::to_line(event));
  }
  void tell(std::int64_t wall_ms, std::string_view what) const {
    if (is_wanted_) fmt::print("{} {}\n", wall_ms, what);
  }

 private:
  const bool is_wanted_ = ::getenv("PLAN_TRACE") != nullptr;
};

class NoSecrets final : public secret::SecretSource {
 public:
  Result<secret::Secret> read(const ir::SecretRef&) override { return secret::Secret("x"); }
  Result<ir::SecretRef> seal(const secret::Secret&) override {
    return ir::SecretRef{"sealed", "x"};
  }
};

/// One folder for all: in memory where the machine has such a file system.
class Folder {
 public:
  Folder() {
    const bool has_memory = std::filesystem::exists("/dev/shm");
    std::string pattern =
        (has_memory ? std::filesystem::path("/dev/shm") : std::filesystem::temp_directory_path()) /
        "plan-simulation-XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string journal() const { return path_ / "journal.sqlite"; }

 private:
  std::filesystem::path path_;
};

enum class End : std::uint8_t { finished, approval_needed, nothing_to_do, again };

class Scenario {
 public:
  explicit Scenario(const Wish& wish)
      : wish_(wish),
        time_(wish.seed),
        clock_(time_),
        world_(time_),
        machine_(world_),
        drivers_(simulated_drivers(machine_)),
        graph_(test::move_graph({.accounts = kAccounts,
                                 .parallel = static_cast<std::uint32_t>(1 + time_.random(3)),
                                 .is_finalize_approved = true})) {
    machine_.sabotage = wish.sabotage;
    machine_.faults_permille = wish.faults_permille;
    world_.ignores_goodbye = wish.ignores_goodbye;
    world_.source.account(0).is_renamed = wish.is_first_renamed;
    vfs_.ignore_syncs(wish.sabotage == Sabotage::syncs_left_out);
    engine::watch_kill_points([this](std::string_view name) { pass(name); });
  }
  ~Scenario() { engine::watch_kill_points({}); }
  Scenario(const Scenario&) = delete;
  Scenario& operator=(const Scenario&) = delete;

  Verdict play() {
    verdict_.wrong = wish_.is_first_renamed   ? story_of_a_renamed_account()
                     : wish_.is_renamed_there ? story_of_a_name_that_changes()
                                              : story();
    verdict_.calls = machine_.calls;
    verdict_.faults = machine_.faults;
    verdict_.messages = world_.books.made();
    return std::move(verdict_);
  }

 private:
  std::string story() {
    std::array<Side, kAccounts> sides = {};
    sides.fill(Side::target);
    begin(Stage::move);
    if (auto wrong = until(End::approval_needed, {}); !wrong.empty()) return wrong;
    time_.sleep(time_.between(milliseconds(0), milliseconds(8000)));
    if (time_.is_chance(300)) {
      if (auto wrong = settle(sides); !wrong.empty()) return wrong;
    }
    begin(Stage::way_back);
    const std::size_t account = time_.random(kAccounts);
    engine::RollbackGoal goal = engine::OfAccount{"a" + std::to_string(account) + "@x"};
    if (time_.is_chance(250)) {
      goal = engine::OfWave{"rest"};
      sides.fill(Side::source);
    } else {
      sides[account] = Side::source;
    }
    if (auto wrong = until(End::finished, goal); !wrong.empty()) return wrong;
    time_.sleep(time_.between(milliseconds(0), milliseconds(8000)));
    if (time_.is_chance(700)) {
      if (auto wrong = settle(sides); !wrong.empty()) return wrong;
    }
    begin(Stage::second_move);
    sides.fill(Side::target);
    if (auto wrong = until(End::approval_needed, {}); !wrong.empty()) return wrong;
    if (auto wrong = approve(); !wrong.empty()) return wrong;
    if (auto wrong = until(End::finished, {}); !wrong.empty()) return wrong;
    if (world_.finalized == 0) return "the last stage was said to be done and was not";
    return settle(sides);
  }

  /// The others move; the one that plan cannot read any more stays where its mail comes to.
  std::string story_of_a_renamed_account() {
    std::array<Side, kAccounts> sides = {};
    sides.fill(Side::target);
    sides[0] = Side::source;
    begin(Stage::move);
    for (int i = 0; i < kTriesMax; ++i) {
      if (process({}) == End::approval_needed) return "a move without the first account was enough";
      if (last_failures_ == std::set<std::string>{"a0@x"}) break;
      time_.sleep(time_.between(milliseconds(50), milliseconds(12'000)));
    }
    if (last_failures_ != std::set<std::string>{"a0@x"})
      return "not the first account alone has failed: " + last_;
    return settle(sides);
  }

  /// Renamed in the middle of its move: nobody else fails, and nothing is lost or doubled once plan
  /// finds it again.
  std::string story_of_a_name_that_changes() {
    std::array<Side, kAccounts> sides = {};
    sides.fill(Side::target);
    begin(Stage::move);
    int runs_without_it = 0;
    for (int i = 0; i < kTriesMax && runs_without_it < kRunsWithoutIt; ++i) {
      const End end = process({});
      if (!world_.books.violation().empty()) return world_.books.violation();
      if (end == End::approval_needed) break;
      if (verdict_.is_reached) ++runs_without_it;
      time_.sleep(time_.between(milliseconds(50), milliseconds(40'000)));
    }
    const bool is_alone = last_failures_.empty() || last_failures_ == std::set<std::string>{"a0@x"};
    if (!is_alone) return "not the renamed account alone has failed: " + last_;
    world_.source.account(0).is_renamed = false;
    if (auto wrong = until(End::approval_needed, {}); !wrong.empty()) return wrong;
    return settle(sides);
  }

  void begin(Stage stage) {
    stage_ = stage;
    world_.begin_traffic(kMessagesOfStage);
  }

  /// Nobody sends and nobody works any more; then the books are compared.
  std::string settle(const std::array<Side, kAccounts>& sides) {
    time_.sleep(kSettled + wish_.outage);
    const std::string wrong = world_.judge(sides);
    return wrong.empty() ? wrong : fmt::format("{} ({})", wrong, to_string(stage_));
  }

  std::string approve() {
    auto journal = open();
    if (!journal) return journal.error().to_line();
    const Outcome added = (*journal)->add_request(
        {.kind = engine::RequestKind::approve, .subject = "stage:finalize"});
    return added ? std::string() : added.error().to_line();
  }

  /// The same command again and again, as an operator or systemd does it.
  std::string until(End wanted, const std::optional<engine::RollbackGoal>& goal) {
    for (int i = 0; i < kTriesMax; ++i) {
      const End end = process(goal);
      if (!world_.books.violation().empty()) return world_.books.violation();
      if (end == wanted || end == End::nothing_to_do) return {};
      const bool is_long =
          time_.is_chance(100) || (verdict_.is_reached && wish_.outage.count() > 0);
      time_.sleep(is_long ? time_.between(milliseconds(20'000), milliseconds(400'000))
                          : time_.between(milliseconds(50), milliseconds(12'000)));
    }
    return fmt::format("did not come to its end in {} tries ({}): {}", kTriesMax, to_string(stage_),
                       last_);
  }

  Result<std::unique_ptr<engine::Journal>> open() {
    return engine::open_journal(folder_.journal(), {.vfs = vfs_.name(), .clock = &clock_});
  }

  End process(const std::optional<engine::RollbackGoal>& goal) {
    ++verdict_.processes;
    machine_.is_dead = false;
    const End end = run(goal);
    // The process is gone, and its open files with it.
    if (is_power_cut_) {
      vfs_.lose_unsynced(time_.random(1U << 30U), static_cast<unsigned>(time_.random(100)));
      ++boot_;
    } else if (machine_.is_dead) {
      vfs_.lose_unsynced(1, 100);
    }
    is_power_cut_ = false;
    machine_.is_dead = false;
    vfs_.limit_space(UINT64_MAX);
    return end;
  }

  End run(const std::optional<engine::RollbackGoal>& goal) {
    auto journal = open();
    if (!journal) {
      last_ = journal.error().to_line();
      return End::again;
    }
    step::StopSignal stop;
    engine::EngineOptions options;
    options.plan_name = "simulated";
    options.boot_id = fmt::format("boot-{}", boot_);
    options.workers = [this] { return std::make_unique<VirtualWorkers>(time_); };
    const engine::EngineParts parts{graph_, **journal, drivers_, secrets_, clock_, events_, stop};
    const auto result =
        goal ? engine::roll_back(parts, options, *goal) : engine::run(parts, options);
    if (machine_.is_dead) {
      last_ = "killed";
      return End::again;
    }
    if (!result) {
      last_ = result.error().to_line();
      return result.error().is(engine::errors::nothing_to_roll_back) ? End::nothing_to_do
                                                                     : End::again;
    }
    last_ = result->message;
    last_failures_.clear();
    for (const auto& failure : result->failures) last_failures_.insert(failure.account);
    if (result->ending == Ending::finished) return End::finished;
    const bool is_about_finalize =
        result->ending == Ending::needs_approval && result->failures.empty();
    return is_about_finalize ? End::approval_needed : End::again;
  }

  void pass(std::string_view name) {
    if (machine_.is_dead) return;
    const int number = ++verdict_.passes[{stage_, std::string(name)}];
    if (stage_ != wish_.stage || name != wish_.kill_point || number != wish_.pass) return;
    verdict_.is_reached = true;
    if (wish_.is_renamed_there) {
      world_.source.account(0).is_renamed = true;
      return;
    }
    events_.tell(clock_.wall_ms(), fmt::format("--- {} at {}", to_string(wish_.victim), name));
    const bool is_long = time_.is_chance(150);
    milliseconds down = is_long ? time_.between(milliseconds(20'000), milliseconds(300'000))
                                : time_.between(milliseconds(100), milliseconds(6'000));
    if (wish_.outage.count() > 0) down = wish_.outage;
    clock_.jump(wish_.jump);
    switch (wish_.victim) {
      case Victim::power_cut:
        is_power_cut_ = true;
        [[fallthrough]];
      case Victim::plan_killed:
        machine_.is_dead = true;
        vfs_.crash();
        return;
      case Victim::proxy_killed:
        world_.proxies[time_.random(kProxies)]->kill(down);
        return;
      case Victim::source_killed:
        world_.source.kill(down);
        return;
      case Victim::target_killed:
        world_.target.kill(down);
        return;
      case Victim::reply_lost:
        machine_.next_fault = Fault::lost_reply;
        return;
      case Victim::call_doubled:
        machine_.next_fault = Fault::doubled_call;
        return;
      case Victim::disk_full:
        vfs_.limit_space(0);
        return;
    }
  }

  const Wish wish_;
  Folder folder_;
  store::FaultVfs vfs_{"simulation"};
  VirtualTime time_;
  VirtualClock clock_;
  World world_;
  Machine machine_;
  step::DriverTable drivers_;
  ir::StepGraph graph_;
  Teller events_;
  NoSecrets secrets_;
  Verdict verdict_;
  Stage stage_ = Stage::move;
  int boot_ = 1;
  bool is_power_cut_ = false;
  std::string last_;
  std::set<std::string> last_failures_;
};

}  // namespace

std::string_view to_string(Victim victim) {
  switch (victim) {
    case Victim::plan_killed:
      return "plan killed";
    case Victim::power_cut:
      return "power cut, unsynced writes lost";
    case Victim::proxy_killed:
      return "proxy killed";
    case Victim::source_killed:
      return "source killed";
    case Victim::target_killed:
      return "target killed";
    case Victim::reply_lost:
      return "reply lost after the effect";
    case Victim::call_doubled:
      return "call doubled";
    case Victim::disk_full:
      return "disk full";
  }
  return "";
}

std::string_view to_string(Stage stage) {
  switch (stage) {
    case Stage::move:
      return "move";
    case Stage::way_back:
      return "way back";
    case Stage::second_move:
      return "second move";
  }
  return "";
}

std::string Wish::show() const {
  return fmt::format("{}, {} pass {}, {}, {} of 1000 calls faulty", to_string(stage), kill_point,
                     pass, to_string(victim), faults_permille);
}

Verdict play(const Wish& wish) { return Scenario(wish).play(); }

}  // namespace plan::simulation
