#include "runtime/engine/recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <unordered_map>

#include "runtime/engine/errors.h"
#include "runtime/engine/step_runner.h"

namespace plan::engine {
namespace {

using ir::index;
using ir::RowId;
using ir::StepId;
using ir::TransactionRole;

/// The part of a record that decides, by step of the graph.
struct Known {
  StepState state = StepState::waiting;
  bool is_same = false;        ///< done from the same kind and arguments
  bool had_no_effect = false;  ///< failed, and the driver says that nothing was done
};

struct RowSteps {
  std::vector<StepId> all;
  std::vector<StepId> held;  ///< in the order in which they are done
  std::vector<StepId> commit;
};

bool is_touched(StepState state) {
  return state != StepState::waiting && state != StepState::undone;
}

/// How long a hold is by now; negative: nobody can tell. The wall clock may have jumped since, so
/// on the same boot only the monotonic one counts; a journal of an earlier plan lacks it.
std::int64_t held_for(const HoldRecord& hold, const RecoveryView& now) {
  if (hold.up_ms && hold.boot_id == now.boot_id) return now.up_ms - *hold.up_ms;
  return now.wall_ms - hold.begun_ms;
}

/// Steps of the row that come before its commit steps; they must not run for a row that has moved.
std::vector<StepId> before_commit(const ir::StepGraph& graph, RowId row, const RowSteps& steps) {
  std::vector<StepId> found;
  std::vector<StepId> open = steps.commit;
  while (!open.empty()) {
    const StepId step = open.back();
    open.pop_back();
    for (const StepId earlier : graph.after(step)) {
      if (graph.row(earlier) != row) continue;
      if (std::find(found.begin(), found.end(), earlier) != found.end()) continue;
      found.push_back(earlier);
      open.push_back(earlier);
    }
  }
  return found;
}

/// A mark stands for everything before it: when an account that was there has gone back since, the
/// mark is not reached any more, and what comes after it waits for the account's next move. Passing
/// it again costs nothing. The approval of a stage is dropped for the same reason: it was given for
/// what stood before it then.
void drop_marks_out_of_place(const ir::StepGraph& graph, std::vector<StepId>& done) {
  std::vector<bool> is_done(graph.size(), false);
  for (const StepId step : done) is_done[index(step)] = true;
  for (const StepId step : graph.order()) {
    const bool is_approval_of_stage =
        graph.kind(step) == ir::StepKind::approval && graph.wave(step) == ir::WaveId::none;
    if (graph.kind(step) != ir::StepKind::mark_rollback_point && !is_approval_of_stage) continue;
    if (!is_done[index(step)]) continue;
    const auto before = graph.after(step);
    is_done[index(step)] = std::none_of(before.begin(), before.end(), [&](StepId earlier) {
      return !is_done[index(earlier)] && !graph.is_soft(earlier, step) &&
             (graph.row(earlier) != RowId::none ||
              graph.kind(earlier) == ir::StepKind::mark_rollback_point);
    });
  }
  std::erase_if(done, [&](StepId step) { return !is_done[index(step)]; });
}

class Recovery {
 public:
  Recovery(const ir::StepGraph& graph, const RecoveryView& now)
      : graph_(graph), now_(now), known_(graph.size()), rows_(graph.row_count() + 1) {}

  Result<Recovered> run(Journal& journal) {
    PLAN_TRY_VOID(read(journal));
    take_steps_of_no_row();
    for (std::size_t i = 1; i < rows_.size(); ++i)
      PLAN_TRY_VOID(take_row(static_cast<RowId>(i), rows_[i]));
    drop_marks_out_of_place(graph_, out_.done);
    for (const auto& [account, hold] : open_holds_) {
      return Error(errors::plan_changed_while_held,
                   fmt::format("{} is held, and this plan has no such account", account))
          .with_blame(Blame::plan);
    }
    add_notices();
    return std::move(out_);
  }

 private:
  Outcome read(Journal& journal) {
    PLAN_TRY_VOID(journal.each_step([&](const StepRecord& record) {
      const auto step = graph_.find(record.step);
      if (!step) return;
      Known& known = known_[index(*step)];
      known.state = record.state;
      known.had_no_effect =
          record.state == StepState::failed && record.error && record.error->effect == "none";
      if (record.state == StepState::done)
        known.is_same = graph_.digest(*step).hex() == record.digest;
    }));
    PLAN_TRY(holds, journal.holds());
    for (HoldRecord& hold : holds) {
      if (!hold.ended_ms) open_holds_.insert_or_assign(hold.account, std::move(hold));
    }
    PLAN_TRY(latest, journal.latest_run());
    is_other_plan_ = latest && latest->graph_digest != now_.graph_digest;
    return {};
  }

  [[nodiscard]] StepState state(StepId step) const { return known_[index(step)].state; }
  [[nodiscard]] bool is_done(StepId step) const { return state(step) == StepState::done; }
  /// Done, and the plan still wants the same of it.
  [[nodiscard]] bool is_done_so(StepId step) const {
    return is_done(step) && known_[index(step)].is_same;
  }

  /// Sorts the others by their row.
  void take_steps_of_no_row() {
    for (const StepId step : graph_.order()) {
      const RowId row = graph_.row(step);
      if (row == RowId::none) {
        take_if_same(step);
        continue;
      }
      RowSteps& steps = rows_[static_cast<std::size_t>(row)];
      steps.all.push_back(step);
      if (graph_.role(step) == TransactionRole::held) steps.held.push_back(step);
      if (graph_.role(step) == TransactionRole::commit) steps.commit.push_back(step);
    }
  }

