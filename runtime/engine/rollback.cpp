#include "runtime/engine/rollback.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <set>
#include <tuple>

#include "compiler/source/text.h"
#include "runtime/engine/errors.h"
#include "runtime/engine/kill_point.h"
#include "runtime/engine/session.h"
#include "runtime/engine/worker_pool.h"
#include "runtime/step/errors.h"

namespace plan::engine {
namespace {

using ir::index;
using ir::RowId;
using ir::StepId;
using ir::TransactionRole;
using Kind = StepResult::Kind;

constexpr std::chrono::milliseconds kLookEvery{100};

/// The graphs that steps were done from: the present one, and earlier ones of the journal.
class Graphs {
 public:
  Graphs(Journal& journal, const ir::StepGraph& present, std::string present_digest)
      : journal_(journal), present_(present), present_digest_(std::move(present_digest)) {}

  /// The graph with the arguments the step was done with, which has that step.
  Result<const ir::StepGraph*> of(const StepRecord& record) {
    if (record.graph_digest == present_digest_ || record.graph_digest.empty()) return &present_;
    // The same arguments in both: the present one will do, and its rows are the ones asked for.
    if (const auto step = present_.find(record.step);
        step && present_.digest(*step).hex() == record.digest) {
      return &present_;
    }
    const auto known = earlier_.find(record.graph_digest);
    if (known != earlier_.end()) return &known->second;
    PLAN_TRY(graph, journal_.graph(record.graph_digest));
    return &earlier_.emplace(record.graph_digest, std::move(graph)).first->second;
  }

