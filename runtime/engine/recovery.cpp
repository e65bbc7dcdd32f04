#include "runtime/engine/recovery.h"

#include <fmt/format.h>

#include <algorithm>
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
  std::vector<StepId> todo = steps.commit;
  while (!todo.empty()) {
    const StepId step = todo.back();
    todo.pop_back();
    for (const StepId earlier : graph.after(step)) {
      if (graph.row(earlier) != row) continue;
      if (std::find(found.begin(), found.end(), earlier) != found.end()) continue;
      found.push_back(earlier);
      todo.push_back(earlier);
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

}  // namespace

Result<Recovered> recover(const ir::StepGraph& graph, Journal& journal, const RecoveryView& now) {
  Recovered out;
  std::vector<Known> known(graph.size());
  std::uint64_t changed = 0;
  PLAN_TRY_VOID(journal.each_step([&](const StepRecord& record) {
    const auto step = graph.find(record.step);
    if (!step) return;
    Known& k = known[index(*step)];
    k.state = record.state;
    k.had_no_effect =
        record.state == StepState::failed && record.error && record.error->effect == "none";
    if (record.state == StepState::done) k.is_same = graph.digest(*step).hex() == record.digest;
  }));

  std::unordered_map<std::string, HoldRecord> open_holds;
  PLAN_TRY(holds, journal.holds());
  for (HoldRecord& hold : holds) {
    if (!hold.ended_ms) open_holds.insert_or_assign(hold.account, std::move(hold));
  }
  PLAN_TRY(latest, journal.latest_run());
  const bool is_other_plan = latest && latest->graph_digest != now.graph_digest;

  std::vector<RowSteps> rows(graph.row_count() + 1);
  for (const StepId step : graph.order()) {
    const RowId row = graph.row(step);
    if (row == RowId::none) {
      const Known& k = known[index(step)];
      if (k.state == StepState::done && k.is_same) out.done.push_back(step);
      if (k.state == StepState::done && !k.is_same) ++changed;
      continue;
    }
    RowSteps& r = rows[static_cast<std::size_t>(row)];
    r.all.push_back(step);
    if (graph.role(step) == TransactionRole::held) r.held.push_back(step);
    if (graph.role(step) == TransactionRole::commit) r.commit.push_back(step);
  }

  std::uint64_t changed_of_moved = 0;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    const auto row = static_cast<RowId>(i);
    const RowSteps& steps = rows[i];
    const std::string account = account_of(graph, row);
    const auto hold = open_holds.find(account);
    const bool has_hold = hold != open_holds.end();
    const auto state = [&](StepId step) { return known[index(step)].state; };
    const bool is_moved =
        !steps.commit.empty() && std::all_of(steps.commit.begin(), steps.commit.end(),
                                             [&](StepId s) { return state(s) == StepState::done; });
    if (is_moved) {
      std::vector<StepId> settled = before_commit(graph, row, steps);
      settled.insert(settled.end(), steps.held.begin(), steps.held.end());
      settled.insert(settled.end(), steps.commit.begin(), steps.commit.end());
      std::sort(settled.begin(), settled.end());
      for (const StepId step : steps.all) {
        const bool is_settled = std::binary_search(settled.begin(), settled.end(), step);
        const Known& k = known[index(step)];
        if (is_settled || (k.state == StepState::done && k.is_same)) {
          out.done.push_back(step);
          if (k.state == StepState::done && !k.is_same) ++changed_of_moved;
        }
      }
      if (has_hold) {
        out.stale_holds.emplace_back(account, true);
        open_holds.erase(hold);
      }
      continue;
    }
    std::vector<StepId> in_order = steps.held;
    in_order.insert(in_order.end(), steps.commit.begin(), steps.commit.end());
    std::vector<StepId> touched;
    for (const StepId step : in_order) {
      if (is_touched(state(step))) touched.push_back(step);
    }
    if (touched.empty() || steps.commit.empty()) {
      for (const StepId step : steps.all) {
        const Known& k = known[index(step)];
        if (k.state != StepState::done) continue;
        if (k.is_same) {
          out.done.push_back(step);
        } else {
          ++changed;
        }
      }
      if (has_hold) {
        out.stale_holds.emplace_back(account, false);
        open_holds.erase(hold);
      }
      continue;
    }
    if (is_other_plan) {
      return Error(errors::plan_changed_while_held, fmt::format("{} is held", account))
          .with_blame(Blame::plan);
    }
    const bool is_commit_begun =
        std::any_of(steps.commit.begin(), steps.commit.end(), [&](StepId step) {
          return is_touched(state(step)) && state(step) != StepState::undoing &&
                 !known[index(step)].had_no_effect;
        });
    const bool goes_back = (has_hold && hold->second.is_rollback) ||
                           std::any_of(touched.begin(), touched.end(), [&](StepId step) {
                             return state(step) == StepState::undoing;
                           });
    std::string reason;
    if (goes_back) {
      reason = "its undo was interrupted";
    } else if (is_commit_begun) {
      // Clients may be at the target already: only forward.
    } else if (!has_hold) {
      reason = "nothing says since when it is held";
    } else if (hold->second.boot_id != now.boot_id) {
      reason = "the machine was restarted since";
    } else if (const std::int64_t held = held_for(hold->second, now);
               held < 0 || held > static_cast<std::int64_t>(hold->second.bound_ms)) {
      reason = "its bound has passed";
    }
    const std::int64_t held_ms =
        has_hold ? std::max<std::int64_t>(held_for(hold->second, now), 0) : 0;
    if (reason.empty()) {
      HeldRow held{.row = row, .held_ms = held_ms};
      for (const StepId step : touched) {
        if (graph.kind(step) == ir::StepKind::proxy_prepare && state(step) == StepState::done) {
          held.is_prepared = true;
        }
      }
      for (const StepId step : steps.all) {
        if (state(step) == StepState::done && known[index(step)].is_same) out.done.push_back(step);
      }
      out.held.push_back(held);
    } else {
      for (const StepId step : steps.all) {
        if (graph.role(step) != TransactionRole::none) continue;
        if (state(step) == StepState::done && known[index(step)].is_same) out.done.push_back(step);
      }
      std::reverse(touched.begin(), touched.end());
      out.notices.push_back(
          fmt::format("{} was left held and goes back to the source first: {}", account, reason));
      out.undoing.push_back({row, held_ms, std::move(reason), std::move(touched)});
    }
    if (has_hold) open_holds.erase(hold);
  }
  drop_marks_out_of_place(graph, out.done);
  for (const auto& [account, hold] : open_holds) {
    return Error(errors::plan_changed_while_held,
                 fmt::format("{} is held, and this plan has no such account", account))
        .with_blame(Blame::plan);
  }
  if (changed > 0) {
    out.notices.push_back(fmt::format(
        "{} steps that were done have other arguments now and are done again", changed));
  }
  if (changed_of_moved > 0) {
    out.notices.push_back(
        fmt::format("{} steps of accounts that have moved have other arguments now; those accounts "
                    "stay as they are",
                    changed_of_moved));
  }
  return out;
}

}  // namespace plan::engine