  /// A step that was done with other arguments is done again.
  void take_if_same(StepId step) {
    if (!is_done(step)) return;
    if (is_done_so(step)) {
      out_.done.push_back(step);
    } else {
      ++changed_;
    }
  }

  Outcome take_row(RowId row, const RowSteps& steps) {
    const std::string account = account_of(graph_, row);
    std::optional<HoldRecord> hold;
    if (const auto found = open_holds_.find(account); found != open_holds_.end()) {
      hold = std::move(found->second);
      open_holds_.erase(found);
    }
    if (!steps.commit.empty() && std::all_of(steps.commit.begin(), steps.commit.end(),
                                             [&](StepId step) { return is_done(step); })) {
      take_moved(row, steps);
      if (hold) out_.stale_holds.emplace_back(account, true);
      return {};
    }
    std::vector<StepId> touched;  // in the order in which they are done
    for (const std::vector<StepId>* part : {&steps.held, &steps.commit}) {
      for (const StepId step : *part) {
        if (is_touched(state(step))) touched.push_back(step);
      }
    }
    if (touched.empty() || steps.commit.empty()) {
      for (const StepId step : steps.all) take_if_same(step);
      if (hold) out_.stale_holds.emplace_back(account, false);
      return {};
    }
    if (is_other_plan_) {
      return Error(errors::plan_changed_while_held,
                   fmt::format("{} is held, and the plan is another one since", account))
          .with_blame(Blame::plan);
    }
    const std::int64_t held_ms = hold ? std::max<std::int64_t>(held_for(*hold, now_), 0) : 0;
    std::string reason = why_back(steps, touched, hold);
    if (reason.empty()) {
      go_on(row, steps, touched, held_ms);
      return {};
    }
    out_.notices.push_back(
        fmt::format("{} was left held and goes back to the source first: {}", account, reason));
    for (const StepId step : steps.all) {
      if (graph_.role(step) == TransactionRole::none && is_done_so(step)) out_.done.push_back(step);
    }
    std::reverse(touched.begin(), touched.end());
    out_.undoing.push_back({row, held_ms, std::move(reason), std::move(touched)});
    return {};
  }

  /// What led to the move stays done, whatever the plan says now.
  void take_moved(RowId row, const RowSteps& steps) {
    std::vector<StepId> settled = before_commit(graph_, row, steps);
    settled.insert(settled.end(), steps.held.begin(), steps.held.end());
    settled.insert(settled.end(), steps.commit.begin(), steps.commit.end());
    std::sort(settled.begin(), settled.end());
    for (const StepId step : steps.all) {
      const bool is_settled = std::binary_search(settled.begin(), settled.end(), step);
      if (!is_settled && !is_done_so(step)) continue;
      out_.done.push_back(step);
      if (is_done(step) && !is_done_so(step)) ++changed_of_moved_;
    }
  }

  /// Why a held account cannot go on; empty: it can.
  [[nodiscard]] std::string why_back(const RowSteps& steps, const std::vector<StepId>& touched,
                                     const std::optional<HoldRecord>& hold) const {
    const bool goes_back = (hold && hold->is_rollback) ||
                           std::any_of(touched.begin(), touched.end(), [&](StepId step) {
                             return state(step) == StepState::undoing;
                           });
    if (goes_back) return "its undo was interrupted";
    const bool is_commit_begun =
        std::any_of(steps.commit.begin(), steps.commit.end(), [&](StepId step) {
          return is_touched(state(step)) && state(step) != StepState::undoing &&
                 !known_[index(step)].had_no_effect;
        });
    // Clients may be at the target already: only forward.
    if (is_commit_begun) return {};
    if (!hold) return "nothing says since when it is held";
    if (hold->boot_id != now_.boot_id) return "the machine was restarted since";
    const std::int64_t held = held_for(*hold, now_);
    if (held < 0 || held > static_cast<std::int64_t>(hold->bound_ms)) return "its bound has passed";
    return {};
  }

  void go_on(RowId row, const RowSteps& steps, const std::vector<StepId>& touched,
             std::int64_t held_ms) {
    HeldRow held{.row = row, .held_ms = held_ms};
    for (const StepId step : touched) {
      if (graph_.kind(step) == ir::StepKind::proxy_prepare && is_done(step))
        held.is_prepared = true;
    }
    for (const StepId step : steps.all) {
      if (is_done_so(step)) out_.done.push_back(step);
    }
    out_.held.push_back(held);
  }

  void add_notices() {
    if (changed_ > 0) {
      out_.notices.push_back(fmt::format(
          "{} steps that were done have other arguments now and are done again", changed_));
    }
    if (changed_of_moved_ > 0) {
      out_.notices.push_back(fmt::format(
          "{} steps of accounts that have moved have other arguments now; those accounts stay as "
          "they are",
          changed_of_moved_));
    }
  }

  const ir::StepGraph& graph_;
  const RecoveryView& now_;
  std::vector<Known> known_;                                // by step
  std::vector<RowSteps> rows_;                              // by row; the first is of no row
  std::unordered_map<std::string, HoldRecord> open_holds_;  // by account; those that no row took
  bool is_other_plan_ = false;
  std::uint64_t changed_ = 0;
  std::uint64_t changed_of_moved_ = 0;
  Recovered out_;
};

}  // namespace

Result<Recovered> recover(const ir::StepGraph& graph, Journal& journal, const RecoveryView& now) {
  return Recovery(graph, now).run(journal);
}

}  // namespace plan::engine