 private:
  Journal& journal_;
  const ir::StepGraph& present_;
  std::string present_digest_;
  std::map<std::string, ir::StepGraph, std::less<>> earlier_;
};

struct Touched {
  StepRecord record = {};
  const ir::StepGraph* graph = nullptr;
  StepId step = {};
  std::int64_t sequence = 0;  ///< open attempts count as the newest
  /// Part of its account's transaction: held, commit, or after those.
  bool is_of_move = false;
};

/// Marks the steps of each account that come with its move: everything from its first held step on.
std::vector<bool> steps_of_moves(const ir::StepGraph& graph) {
  std::vector<bool> is_of_move(graph.size(), false);
  for (const StepId step : graph.order()) {
    if (graph.row(step) == RowId::none) continue;
    bool is_in = graph.role(step) != TransactionRole::none;
    for (const StepId earlier : graph.after(step)) {
      is_in = is_in || (graph.row(earlier) == graph.row(step) && is_of_move[index(earlier)]);
    }
    is_of_move[index(step)] = is_in;
  }
  return is_of_move;
}

/// Everything that may have had an effect, newest first.
Result<std::vector<Touched>> read_touched(Journal& journal, Graphs& graphs) {
  std::vector<StepRecord> records;
  PLAN_TRY_VOID(journal.each_step([&](const StepRecord& record) {
    if (record.state != StepState::waiting && record.state != StepState::undone) {
      records.push_back(record);
    }
  }));
  std::vector<Touched> all;
  std::map<const ir::StepGraph*, std::vector<bool>> moves;
  std::map<const ir::StepGraph*, std::vector<std::size_t>> positions;
  for (StepRecord& record : records) {
    PLAN_TRY(graph, graphs.of(record));
    const auto step = graph->find(record.step);
    if (!step) {
      return Error(errors::journal_damaged,
                   fmt::format("step `{}` is not in the graph it was done from", record.step));
    }
    if (!moves.contains(graph)) moves.emplace(graph, steps_of_moves(*graph));
    Touched touched;
    touched.graph = graph;
    touched.step = *step;
    touched.is_of_move = moves.at(graph)[index(*step)];
    touched.sequence = record.sequence == 0 || record.state == StepState::started ||
                               record.state == StepState::unknown
                           ? INT64_MAX
                           : record.sequence;
    touched.record = std::move(record);
    all.push_back(std::move(touched));
  }
  for (const auto& [graph, ignored] : moves) {
    std::vector<std::size_t>& position = positions[graph];
    position.resize(graph->size());
    for (std::size_t i = 0; i < graph->order().size(); ++i) position[index(graph->order()[i])] = i;
  }
  // An account goes back as a whole, at the place of its newest step; within it the graph's order
  // is the order of doing (a step that was tried again has a late number without being the last).
  std::map<std::pair<const ir::StepGraph*, RowId>, std::int64_t> newest_of_row;
  for (const Touched& touched : all) {
    if (!touched.is_of_move) continue;
    std::int64_t& newest = newest_of_row[{touched.graph, touched.graph->row(touched.step)}];
    newest = std::max(newest, touched.sequence);
  }
  using Place = std::tuple<std::int64_t, std::size_t, std::size_t>;
  const auto place = [&](const Touched& touched) -> Place {
    const RowId row = touched.graph->row(touched.step);
    const std::size_t position = positions.at(touched.graph)[index(touched.step)];
    if (!touched.is_of_move) return {touched.sequence, 0, position};
    return {newest_of_row.at({touched.graph, row}), static_cast<std::size_t>(row), position};
  };
  std::stable_sort(all.begin(), all.end(), [&](const Touched& left, const Touched& right) {
    return place(left) > place(right);
  });
  return all;
}

struct Chosen {
  std::vector<Touched> steps = {};  ///< newest first
  std::vector<Touched> barred = {};
};

Result<Chosen> choose(const std::vector<Touched>& all, const RollbackGoal& goal) {
  Chosen chosen;
  std::set<std::string> accounts;  // those that go back as a whole
  std::int64_t after = INT64_MAX;
  if (const auto* to_point = std::get_if<ToPoint>(&goal)) {
    for (const Touched& touched : all) {
      if (touched.graph->kind(touched.step) != ir::StepKind::mark_rollback_point ||
          touched.record.state != StepState::done) {
        continue;
      }
      if (touched.graph->arguments(touched.step)["point"].string_or("") == to_point->point) {
        after = std::min(after, touched.sequence);
      }
    }
    if (after == INT64_MAX) {
      std::string reached;
      for (auto touched = all.rbegin(); touched != all.rend(); ++touched) {
        if (touched->graph->kind(touched->step) != ir::StepKind::mark_rollback_point ||
            touched->record.state != StepState::done)
          continue;
        reached += reached.empty() ? "" : ", ";
        reached += touched->graph->arguments(touched->step)["point"].string_or("");
      }
      return Error(errors::point_unknown,
                   fmt::format("rollback point `{}` was not reached; {}",
                               printable(to_point->point, 200),
                               reached.empty() ? "none was" : "reached were: " + reached))
          .with_blame(Blame::plan);
    }
    // Who moved before the point stays where it is, also when its flush or sweep ended behind it.
    for (const Touched& touched : all) {
      if (touched.graph->role(touched.step) != TransactionRole::none && touched.sequence > after) {
        accounts.insert(account_of(*touched.graph, touched.step));
      }
    }
  } else {
    for (const Touched& touched : all) {
      if (!touched.is_of_move) continue;
      const std::string account = account_of(*touched.graph, touched.step);
      const ir::WaveInfo* wave = touched.graph->wave_info(touched.graph->wave(touched.step));
      const auto* of_account = std::get_if<OfAccount>(&goal);
      const auto* of_wave = std::get_if<OfWave>(&goal);
      if ((of_account != nullptr && account == of_account->account) ||
          (of_wave != nullptr && wave != nullptr && wave->name == of_wave->wave)) {
        accounts.insert(account);
      }
    }
  }
  for (const Touched& touched : all) {
    const bool is_wanted =
        touched.is_of_move ? accounts.contains(account_of(*touched.graph, touched.step))
                           : touched.sequence > after && !std::holds_alternative<OfAccount>(goal) &&
                                 !std::holds_alternative<OfWave>(goal);
    const ir::StepKindInfo& info = ir::info(touched.graph->kind(touched.step));
    // Once finalized there is no way back by plan: port 25 and the addresses are the target's.
    const bool is_final = touched.graph->stage(touched.step) == ir::Stage::finalize &&
                          info.effect != ir::StepEffect::read && !touched.record.was_satisfied;
    if (is_wanted) {
      if (info.undo == ir::UndoPolicy::irreversible && !touched.record.was_satisfied) {
        chosen.barred.push_back(touched);
      }
      chosen.steps.push_back(touched);
    } else if (is_final && !std::holds_alternative<ToPoint>(goal) && !accounts.empty()) {
      chosen.barred.push_back(touched);
    }
  }
  if (chosen.steps.empty()) {
    std::string words = "nothing was done behind that point, or all of it was undone";
    if (const auto* of_account = std::get_if<OfAccount>(&goal))
      words = fmt::format("{} is at the source: nothing of a move is left to undo",
                          printable(of_account->account, 200));
    if (std::holds_alternative<OfWave>(goal))
      words = "the accounts of that wave are at the source: nothing of their moves is left to undo";
    return Error(errors::nothing_to_roll_back, words).with_blame(Blame::plan);
  }
  return chosen;
}

RollbackStep shown(const Touched& touched) {
  return {.step = touched.record.step,
          .account = account_of(*touched.graph, touched.step),
          .kind = touched.graph->kind(touched.step),
          .undo = ir::info(touched.graph->kind(touched.step)).undo,
          .sequence = touched.record.sequence,
          .was_satisfied = touched.record.was_satisfied};
}

RollbackPlan plan_of(const Chosen& chosen) {
  RollbackPlan plan;
  for (const Touched& touched : chosen.steps) plan.steps.push_back(shown(touched));
  for (const Touched& touched : chosen.barred) plan.barred.push_back(shown(touched));
  return plan;
}

/// What is undone in one go: the move of an account, or one step beside it.
struct Unit {
  std::string account = {};  ///< of a move; else empty
  std::string wave = {};
  std::uint32_t parallel = 1;
  std::vector<Touched> steps = {};  ///< newest first
};

std::vector<Unit> units_of(const std::vector<Touched>& steps) {
  std::vector<Unit> units;
  std::map<std::string, std::size_t> of_account;
  for (const Touched& touched : steps) {
    if (!touched.is_of_move) {
      units.push_back({.steps = {touched}});
      continue;
    }
    const std::string account = account_of(*touched.graph, touched.step);
    const auto known = of_account.find(account);
    if (known != of_account.end()) {
      units[known->second].steps.push_back(touched);
      continue;
    }
    of_account.emplace(account, units.size());
    const ir::WaveInfo* wave = touched.graph->wave_info(touched.graph->wave(touched.step));
    units.push_back({.account = account,
                     .wave = wave == nullptr ? std::string() : wave->name,
                     .parallel = wave == nullptr ? 1 : std::max<std::uint32_t>(1, wave->parallel),
                     .steps = {touched}});
  }
  return units;
}

constexpr double kLooksOfUndo = 2;    // before it and behind it
constexpr double kRecordsOfUndo = 2;  // intent, outcome

/// What undoing one step adds to the hold, after a look at it that took `look_ms`.
RollbackLook::Share share_of(const ir::Observation& seen, double look_ms, double record_ms) {
  // A look that counts what would be carried is no measure of anything in the hold.
  const double looks = seen.messages ? 0 : kLooksOfUndo * look_ms;
  RollbackLook::Share share;
  share.ms = seen.hold_ms.value_or(0) +
             static_cast<std::uint64_t>(std::llround(looks + kRecordsOfUndo * record_ms));
  share.basis = seen.hold_basis;
  const auto add = [&share](const std::string& words) {
    share.basis += (share.basis.empty() ? "" : "; ") + words;
  };
  if (looks >= 1) add(fmt::format("2 looks at the servers of {:.0f} ms", look_ms));
  add(fmt::format("2 writes to the journal of {:.1f} ms", record_ms));
  return share;
}

RollbackLook look_at(const Unit& unit, StepRunner& runner, net::Clock& clock, double record_ms) {
  RollbackLook look{.account = unit.account, .hold_ms = 0};
  double records_ms = 0;
  for (const Touched& touched : unit.steps) {
    const ir::UndoPolicy policy = ir::info(touched.graph->kind(touched.step)).undo;
    if (policy == ir::UndoPolicy::nothing_to_undo || touched.record.was_satisfied) {
      records_ms += record_ms;
      continue;
    }
    const auto begun = clock.now();
    const auto seen = runner.look_before_rollback(*touched.graph, touched.step);
    const std::chrono::duration<double, std::milli> took = clock.now() - begun;
    if (!seen && policy == ir::UndoPolicy::carry_back) {
      look.text = seen.error().to_line();
      look.is_refused = true;
      look.hold_ms.reset();
      look.hold.clear();
      return look;
    }
    if (!seen) {
      look.hold_ms.reset();
      continue;
    }
    if (policy == ir::UndoPolicy::carry_back && !seen->remark.empty()) {
      look.text = seen->remark;
      look.messages = seen->messages;
      look.bytes = seen->bytes;
    }
    look.hold.push_back(share_of(*seen, took.count(), record_ms));
    look.hold.back().step = touched.record.step;
    if (look.hold_ms) *look.hold_ms += look.hold.back().ms;
  }
  if (look.hold_ms) *look.hold_ms += static_cast<std::uint64_t>(std::llround(records_ms));
  return look;
}

/// One run of `plan rollback`.
class Rollback {
 public:
  Rollback(const EngineParts& parts, const EngineOptions& options, Session& session)
      : parts_(parts), options_(options), session_(session), runner_(session.runner()) {}

