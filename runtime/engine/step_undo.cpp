// The way back of one step: what it did is undone, looked at again where nobody knows, and
// recorded.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/ir/digest.h"
#include "runtime/engine/errors.h"
#include "runtime/engine/kill_point.h"
#include "runtime/engine/step_call.h"
#include "runtime/step/errors.h"

namespace plan::engine {

Outcome StepRunner::undo_once(Call& call) {
  PLAN_TRY_VOID(prepare(call));
  step::StepContext undoing = context(call);
  Outcome outcome = call.driver->undo(undoing);
  if (outcome || !outcome.error().is(step::errors::changed_since) ||
      call.record->state == StepState::done) {
    return outcome;
  }
  // It was never said to be done: perhaps nothing was, and what the driver finds is the prior
  // state.
  step::StepContext looking = context(call);
  const auto seen = call.driver->observe(looking);
  if (seen && seen->prior == call.prior) return {};
  return outcome;
}

StepResult StepRunner::undo(const ir::StepGraph& graph, ir::StepId step,
                            std::vector<Entry> with_intent, bool ends_hold) {
  Call call{.graph = graph, .step = step, .is_held = true, .is_undo = true};
  call.id = graph.id(step);
  call.account = account_of(graph, step);
  call.info = &ir::info(graph.kind(step));
  const std::string kind(call.info->name);
  auto record = parts_.journal.step(call.id);
  if (!record) return unrecorded(std::move(record).error());
  call.record = std::move(*record);
  std::vector<Entry> last;
  if (ends_hold) last.push_back(HoldEnded{call.account, false});
  const auto write = [&](const std::vector<Entry>& entries) -> Outcome {
    return entries.empty() ? Outcome() : parts_.journal.write(entries);
  };
  if (!is_touched(call.record)) {
    with_intent.insert(with_intent.end(), last.begin(), last.end());
    if (auto outcome = write(with_intent); !outcome) return unrecorded(std::move(outcome).error());
    return {};
  }
  call.prior = call.record->prior;
  call.notes = call.record->notes;
  call.attempts_before = call.record->attempts;
  call.effect_key =
      ir::sha256(fmt::format("{}\n{}\n{}\nundo", run_id_, call.id, call.attempts_before)).hex();
  if (are_effects_forbidden()) {
    return unrecorded(why_forbidden());
  }
  if (call.info->undo == ir::UndoPolicy::nothing_to_undo || call.record->was_satisfied) {
    last.insert(last.begin(), Undone{call.id});
    with_intent.insert(with_intent.end(), last.begin(), last.end());
    if (auto outcome = write(with_intent); !outcome) return unrecorded(std::move(outcome).error());
    return {.was_satisfied = true};
  }
  if (call.info->undo == ir::UndoPolicy::irreversible) {
    return {.kind = StepResult::Kind::failed,
            .error = Error(errors::undo_barred, fmt::format("`{}` cannot be undone", call.id))};
  }
  emit(report::StepStarted{call.id, kind, call.account, wave_of(graph, step), 1, true});
  with_intent.push_back(UndoIntent{call.id});
  if (auto outcome = write(with_intent); !outcome) return unrecorded(std::move(outcome).error());
  PLAN_KILL_POINT("journal.after-undo-intent");
  const auto begun = parts_.clock.now();
  std::chrono::milliseconds pause = options_.retry.first_wait;
  for (std::uint32_t attempt = 1;; ++attempt) {
    Outcome outcome = undo_once(call);
    if (outcome) break;
    const Error& error = outcome.error();
    const bool may_repeat = error.retry() != Retry::never || error.effect() == Effect::unknown;
    if (!may_repeat || attempt >= options_.retry.attempts_max_undo || are_effects_forbidden()) {
      emit(report::StepFailed{failure_of(graph, step, error), true});
      return {.kind = StepResult::Kind::failed, .error = std::move(outcome).error()};
    }
    const auto duration =
        error.retry() == Retry::after ? std::max(error.retry_after(), pause) : pause;
    emit(report::StepRetried{failure_of(graph, step, error), attempt,
                             static_cast<std::uint64_t>(duration.count()), true});
    wait(std::min(duration, options_.retry.wait_max), true);
    pause = std::min(pause * 2, options_.retry.wait_max);
  }
  PLAN_KILL_POINT("driver.after-undo");
  last.insert(last.begin(), Undone{call.id, call.said});
  if (auto outcome = write(last); !outcome) return unrecorded(std::move(outcome).error());
  PLAN_KILL_POINT("journal.after-undone");
  if (ends_hold) forget_hold(graph.row(step));
  {
    const std::lock_guard lock(mutex_);
    outputs_.erase(call.id);
  }
  const auto took =
      std::chrono::duration_cast<std::chrono::milliseconds>(parts_.clock.now() - begun);
  emit(report::StepFinished{call.id, kind, call.account,
                            static_cast<std::uint64_t>(std::max<std::int64_t>(0, took.count())),
                            false, true, ir::Value()});
  return {};
}

Result<ir::Observation> StepRunner::look_before_rollback(const ir::StepGraph& graph,
                                                         ir::StepId step) {
  Call call{.graph = graph, .step = step, .is_held = false, .is_undo = true};
  PLAN_TRY(is_there, recall(call));
  if (!is_there) return ir::Observation();
  step::StepContext looking = context(call);
  return call.driver->observe(looking);
}

Outcome StepRunner::prepare_undo(const ir::StepGraph& graph, ir::StepId step) {
  Call call{.graph = graph, .step = step, .is_held = false, .is_undo = true};
  PLAN_TRY(is_there, recall(call));
  if (!is_there) return {};
  step::StepContext doing = context(call);
  return call.driver->before_undo(doing);
}

/// Fills in what the journal knows of a step. False: there is nothing to undo.
Result<bool> StepRunner::recall(Call& call) {
  PLAN_TRY(record, parts_.journal.step(call.graph.id(call.step)));
  call.record = std::move(record);
  if (!is_touched(call.record) || call.record->was_satisfied) return false;
  call.prior = call.record->prior;
  call.notes = call.record->notes;
  call.attempts_before = call.record->attempts;
  PLAN_TRY_VOID(prepare(call));
  return true;
}

}  // namespace plan::engine
