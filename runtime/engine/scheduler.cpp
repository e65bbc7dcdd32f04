#include "runtime/engine/scheduler.h"

#include <algorithm>

#include "compiler/source/check.h"

namespace plan::engine {

using ir::index;
using ir::RowId;
using ir::StepId;
using ir::TransactionRole;
using ir::WaveId;

Scheduler::Scheduler(const ir::StepGraph& graph, SchedulerLimits limits)
    : graph_(graph),
      limits_(limits),
      standing_(graph.size(), Standing::waiting),
      waits_for_(graph.size(), 0),
      is_occupying_held_(graph.size(), false),
      is_after_commit_(graph.size(), false),
      rows_(graph.row_count() + 1),
      waves_(graph.waves().size() + 1),
      steps_of_row_(graph.row_count() + 1) {
  for (std::size_t i = 1; i < waves_.size(); ++i) {
    const ir::WaveInfo& info = graph.waves()[i - 1];
    waves_[i].parallel = std::max<std::uint32_t>(1, info.parallel);
    waves_[i].stop_after_failed = info.stop_after_failed;
    waves_[i].stop_failed_permille = info.stop_failed_permille;
    waves_[i].stop_hold_ms = info.stop_hold_ms;
    waves_[i].is_gated = info.is_held_for_approval;
  }
  // In topological order, so that held steps come in the order in which they are done.
  for (const StepId step : graph.order()) {
    waits_for_[index(step)] = static_cast<std::uint32_t>(graph.after(step).size());
    Wave& wave = waves_[wave_index(graph.wave(step))];
    ++wave.remaining;
    for (const StepId earlier : graph.after(step)) {
      const bool is_same_row =
          graph.row(earlier) != RowId::none && graph.row(earlier) == graph.row(step);
      if (is_same_row &&
          (graph.role(earlier) == TransactionRole::commit || is_after_commit_[index(earlier)])) {
        is_after_commit_[index(step)] = true;
      }
    }
    if (!is_after_commit_[index(step)]) ++wave.before_commit;
    if (graph.kind(step) == ir::StepKind::approval) {
      // A step of its own is the gate of the wave that it names.
      const ir::Value arguments = graph.arguments(step);
      for (std::size_t i = 1; i < waves_.size(); ++i) {
        if (graph.waves()[i - 1].name == arguments["wave"].string_or(""))
          waves_[i].is_gated = false;
      }
    }
    const RowId row_id = graph.row(step);
    if (row_id == RowId::none) continue;
    Row& row = rows_[row_index(row_id)];
    steps_of_row_[row_index(row_id)].push_back(step);
    ++row.remaining;
    if (row.wave == WaveId::none && graph.wave(step) != WaveId::none) {
      row.wave = graph.wave(step);
    }
    if (graph.role(step) == TransactionRole::held) row.held_steps.push_back(step);
    if (graph.role(step) == TransactionRole::commit) {
      row.commit_steps.push_back(step);
      ++row.commits_left;
    }
  }
  for (Row& row : rows_) {
    row.is_account = !row.commit_steps.empty();
    if (row.is_account && row.wave != WaveId::none) ++waves_[wave_index(row.wave)].rows;
  }
}

void Scheduler::restore_done(StepId step) {
  if (standing_[index(step)] == Standing::done) return;
  standing_[index(step)] = Standing::done;
  ++done_count_;
  Wave& wave = waves_[wave_index(graph_.wave(step))];
  --wave.remaining;
  if (!is_after_commit_[index(step)]) --wave.before_commit;
  for (const StepId next : graph_.before(step)) --waits_for_[index(next)];
  const RowId row_id = graph_.row(step);
  if (row_id == RowId::none) return;
  Row& row = rows_[row_index(row_id)];
  --row.remaining;
  if (graph_.role(step) == TransactionRole::held) row.begun_held.push_back(step);
  if (graph_.role(step) == TransactionRole::commit && --row.commits_left == 0) {
    set_phase(row_id, RowPhase::committed);
    if (row.wave != WaveId::none) ++waves_[wave_index(row.wave)].moved;
  }
}

void Scheduler::restore_held(RowId row_id) {
  Row& row = rows_[row_index(row_id)];
  set_phase(row_id, RowPhase::held);
  // Any of them may have had an effect: an undo of one that had none restores what is there.
  row.begun_held = row.held_steps;
}

void Scheduler::restore_undoing(RowId row_id, std::vector<StepId> newest_first) {
  Row& row = rows_[row_index(row_id)];
  row.to_undo.assign(newest_first.rbegin(), newest_first.rend());
  set_phase(row_id, RowPhase::undoing);
}

void Scheduler::start() {
  for (std::size_t r = 1; r < rows_.size(); ++r) {
    const auto row_id = static_cast<RowId>(r);
    Row& row = rows_[r];
    if (row.phase == RowPhase::undoing) {
      row.begins_again = true;
      if (row.to_undo.empty()) set_phase(row_id, RowPhase::idle);
    } else {
      finish_row_if_over(row_id);
      if (row.phase == RowPhase::held && row.wave != WaveId::none) {
        row.is_active = true;
        ++waves_[wave_index(row.wave)].active;
      }
    }
  }
  open_next_wave();
  for (const StepId step : graph_.order()) {
    if (standing_[index(step)] == Standing::waiting && waits_for_[index(step)] == 0)
      make_ready(step);
  }
}

bool Scheduler::is_wave_open(std::size_t wave) const {
  return wave == 0 || (wave == open_wave_ && !waves_[wave].is_gated);
}

void Scheduler::open_next_wave() {
  while (open_wave_ < waves_.size() && waves_[open_wave_].before_commit == 0) ++open_wave_;
}

void Scheduler::make_ready(StepId step) {
  standing_[index(step)] = Standing::ready;
  const RowId row_id = graph_.row(step);
  const WaveId wave_id = graph_.wave(step);
  Row& row = rows_[row_index(row_id)];
  const bool is_of_row =
      row_id != RowId::none && (wave_id != WaveId::none || !row.held_steps.empty());
  if (!is_of_row) {
    waves_[wave_index(wave_id)].ready.push_back(step);
    return;
  }
  const bool is_first = row.ready.empty();
  row.ready.push_back(step);
  switch (row.phase) {
    case RowPhase::held:
      held_rows_.insert(row_id);
      return;
    case RowPhase::committed:
      committed_rows_.insert(row_id);
      return;
    case RowPhase::undoing:
    case RowPhase::failed:
    case RowPhase::stuck:
    case RowPhase::over:
      return;
    case RowPhase::idle:
      break;
  }
  if (row.is_active || row.wave == WaveId::none || !row.is_account) {
    active_rows_.insert(row_id);
  } else if (is_first) {
    waves_[wave_index(row.wave)].startable.push_back(row_id);
  }
}

void Scheduler::occupy(StepId step, bool is_held, int change) {
  const auto add = [change](std::size_t& count) { count = change > 0 ? count + 1 : count - 1; };
  add(running_);
  const RowId row = graph_.row(step);
  if (row != RowId::none) {
    rows_[row_index(row)].running += static_cast<std::uint32_t>(change);
  }
  if (is_held) return;
  add(running_unheld_);
  const ir::StepHost host = ir::info(graph_.kind(step)).host;
  if (host == ir::StepHost::source || host == ir::StepHost::both) add(running_source_);
  if (host == ir::StepHost::target || host == ir::StepHost::both) add(running_target_);
}

bool Scheduler::has_room(StepId step) const {
  if (running_unheld_ >= limits_.threads_max) return false;
  const ir::StepHost host = ir::info(graph_.kind(step)).host;
  const bool is_on_source = host == ir::StepHost::source || host == ir::StepHost::both;
  const bool is_on_target = host == ir::StepHost::target || host == ir::StepHost::both;
  if (is_on_source && limits_.source_parallel != 0 && running_source_ >= limits_.source_parallel) {
    return false;
  }
  return !(is_on_target && limits_.target_parallel != 0 &&
           running_target_ >= limits_.target_parallel);
}

void Scheduler::begin(StepId step, std::vector<Decision>& out) {
  Decision decision{.step = step};
  const RowId row_id = graph_.row(step);
  waves_[wave_index(graph_.wave(step))].has_begun = true;
  if (row_id != RowId::none) {
    Row& row = rows_[row_index(row_id)];
    const TransactionRole role = graph_.role(step);
    if (role != TransactionRole::none) {
      if (row.phase == RowPhase::idle) {
        decision.begins_hold = true;
        set_phase(row_id, RowPhase::held);
      }
      row.begun_held.push_back(step);
      decision.ends_hold = role == TransactionRole::commit && row.commits_left == 1;
    }
    decision.is_held = row.phase == RowPhase::held;
  }
  standing_[index(step)] = Standing::running;
  is_occupying_held_[index(step)] = decision.is_held;
  occupy(step, decision.is_held, 1);
  out.push_back(decision);
}

void Scheduler::take_ready(Row& row, bool ignores_room, bool only_mail,
                           std::vector<Decision>& out) {
  std::vector<StepId> left;
  // `begin` may turn an idle row into a held one: then the rest of its ready steps come with it.
  for (const StepId step : row.ready) {
    const bool is_wanted = is_wave_open(wave_index(graph_.wave(step))) ||
                           row.phase == RowPhase::held || row.phase == RowPhase::committed;
    const bool is_mail = ir::info(graph_.kind(step)).effect == ir::StepEffect::move_mail;
    if (is_wanted && (!only_mail || is_mail) && (ignores_room || has_room(step))) {
      begin(step, out);
    } else {
      left.push_back(step);
    }
  }
  row.ready = std::move(left);
}

std::vector<Decision> Scheduler::next() {
  std::vector<Decision> out;
  // 1. Accounts that go back. One undo at a time, when nothing of the account runs any more.
  for (const RowId id : undoing_rows_) {
    Row& row = rows_[row_index(id)];
    if (row.running > 0 || row.is_undo_running || row.to_undo.empty()) continue;
    const StepId step = row.to_undo.back();
    row.to_undo.pop_back();
    row.is_undo_running = true;
    is_occupying_held_[index(step)] = true;
    occupy(step, true, 1);
    out.push_back({.step = step,
                   .is_undo = true,
                   .is_held = true,
                   .begins_undo = !row.has_begun_undo,
                   .ends_hold = row.to_undo.empty()});
    row.has_begun_undo = true;
  }
  // 2. Accounts that are held: everything that can run, whatever the limits.
  const std::set<RowId> held = held_rows_;
  for (const RowId id : held) {
    Row& row = rows_[row_index(id)];
    take_ready(row, true, false, out);
    if (row.ready.empty()) held_rows_.erase(id);
  }
  // 3. What moved accounts still need; when stopping, only the mail that waits for them.
  const bool is_stopping = is_draining_ || is_paused_;
  const std::set<RowId> committed = committed_rows_;
  for (const RowId id : committed) {
    Row& row = rows_[row_index(id)];
    take_ready(row, false, is_stopping, out);
    if (row.ready.empty()) committed_rows_.erase(id);
  }
  if (is_stopping) return out;
  // 4. Steps without an account, then accounts under way, then new ones.
  for (std::size_t w = 0; w < waves_.size(); ++w) {
    Wave& wave = waves_[w];
    if (wave.ready.empty() || !(w == 0 || w == open_wave_)) continue;
    std::vector<StepId> left;
    for (const StepId step : wave.ready) {
      // The approval step of a gated wave is what opens it, so it is not behind the gate.
      if (has_room(step) && (is_wave_open(w) || graph_.kind(step) == ir::StepKind::approval)) {
        begin(step, out);
      } else {
        left.push_back(step);
      }
    }
    wave.ready = std::move(left);
  }
  const std::set<RowId> active = active_rows_;
  for (const RowId id : active) {
    Row& row = rows_[row_index(id)];
    take_ready(row, false, false, out);
    if (row.ready.empty() || row.phase != RowPhase::idle) active_rows_.erase(id);
    if (row.phase == RowPhase::held && !row.ready.empty()) held_rows_.insert(id);
  }
  if (open_wave_ < waves_.size() && is_wave_open(open_wave_)) {
    Wave& wave = waves_[open_wave_];
    while (wave.active < wave.parallel && !wave.startable.empty() &&
           running_unheld_ < limits_.threads_max) {
      const RowId id = wave.startable.front();
      wave.startable.pop_front();
      Row& row = rows_[row_index(id)];
      if (row.phase != RowPhase::idle || row.is_active || row.ready.empty()) continue;
      row.is_active = true;
      ++wave.active;
      take_ready(row, false, false, out);
      if (!row.ready.empty()) {
        (row.phase == RowPhase::held ? held_rows_ : active_rows_).insert(id);
      }
    }
  }
  return out;
}

void Scheduler::settle(StepId step, Standing standing) {
  Standing& now = standing_[index(step)];
  PLAN_CHECK(now != Standing::done && now != Standing::failed && now != Standing::blocked,
             "a step is settled once");
  now = standing;
  Wave& wave = waves_[wave_index(graph_.wave(step))];
  --wave.remaining;
  if (!is_after_commit_[index(step)]) --wave.before_commit;
  if (graph_.row(step) != RowId::none) --rows_[row_index(graph_.row(step))].remaining;
  open_next_wave();
}

void Scheduler::set_phase(RowId id, RowPhase phase) {
  Row& row = rows_[row_index(id)];
  row.phase = phase;
  held_rows_.erase(id);
  undoing_rows_.erase(id);
  committed_rows_.erase(id);
  switch (phase) {
    case RowPhase::held:
      active_rows_.erase(id);
      if (!row.ready.empty()) held_rows_.insert(id);
      break;
    case RowPhase::undoing:
      active_rows_.erase(id);
      undoing_rows_.insert(id);
      break;
    case RowPhase::committed:
      deactivate(row);
      active_rows_.erase(id);
      if (!row.ready.empty()) committed_rows_.insert(id);
      break;
    case RowPhase::failed:
    case RowPhase::stuck:
    case RowPhase::over:
      deactivate(row);
      active_rows_.erase(id);
      break;
    case RowPhase::idle:
      break;
  }
}

void Scheduler::deactivate(Row& row) {
  if (!row.is_active) return;
  row.is_active = false;
  --waves_[wave_index(row.wave)].active;
}

void Scheduler::count_failed(Row& row) {
  if (row.is_counted_failed) return;
  row.is_counted_failed = true;
  if (row.wave == WaveId::none || !row.is_account) return;
  Wave& wave = waves_[wave_index(row.wave)];
  ++wave.failed;
  if (wave.stop_after_failed != 0 && wave.failed >= wave.stop_after_failed)
    stop(row.wave, Stopped::Rule::failed, 0);
  if (wave.stop_failed_permille != 0 && wave.failed * 1000 >= wave.rows * wave.stop_failed_permille)
    stop(row.wave, Stopped::Rule::failed_share, 0);
}

void Scheduler::stop(WaveId wave, Stopped::Rule rule, std::uint64_t held_ms) {
  if (!stopped_by_) stopped_by_ = {wave, rule, held_ms};
  is_draining_ = true;
}

void Scheduler::on_hold_ended(RowId id, std::uint64_t held_ms) {
  const WaveId wave = rows_[row_index(id)].wave;
  const std::uint64_t bound = waves_[wave_index(wave)].stop_hold_ms;
  if (wave != WaveId::none && bound != 0 && held_ms > bound)
    stop(wave, Stopped::Rule::hold, held_ms);
}

void Scheduler::finish_row_if_over(RowId id) {
  Row& row = rows_[row_index(id)];
  if (row.remaining != 0 || row.running != 0) return;
  if (row.phase == RowPhase::committed ||
      (row.phase == RowPhase::held && row.commit_steps.empty())) {
    set_phase(id, RowPhase::over);
  } else if (row.phase == RowPhase::idle) {
    set_phase(id, row.is_counted_failed ? RowPhase::failed : RowPhase::over);
  }
}

void Scheduler::on_done(StepId step) {
  occupy(step, is_occupying_held_[index(step)], -1);
  settle(step, Standing::done);
  ++done_count_;
  const RowId row_id = graph_.row(step);
  if (row_id != RowId::none) {
    Row& row = rows_[row_index(row_id)];
    if (graph_.role(step) == TransactionRole::commit && --row.commits_left == 0 &&
        row.phase == RowPhase::held) {
      if (row.wave != WaveId::none) ++waves_[wave_index(row.wave)].moved;
      set_phase(row_id, RowPhase::committed);
    }
  }
  for (const StepId next : graph_.before(step)) {
    if (--waits_for_[index(next)] == 0 && standing_[index(next)] == Standing::waiting) {
      make_ready(next);
    }
  }
  if (row_id != RowId::none) finish_row_if_over(row_id);
}

void Scheduler::give_up(StepId step) {
  if (standing_[index(step)] == Standing::sleeping) --sleeping_;
  settle(step, Standing::blocked);
}

/// `step` has come to its end without being done: what needs it cannot run, what only comes after
/// it can.
void Scheduler::block_dependents(StepId step) {
  std::vector<StepId> ended{step};
  while (!ended.empty()) {
    const StepId earlier = ended.back();
    ended.pop_back();
    for (const StepId next : graph_.before(earlier)) {
      const Standing now = standing_[index(next)];
      if (!is_open(now)) continue;
      if (graph_.is_soft(earlier, next)) {
        if (--waits_for_[index(next)] == 0 && now == Standing::waiting) make_ready(next);
        continue;
      }
      give_up(next);
      ended.push_back(next);
    }
  }
}

void Scheduler::block_row(RowId id) {
  Row& row = rows_[row_index(id)];
  row.ready.clear();
  for (const StepId step : steps_of_row_[row_index(id)]) {
    if (!is_open(standing_[index(step)])) continue;
    give_up(step);
    block_dependents(step);
  }
}

void Scheduler::begin_undo(RowId id) {
  Row& row = rows_[row_index(id)];
  row.to_undo.clear();
  // In the order in which they were done; begun_held may hold more than the graph's held steps in
  // any order after a restart, so the graph's order decides.
  const auto add_begun = [&](const std::vector<StepId>& steps) {
    for (const StepId step : steps) {
      if (std::find(row.begun_held.begin(), row.begun_held.end(), step) != row.begun_held.end()) {
        row.to_undo.push_back(step);
      }
    }
  };
  add_begun(row.held_steps);
  add_begun(row.commit_steps);
  set_phase(id, row.to_undo.empty() ? RowPhase::failed : RowPhase::undoing);
}

void Scheduler::on_failed(StepId step, bool is_effect_unknown) {
  occupy(step, is_occupying_held_[index(step)], -1);
  settle(step, Standing::failed);
  block_dependents(step);
  const RowId row_id = graph_.row(step);
  if (row_id == RowId::none) return;
  Row& row = rows_[row_index(row_id)];
  std::erase_if(row.ready, [&](StepId s) { return standing_[index(s)] != Standing::ready; });
  count_failed(row);
  switch (row.phase) {
    case RowPhase::held:
      block_row(row_id);
      if (graph_.role(step) == TransactionRole::commit && is_effect_unknown) {
        set_phase(row_id, RowPhase::stuck);
      } else {
        begin_undo(row_id);
      }
      return;
    case RowPhase::idle:
      block_row(row_id);
      if (row.running == 0) set_phase(row_id, RowPhase::failed);
      return;
    case RowPhase::committed:
      finish_row_if_over(row_id);
      return;
    case RowPhase::undoing:
    case RowPhase::failed:
    case RowPhase::stuck:
    case RowPhase::over:
      return;
  }
}

void Scheduler::on_stopped(StepId step) {
  occupy(step, is_occupying_held_[index(step)], -1);
  standing_[index(step)] = Standing::stopped;
}

void Scheduler::on_parked(StepId step) {
  occupy(step, is_occupying_held_[index(step)], -1);
  parked_.push_back(step);
}

void Scheduler::unpark() {
  const std::vector<StepId> parked = std::move(parked_);
  parked_.clear();
  for (const StepId step : parked) {
    if (standing_[index(step)] == Standing::running) make_ready(step);
  }
}

void Scheduler::on_waiting(StepId step) {
  occupy(step, is_occupying_held_[index(step)], -1);
  standing_[index(step)] = Standing::sleeping;
  ++sleeping_;
  const RowId row = graph_.row(step);
  if (row != RowId::none && rows_[row_index(row)].phase == RowPhase::idle)
    deactivate(rows_[row_index(row)]);
}

void Scheduler::wake(StepId step) {
  if (standing_[index(step)] != Standing::sleeping) return;
  --sleeping_;
  make_ready(step);
}

void Scheduler::on_undone(StepId step) {
  const RowId row_id = graph_.row(step);
  Row& row = rows_[row_index(row_id)];
  occupy(step, true, -1);
  row.is_undo_running = false;
  if (!row.to_undo.empty()) return;
  if (!row.begins_again) {
    set_phase(row_id, RowPhase::failed);
    return;
  }
  // What a crash left behind is cleared away; now the account has its try in this run.
  row.begins_again = false;
  row.has_begun_undo = false;
  row.begun_held.clear();
  set_phase(row_id, RowPhase::idle);
  if (row.ready.empty()) return;
  if (row.wave == WaveId::none) {
    active_rows_.insert(row_id);
  } else {
    waves_[wave_index(row.wave)].startable.push_back(row_id);
  }
}

void Scheduler::on_undo_failed(StepId step) {
  const RowId row_id = graph_.row(step);
  Row& row = rows_[row_index(row_id)];
  occupy(step, true, -1);
  row.is_undo_running = false;
  row.to_undo.push_back(step);
  set_phase(row_id, RowPhase::stuck);
}

void Scheduler::approve(WaveId wave) { waves_[wave_index(wave)].is_gated = false; }

std::vector<WaveId> Scheduler::waves_waiting_for_approval() const {
  if (open_wave_ < waves_.size() && waves_[open_wave_].is_gated) {
    const Wave& wave = waves_[open_wave_];
    // Only when it could begin: its first steps may still wait for the stages before.
    if (!wave.startable.empty() || !wave.ready.empty()) return {static_cast<WaveId>(open_wave_)};
  }
  return {};
}

Scheduler::WaveCounts Scheduler::wave_counts(WaveId id) const {
  const Wave& wave = waves_[wave_index(id)];
  const bool goes_back = std::any_of(undoing_rows_.begin(), undoing_rows_.end(),
                                     [&](RowId row) { return rows_[row_index(row)].wave == id; });
  return {wave.rows, wave.moved, wave.failed, wave.has_begun,
          wave.before_commit == 0 && !goes_back};
}

}  // namespace plan::engine