  Result<RunResult> execute(const Chosen& chosen, bool is_all_or_nothing) {
    std::vector<Unit> units = units_of(chosen.steps);
    PLAN_TRY(holds, parts_.journal.holds());
    for (const HoldRecord& hold : holds) {
      if (!hold.ended_ms) open_holds_.insert(hold.account);
    }
    runner_.emit(report::RunStarted{
        session_.info().run_id, options_.plan_name, chosen.steps.size(), 0,
        static_cast<std::uint64_t>(std::count_if(
            units.begin(), units.end(), [](const Unit& unit) { return !unit.account.empty(); })),
        session_.is_resumed(), true});
    refuse_what_would_be_lost(units);
    if (!refused_.empty() && is_all_or_nothing) {
      total_ = chosen.steps.size();
      return conclude("nothing was undone");
    }
    std::erase_if(units, [&](const Unit& unit) { return refused_.contains(unit.account); });
    for (const Unit& unit : units) total_ += unit.steps.size();
    PLAN_TRY_VOID(void_approvals(units));
    run_units(units);
    if (auto fatal = session_.fatal()) {
      return std::move(*fatal).while_doing("rolling back; run the same command again to go on");
    }
    auto result = conclude("");
    if (journal_lost_)
      return std::move(*journal_lost_)
          .while_doing("rolling back; what was undone since then is in no journal");
    return result;
  }

 private:
  struct UnitResult {
    std::uint64_t undone = 0;
    std::optional<report::Failure> failure = {};
    std::optional<Error> fatal = {};
    bool is_left_held = false;
    bool is_stopped = false;  ///< before anything of it was undone, because somebody asked
    std::string account = {};
  };

  void refuse_what_would_be_lost(const std::vector<Unit>& units) {
    for (const Unit& unit : units) {
      // One that has begun to go back is finished: the question was answered then.
      if (open_holds_.contains(unit.account)) continue;
      for (const Touched& touched : unit.steps) {
        if (ir::info(touched.graph->kind(touched.step)).undo != ir::UndoPolicy::carry_back)
          continue;
        const auto seen = runner_.look_before_rollback(*touched.graph, touched.step);
        if (seen) continue;
        failures_.push_back(runner_.failure_of(*touched.graph, touched.step, seen.error()));
        runner_.emit(report::StepFailed{failures_.back(), true});
        refused_.insert(unit.account);
        break;
      }
    }
  }

  /// Whoever approved something saw the world before this. An approval that has let its step go by
  /// and is not gone back over stays; all the others have to be given anew.
  Outcome void_approvals(const std::vector<Unit>& units) {
    if (units.empty()) return {};
    std::set<std::string> undone;
    for (const Unit& unit : units) {
      if (!unit.account.empty())
        PLAN_TRY_VOID(parts_.journal.use_approval("account:" + unit.account));
      for (const Touched& touched : unit.steps) undone.insert(touched.graph->id(touched.step));
    }
    for (const StepId step : parts_.graph.order()) {
      if (parts_.graph.kind(step) != ir::StepKind::approval) continue;
      const std::string id = parts_.graph.id(step);
      const bool is_of_stage = parts_.graph.wave(step) == ir::WaveId::none;
      PLAN_TRY(record, parts_.journal.step(id));
      const bool has_passed = record && record->state == StepState::done && !undone.contains(id);
      if (has_passed && !is_of_stage) continue;
      PLAN_TRY_VOID(parts_.journal.use_approval(approval_subject(parts_.graph.arguments(step))));
    }
    return {};
  }

  void run_units(const std::vector<Unit>& units) {
    std::size_t next = 0;
    std::size_t running = 0;
    bool is_failed = false;
    bool is_one_stopped = false;
    const std::unique_ptr<Workers> workers = make_workers(options_);
    std::set<std::string> under_way;  // accounts
    while (true) {
      if (parts_.stop.is_requested()) {
        session_.tell_stop(
            [&] { return std::vector<std::string>(under_way.begin(), under_way.end()); });
      }
      if (auto place = parts_.journal.check_place(); !place && !journal_lost_) {
        journal_lost_ = std::move(place).error();
        runner_.stop_what_is_not_held();
      }
      const bool may_begin =
          !is_failed && !journal_lost_ && !parts_.stop.is_requested() && !session_.fatal();
      while (may_begin && next < units.size()) {
        const Unit& unit = units[next];
        // Accounts side by side; a step of its own waits for all newer ones and goes alone.
        const bool is_alone = unit.account.empty();
        if (running > 0 && (is_alone || is_alone_running_ || running >= unit.parallel)) break;
        is_alone_running_ = is_alone;
        ++running;
        ++next;
        if (!is_alone) under_way.insert(unit.account);
        workers->submit([this, &unit] { results_.put(undo(unit)); });
      }
      if (running == 0) break;
      for (UnitResult& result : results_.take(*workers, kLookEvery)) {
        --running;
        is_alone_running_ = false;
        under_way.erase(result.account);
        counts_.undone += result.undone;
        if (result.fatal) session_.set_fatal(std::move(*result.fatal));
        if (result.failure) {
          is_failed = true;
          ++counts_.failed;
          failures_.push_back(std::move(*result.failure));
          if (result.is_left_held) stuck_.push_back(std::move(result.account));
        } else if (result.is_stopped) {
          is_one_stopped = true;
        } else if (!result.account.empty()) {
          ++counts_.accounts_moved;
        }
      }
    }
    is_stopped_ =
        (next < units.size() || is_one_stopped) && parts_.stop.is_requested() && !is_failed;
  }

  /// The part of the way back that needs no hold. An error leaves the account where it is.
  bool prepare(const Unit& unit, UnitResult& result) {
    if (unit.account.empty() || open_holds_.contains(unit.account)) return true;
    for (const Touched& touched : unit.steps) {
      if (ir::info(touched.graph->kind(touched.step)).undo != ir::UndoPolicy::carry_back) continue;
      const Outcome prepared = runner_.prepare_undo(*touched.graph, touched.step);
      if (prepared) continue;
      if (prepared.error().is(step::errors::stopped) && parts_.stop.is_requested()) {
        result.is_stopped = true;
        return false;
      }
      result.failure = runner_.failure_of(*touched.graph, touched.step, prepared.error());
      runner_.emit(report::StepFailed{*result.failure, true});
      return false;
    }
    return true;
  }

  UnitResult undo(const Unit& unit) {
    UnitResult result;
    result.account = unit.account;
    const bool is_move = !unit.account.empty();
    if (!prepare(unit, result)) return result;
    PLAN_KILL_POINT("engine.before-hold-of-rollback");
    const auto begun = parts_.clock.now();
    for (std::size_t i = 0; i < unit.steps.size(); ++i) {
      const Touched& touched = unit.steps[i];
      std::vector<Entry> first;
      if (is_move && i == 0) {
        if (open_holds_.contains(unit.account)) {
          first.push_back(HoldTurned{unit.account});
        } else {
          first.push_back(HoldBegun{unit.account, parts_.clock.wall_ms(), session_.info().boot_id,
                                    static_cast<std::uint64_t>(options_.hold_bound.count()), true,
                                    net::uptime_ms(parts_.clock)});
          // It is the grade of the move that is given back, and says nothing about the next one.
          first.push_back(Graded{unit.account, ir::Value::map()});
        }
        runner_.emit(report::AccountHeld{unit.account, unit.wave,
                                         static_cast<std::uint64_t>(options_.hold_bound.count())});
      }
      StepResult undone = runner_.undo(*touched.graph, touched.step, std::move(first),
                                       is_move && i + 1 == unit.steps.size());
      if (undone.kind == Kind::unrecorded) {
        result.fatal = std::move(undone.error);
        return result;
      }
      if (undone.kind != Kind::done) {
        result.failure = runner_.failure_of(*touched.graph, touched.step, *undone.error);
        result.is_left_held = is_move;
        return result;
      }
      ++result.undone;
    }
    if (is_move) {
      const auto held =
          std::chrono::duration_cast<std::chrono::milliseconds>(parts_.clock.now() - begun);
      runner_.emit(report::AccountReleased{
          unit.account, unit.wave,
          static_cast<std::uint64_t>(std::max<std::int64_t>(0, held.count())), false});
    }
    return result;
  }

  Result<RunResult> conclude(const std::string& said) {
    RunResult result;
    result.run_id = session_.info().run_id;
    counts_.failed = std::max<std::uint64_t>(counts_.failed, failures_.size());
    counts_.waiting = total_ - std::min(total_, counts_.undone);
    result.counts = counts_;
    result.failures = std::move(failures_);
    result.accounts_held = std::move(stuck_);
    if (!result.failures.empty()) {
      result.ending = report::Ending::failed;
      result.message = said.empty() ? fmt::format(
                                          "{} steps were undone, {} could not be; run the same "
                                          "command again to go on",
                                          counts_.undone, result.failures.size())
                                    : said + ": " + result.failures.front().message;
    } else if (is_stopped_) {
      result.ending = report::Ending::stopped;
      result.message = "no account is held; run the same command again to go on";
    } else {
      result.message = "the rollback is done; plan status shows where everything stands";
    }
    PLAN_TRY_VOID(session_.end(result));
    return result;
  }

  const EngineParts& parts_;
  const EngineOptions& options_;
  Session& session_;
  StepRunner& runner_;
  Mailbox<UnitResult> results_;
  std::set<std::string> open_holds_;
  std::set<std::string> refused_;
  std::vector<report::Failure> failures_;
  std::vector<std::string> stuck_;
  RunCounts counts_;
  std::uint64_t total_ = 0;
  bool is_alone_running_ = false;
  bool is_stopped_ = false;
  std::optional<Error> journal_lost_ = {};
};

}  // namespace

Result<RollbackPlan> plan_rollback(Journal& journal, const ir::StepGraph& graph,
                                   const RollbackGoal& goal) {
  Graphs graphs(journal, graph, graph_digest(graph));
  PLAN_TRY(all, read_touched(journal, graphs));
  PLAN_TRY(chosen, choose(all, goal));
  return plan_of(chosen);
}

Outcome check_not_barred(const RollbackPlan& plan, const RollbackGoal& goal) {
  if (plan.barred.empty()) return {};
  // The oldest: what lies behind it can still be reached by nobody.
  const RollbackStep& step = plan.barred.back();
  std::string what = "this";
  if (const auto* to_point = std::get_if<ToPoint>(&goal))
    what = fmt::format("rollback point `{}`", printable(to_point->point, 200));
  if (const auto* account = std::get_if<OfAccount>(&goal))
    what = fmt::format("the source for {}", printable(account->account, 200));
  if (const auto* wave = std::get_if<OfWave>(&goal))
    what = fmt::format("the source for wave {}", printable(wave->wave, 200));
  return Error(
             errors::undo_barred,
             fmt::format("{} can no longer be reached: `{}` ({}) was done and cannot be undone by "
                         "plan",
                         what, step.step, ir::info(step.kind).name))
      .with_blame(Blame::plan);
}

Result<std::vector<RollbackLook>> look_before_rollback(const EngineParts& parts,
                                                       const EngineOptions& options,
                                                       const RollbackGoal& goal,
                                                       std::size_t accounts_max,
                                                       double durable_write_ms) {
  Graphs graphs(parts.journal, parts.graph, graph_digest(parts.graph));
  PLAN_TRY(all, read_touched(parts.journal, graphs));
  PLAN_TRY(chosen, choose(all, goal));
  StepRunner runner(parts, options, "", options.boot_id);  // of no run
  std::vector<RollbackLook> looks;
  for (const Unit& unit : units_of(chosen.steps)) {
    if (unit.account.empty()) continue;
    if (looks.size() >= accounts_max || parts.stop.is_requested()) break;
    looks.push_back(look_at(unit, runner, parts.clock, durable_write_ms));
  }
  return looks;
}

Result<RunResult> roll_back(const EngineParts& parts, const EngineOptions& options,
                            const RollbackGoal& goal) {
  PLAN_TRY(session, Session::begin(parts, options, true));
  Graphs graphs(parts.journal, parts.graph, session->info().graph_digest);
  PLAN_TRY(all, read_touched(parts.journal, graphs));
  auto choice = choose(all, goal);
  // Interrupted after its last undo: what is left is to say so.
  const bool is_all_undone =
      !choice && session->is_resumed() && choice.error().is(errors::nothing_to_roll_back);
  if (!choice && !is_all_undone) return std::move(choice).error();
  const Chosen chosen = choice ? std::move(*choice) : Chosen();
  PLAN_TRY_VOID(check_not_barred(plan_of(chosen), goal));
  PLAN_TRY_VOID(parts.journal.begin_run(session->info(), parts.graph));
  PLAN_KILL_POINT("engine.after-run-begun");
  Rollback rollback(parts, options, *session);
  return rollback.execute(chosen, std::holds_alternative<ToPoint>(goal));
}

}  // namespace plan::engine
