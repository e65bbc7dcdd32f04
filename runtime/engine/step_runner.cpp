#include "runtime/engine/step_runner.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/ir/digest.h"
#include "compiler/source/check.h"
#include "compiler/source/text.h"
#include "runtime/engine/errors.h"
#include "runtime/engine/kill_point.h"
#include "runtime/engine/step_call.h"
#include "runtime/step/errors.h"

namespace plan::engine {
namespace {

using Kind = StepResult::Kind;

constexpr std::chrono::milliseconds kStopLook{200};  ///< how soon a waiting retry sees a stop
constexpr std::chrono::milliseconds kWaitMin{10};    ///< a driver that says 0 does not spin
constexpr std::int64_t kProgressEveryMs = 100;
constexpr int kDepthMax = 128;

ir::Value grade_of(const ir::Value& outputs) {
  return ir::Value::map({{"grade", outputs["grade"]},
                         {"mail_grade", outputs["mail_grade"]},
                         {"not_checked", outputs["not_checked"]},
                         {"dav", outputs["dav"]}});
}

}  // namespace

StepRunner::StepRunner(const EngineParts& parts, const EngineOptions& options, std::string run_id,
                       std::string boot_id)
    : parts_(parts),
      options_(options),
      run_id_(std::move(run_id)),
      boot_id_(std::move(boot_id)),
      bound_ms_(parts.graph.row_count() + 1, 0),
      has_clients_hold_(parts.graph.row_count() + 1, false) {
  for (const ir::StepId step : parts.graph.order()) {
    if (parts.graph.kind(step) == ir::StepKind::proxy_hold)
      has_clients_hold_[static_cast<std::size_t>(parts.graph.row(step))] = true;
    // Filling in arguments costs; most shapes have no bound.
    if (parts.graph.role(step) != ir::TransactionRole::held ||
        parts.graph.shape(step).arguments["bound_ms"].is_null()) {
      continue;
    }
    std::int64_t& bound = bound_ms_[static_cast<std::size_t>(parts.graph.row(step))];
    bound = std::max(bound, parts.graph.arguments(step)["bound_ms"].integer_or(0));
  }
}

void StepRunner::emit(report::Happening what) {
  const std::lock_guard lock(event_mutex_);
  parts_.events.on({parts_.clock.wall_ms(), std::move(what)});
}

std::string StepRunner::account_of(const ir::StepGraph& graph, ir::StepId step) const {
  return engine::account_of(graph, step);
}

std::string StepRunner::wave_of(const ir::StepGraph& graph, ir::StepId step) const {
  const ir::WaveInfo* info = graph.wave_info(graph.wave(step));
  return info == nullptr ? std::string() : info->name;
}

report::Failure StepRunner::failure_of(const ir::StepGraph& graph, ir::StepId step,
                                       const Error& error) const {
  return {.step = graph.id(step),
          .account = account_of(graph, step),
          .place = options_.place ? options_.place(cause_of(graph, step)) : std::string(),
          .code = std::string(error.code().name),
          .message = error.to_line(),
          .remedy = std::string(error.code().remedy),
          .blame = std::string(to_string(error.blame())),
          .effect = std::string(to_string(error.effect()))};
}

std::chrono::milliseconds StepRunner::hold_bound(ir::RowId row) const {
  const std::int64_t bound = bound_ms_[static_cast<std::size_t>(row)];
  return bound > 0 ? std::chrono::milliseconds(bound) : options_.hold_bound;
}

void StepRunner::remember_hold(ir::RowId row, net::Clock::Monotonic begun) {
  const std::lock_guard lock(mutex_);
  hold_begun_[row] = begun;
  open_holds_.insert(row);
}

void StepRunner::forget_hold(ir::RowId row) {
  const std::lock_guard lock(mutex_);
  open_holds_.erase(row);
  prepared_.erase(row);
}

bool StepRunner::begins_hold(const Decision& decision, const Call& call) const {
  const ir::RowId row = call.graph.row(call.step);
  if (row == ir::RowId::none || call.has_begun_hold) return false;
  {
    const std::lock_guard lock(mutex_);
    if (open_holds_.contains(row)) return false;
  }
  return has_clients_hold_[static_cast<std::size_t>(row)]
             ? call.info->kind == ir::StepKind::proxy_hold
             : decision.begins_hold;
}

void StepRunner::remember_prepared(ir::RowId row) {
  const std::lock_guard lock(mutex_);
  prepared_.insert(row);
}

std::optional<std::uint64_t> StepRunner::held_ms(ir::RowId row) const {
  const std::lock_guard lock(mutex_);
  const auto found = hold_begun_.find(row);
  if (found == hold_begun_.end()) return std::nullopt;
  const auto held =
      std::chrono::duration_cast<std::chrono::milliseconds>(parts_.clock.now() - found->second);
  return static_cast<std::uint64_t>(std::max<std::int64_t>(0, held.count()));
}

bool StepRunner::wait(std::chrono::milliseconds duration, bool is_held) {
  while (duration.count() > 0) {
    if (!is_held && stop_.is_requested()) return false;
    const auto slice = std::min(duration, kStopLook);
    parts_.clock.sleep_for(slice);
    duration -= slice;
  }
  return is_held || !stop_.is_requested();
}

Result<ir::Value> StepRunner::resolve(const ir::Value& value, int depth) {
  if (depth > kDepthMax) return Error(errors::output_missing, "arguments are nested too deeply");
  switch (value.type()) {
    case ir::Value::Type::list: {
      ir::List items;
      items.reserve(value.size());
      for (const ir::Value& item : value.items()) {
        PLAN_TRY(resolved, resolve(item, depth + 1));
        items.push_back(std::move(resolved));
      }
      return ir::Value(std::move(items));
    }
    case ir::Value::Type::map: {
      ir::Map map;
      for (const auto& [key, member] : value.members()) {
        PLAN_TRY(resolved, resolve(member, depth + 1));
        map.set(key, std::move(resolved));
      }
      return ir::Value(std::move(map));
    }
    case ir::Value::Type::output: {
      const ir::OutputRef& ref = value.as_output();
      {
        const std::lock_guard lock(mutex_);
        const auto known = outputs_.find(ref.step);
        if (known != outputs_.end() && !known->second[ref.field].is_null()) {
          return known->second[ref.field];
        }
      }
      PLAN_TRY(record, parts_.journal.step(ref.step));
      if (!record || record->outputs[ref.field].is_null()) {
        return Error(errors::output_missing,
                     fmt::format("step `{}` gave no output `{}`", ref.step, ref.field));
      }
      const std::lock_guard lock(mutex_);
      return outputs_.insert_or_assign(ref.step, record->outputs).first->second[ref.field];
    }
    default:
      return value;
  }
}

/// Finds driver and arguments; before every try, because an approval may have come.
Outcome StepRunner::prepare(Call& call) {
  call.id = call.graph.id(call.step);
  call.account = account_of(call.graph, call.step);
  call.info = &ir::info(call.graph.kind(call.step));
  call.driver = parts_.drivers.find(call.info->kind);
  if (call.driver == nullptr) {
    return Error(errors::driver_missing, fmt::format("no driver for `{}`", call.info->name));
  }
  PLAN_TRY(arguments, resolve(call.graph.arguments(call.step), 0));
  call.arguments = std::move(arguments);
  if (call.info->kind == ir::StepKind::restore) PLAN_TRY_VOID(prepare_restore(call));
  if (call.arguments["accept"].is_list() && !call.account.empty()) {
    PLAN_TRY(is_approved, parts_.journal.is_approved("account:" + call.account));
    if (is_approved) {
      ir::Value accept = call.arguments["accept"];
      accept.push_back("investigate");
      call.arguments.set("accept", std::move(accept));
    }
  }
  return {};
}

Outcome StepRunner::prepare_restore(Call& call) {
  const std::string id(call.arguments["step"].string_or(""));
  const auto step = call.graph.find(id);
  if (!step || *step == call.step) {
    return Error(step::errors::argument_missing, fmt::format("`{}` is no step of the plan", id))
        .with_blame(Blame::plan)
        .with_argument("step");
  }
  Restoring::Earlier earlier;
  earlier.id = id;
  earlier.kind = call.graph.kind(*step);
  PLAN_TRY(record, parts_.journal.step(id));
  earlier.record = std::move(record);
  PLAN_TRY(arguments, resolve(call.graph.arguments(*step), 0));
  earlier.arguments = std::move(arguments);
  step::StepDriver* driver = parts_.drivers.find(earlier.kind);
  if (driver == nullptr) {
    return Error(errors::driver_missing,
                 fmt::format("no driver for `{}`", ir::info(earlier.kind).name));
  }
  call.restoring = std::make_unique<Restoring>(*driver, std::move(earlier));
  call.driver = call.restoring.get();
  return {};
}

step::StepContext StepRunner::context(Call& call) {
  return step::StepContext{
      .id = call.id,
      .kind = call.info->kind,
      .arguments = call.arguments,
      .account = call.account,
      .effect_key = call.effect_key,
      .run_id = run_id_,
      .lease_token = run_id_,
      .state_directory = options_.state_directory,
      .secrets = parts_.secrets,
      .clock = parts_.clock,
      .stop = call.is_held ? never_stop_ : stop_,
      .is_rollback = call.is_undo,
      .attempt = is_touched(call.record) ? std::max<std::uint32_t>(1, call.attempts_before) : 0,
      .prior = call.prior,
      .notes = call.notes,
      .remember = [this, &call](const ir::Value& notes) -> Outcome {
        PLAN_TRY_VOID(parts_.journal.write({Noted{call.id, notes}}));
        call.notes = notes;
        PLAN_KILL_POINT("journal.after-notes");
        return {};
      },
      .progress =
          [this, &call](const step::Progress& progress) {
            const std::int64_t now = parts_.clock.wall_ms();
            if (now - call.progress_shown_ms < kProgressEveryMs && now >= call.progress_shown_ms) {
              return;
            }
            call.progress_shown_ms = now;
            emit(report::StepProgress{call.id, call.account, progress.done, progress.total,
                                      std::string(progress.unit), std::string(progress.remark)});
          },
      .moved =
          [this, &call](std::string_view host, std::uint64_t bytes) {
            if (!call.is_held) rates_.moved(host, bytes, parts_.clock, stop_);
          },
      .say =
          [this, &call](std::string text) {
            call.said += (call.said.empty() ? "" : "; ") + text;
            emit(report::Notice{std::move(text)});
          }};
}

StepResult StepRunner::record_failure(Call& call, Error error, bool had_intent,
                                      std::vector<Entry> entries) {
  error = with_cause_of(call, std::move(error));
  const bool is_stopped = error.is(step::errors::stopped);
  Failed entry{.step = call.id,
               .account = call.account,
               .had_intent = had_intent,
               .state = is_stopped                          ? StepState::stopped
                        : error.effect() == Effect::unknown ? StepState::unknown
                                                            : StepState::failed,
               .error = recorded(error)};
  if (had_intent && error.effect() != Effect::none) call.may_have_effect = true;
  // That an earlier try may have committed must survive a crash too.
  const bool is_commit = call.graph.role(call.step) == ir::TransactionRole::commit;
  if (had_intent && is_commit && call.may_have_effect) entry.state = StepState::unknown;
  const bool is_unknown = entry.state == StepState::unknown && had_intent;
  entries.emplace_back(std::move(entry));
  if (auto outcome = parts_.journal.write(entries); !outcome) {
    return unrecorded(std::move(outcome).error());
  }
  if (is_unknown) PLAN_KILL_POINT("journal.after-unknown");
  return {.kind = is_stopped ? Kind::stopped : Kind::failed,
          .is_effect_unknown = call.may_have_effect,
          .error = std::move(error)};
}

std::optional<Error> StepRunner::expired_hold(const Call& call) const {
  if (call.graph.role(call.step) != ir::TransactionRole::held) return std::nullopt;
  const ir::RowId row = call.graph.row(call.step);
  {
    const std::lock_guard lock(mutex_);
    // An ended hold is still known, for who tells how long it was; the next one has not begun.
    if (prepared_.contains(row) || !open_holds_.contains(row)) return std::nullopt;
  }
  const std::optional<std::uint64_t> held = held_ms(row);
  const auto bound = static_cast<std::uint64_t>(hold_bound(row).count());
  if (!held || *held <= bound) return std::nullopt;
  return Error(errors::hold_expired,
               fmt::format("{} was held for {}, the bound is {}", call.account,
                           show_duration_ms(*held), show_duration_ms(bound)));
}

Error StepRunner::with_cause_of(const Call& call, Error error) const {
  if (!call.is_held || call.is_undo || error.is(errors::hold_expired) ||
      error.is(errors::grade_refused))
    return error;
  auto expired = expired_hold(call);
  if (!expired) return error;
  return std::move(*expired)
      .with_effect(error.effect())
      .with_blame(error.blame())
      .with_detail(error.to_line());
}

std::optional<Error> StepRunner::refused_grade(Call& call, const ir::Value& outputs) {
  if (!outputs["grade"].is_string() || !call.arguments["accept"].is_list()) return std::nullopt;
  emit(report::AccountGraded{call.account, outputs["grade"].as_string()});
  // What the plan says stays behind is not judged; it is never a pass either, and the grade says
  // so.
  const std::string grade(outputs["judged"].string_or(outputs["grade"].as_string()));
  for (const ir::Value& accepted : call.arguments["accept"].items()) {
    if (accepted.string_or("") == grade) return std::nullopt;
  }
  return Error(errors::grade_refused, fmt::format("{} is graded `{}`", call.account, grade))
      .with_detail(outputs["reason"].string_or(""));
}

void StepRunner::forbid_effects(Error why) {
  {
    const std::lock_guard lock(mutex_);
    if (!forbidden_by_) forbidden_by_ = std::move(why);
  }
  is_forbidden_.store(true);
}

Error StepRunner::why_forbidden() const {
  const std::lock_guard lock(mutex_);
  PLAN_CHECK(forbidden_by_, "effects are forbidden with a reason");
  return *forbidden_by_;
}

StepResult StepRunner::take_approval(const Decision& decision, Call& call) {
  const std::string subject = approval_subject(call.arguments);
  auto is_approved = parts_.journal.is_approved(subject);
  if (!is_approved) return unrecorded(std::move(is_approved).error());
  if (!*is_approved) return {.kind = Kind::parked};
  return finish(decision, call, ir::Value::map(),
                {Intent{call.id, call.account, call.graph.digest(call.step).hex(), call.effect_key,
                        call.attempts_before + 1, ir::Value()}},
                false);
}

StepResult StepRunner::finish(const Decision& decision, Call& call, ir::Value outputs,
                              std::vector<Entry> entries, bool was_satisfied) {
  entries.push_back(Done{call.id, outputs, was_satisfied, outcome_text(call.said, outputs)});
  if (decision.ends_hold) entries.push_back(HoldEnded{call.account, true});
  if (auto outcome = parts_.journal.write(entries); !outcome) {
    return unrecorded(std::move(outcome).error());
  }
  PLAN_KILL_POINT("journal.after-outcome");
  if (call.info->kind == ir::StepKind::proxy_prepare) remember_prepared(call.graph.row(call.step));
  {
    const std::lock_guard lock(mutex_);
    outputs_.insert_or_assign(call.id, std::move(outputs));
  }
  if (decision.ends_hold) {
    forget_hold(call.graph.row(call.step));
    // The approval of a grade was for this move. Left over by a crash it is without effect: the
    // account has moved.
    if (auto outcome = parts_.journal.use_approval("account:" + call.account); !outcome) {
      return unrecorded(std::move(outcome).error());
    }
  }
  return {.kind = Kind::done, .was_satisfied = was_satisfied};
}

StepResult StepRunner::try_once(const Decision& decision, Call& call) {
  auto record = parts_.journal.step(call.graph.id(call.step));
  if (!record) return unrecorded(std::move(record).error());
  call.record = std::move(*record);
  call.attempts_before = call.record ? call.record->attempts : 0;
  const bool was_touched = is_touched(call.record);
  if (is_open(call.record)) call.may_have_effect = true;
  call.prior = was_touched ? call.record->prior : ir::Value();
  call.notes = was_touched ? call.record->notes : ir::Value();
  if (auto outcome = prepare(call); !outcome) {
    return record_failure(call, std::move(outcome).error(), false);
  }
  call.effect_key =
      ir::sha256(fmt::format("{}\n{}\n{}", run_id_, call.id, call.attempts_before + 1)).hex();
  if (call.info->kind == ir::StepKind::approval) return take_approval(decision, call);
  if (auto expired = expired_hold(call)) return record_failure(call, std::move(*expired), false);

  step::StepContext looking = context(call);
  auto seen = call.driver->observe(looking);
  if (!seen) return record_failure(call, std::move(seen).error(), false);
  // `absent` is the driver's word that nothing of this step is there.
  if (seen->standing == ir::Standing::absent) call.may_have_effect = false;
  const bool is_satisfied = seen->standing == ir::Standing::satisfied;

  std::vector<Entry> intent;
  intent.push_back(Intent{call.id, call.account, call.graph.digest(call.step).hex(),
                          call.effect_key, call.attempts_before + 1,
                          was_touched ? std::nullopt : std::optional<ir::Value>(seen->prior)});
  const bool is_beginning = begins_hold(decision, call);
  if (is_beginning) {
    const ir::RowId row = call.graph.row(call.step);
    const auto bound = hold_bound(row);
    intent.push_back(HoldBegun{call.account, parts_.clock.wall_ms(), boot_id_,
                               static_cast<std::uint64_t>(bound.count()), false,
                               net::uptime_ms(parts_.clock)});
    remember_hold(row, parts_.clock.now());
    emit(report::AccountHeld{call.account, wave_of(call.graph, call.step),
                             static_cast<std::uint64_t>(bound.count())});
  }
  PLAN_KILL_POINT("journal.before-intent");
  if (are_effects_forbidden()) {
    return unrecorded(why_forbidden());
  }
  // Nothing to do, nothing done before, nothing to tell the others: the record is all there is.
  if (is_satisfied && !was_touched && ir::outputs_of(call.info->kind).empty() &&
      call.info->effect != ir::StepEffect::read) {
    call.has_begun_hold = call.has_begun_hold || is_beginning;
    return finish(decision, call, ir::Value::map(), std::move(intent), true);
  }
  if (auto outcome = parts_.journal.write(intent); !outcome) {
    return unrecorded(std::move(outcome).error());
  }
  call.has_begun_hold = call.has_begun_hold || is_beginning;
  PLAN_KILL_POINT("journal.after-intent");
  if (!was_touched) call.prior = std::move(seen->prior);
  ++call.attempts_before;

  step::StepContext doing = context(call);
  doing.attempt = call.attempts_before - 1;
  if (!was_touched) doing.attempt = 0;
  auto outputs = call.driver->apply(doing);
  if (!outputs && outputs.error().is(step::errors::not_yet)) {
    // Begun, not over: the record stays as it is, and what the driver must know is in its notes.
    const auto pause = std::max(outputs.error().retry_after(), kWaitMin);
    return {.kind = Kind::waiting, .wait = pause, .error = std::move(outputs).error()};
  }
  if (!outputs) return record_failure(call, std::move(outputs).error(), true);
  PLAN_KILL_POINT("driver.after-apply");
  if (auto outcome = call.driver->verify(doing); !outcome) {
    Error error = std::move(outcome).error();
    if (error.effect() == Effect::none) error = std::move(error).with_effect(Effect::applied);
    return record_failure(call, std::move(error), true);
  }
  PLAN_KILL_POINT("driver.after-verify");
  std::vector<Entry> graded;
  if ((*outputs)["grade"].is_string() && !call.account.empty())
    graded.push_back(Graded{call.account, grade_of(*outputs)});
  if (auto refused = refused_grade(call, *outputs)) {
    StepResult result = record_failure(call, std::move(*refused), true, std::move(graded));
    result.grade = (*outputs)["grade"].as_string();
    return result;
  }
  return finish(decision, call, std::move(*outputs), std::move(graded),
                is_satisfied && !was_touched);
}

StepRunner::Tries StepRunner::tries_of(ir::StepId step, bool& is_first) {
  const std::lock_guard lock(mutex_);
  const auto found = tries_.find(step);
  is_first = found == tries_.end();
  if (!is_first) return found->second;
  return {.failed = 0, .pause = options_.retry.first_wait, .begun = parts_.clock.now()};
}

void StepRunner::remember_tries(ir::StepId step, const Tries& tries) {
  const std::lock_guard lock(mutex_);
  tries_.insert_or_assign(step, tries);
}

void StepRunner::forget_tries(ir::StepId step) {
  const std::lock_guard lock(mutex_);
  tries_.erase(step);
}

std::optional<std::chrono::milliseconds> StepRunner::wait_before_next(const Decision& decision,
                                                                      const StepResult& result,
                                                                      Tries& tries) {
  const RetryPolicy& policy = options_.retry;
  const auto wait_max = decision.is_held ? policy.wait_max_held : policy.wait_max;
  if (result.kind == Kind::waiting)
    return decision.is_held ? std::min(result.wait, policy.wait_max_held) : result.wait;
  if (result.kind != Kind::failed) return std::nullopt;
  const Error& error = *result.error;
  const bool is_commit = parts_.graph.role(decision.step) == ir::TransactionRole::commit;
  const std::uint32_t tries_max = is_commit          ? policy.attempts_max_undo
                                  : decision.is_held ? policy.attempts_max_held
                                                     : policy.attempts_max;
  const bool may_repeat = error.retry() != Retry::never || error.effect() == Effect::unknown;
  if (!may_repeat || ++tries.failed >= tries_max) {
    emit(report::StepFailed{failure_of(parts_.graph, decision.step, error), false});
    return std::nullopt;
  }
  std::chrono::milliseconds duration =
      error.retry() == Retry::after ? std::max(error.retry_after(), tries.pause) : tries.pause;
  duration = std::min(duration, wait_max);
  tries.pause = std::min(tries.pause * 2, policy.wait_max);
  emit(report::StepRetried{failure_of(parts_.graph, decision.step, error), tries.failed,
                           static_cast<std::uint64_t>(duration.count()), false});
  return duration;
}

StepResult StepRunner::apply(const Decision& decision) {
  Call call{.graph = parts_.graph, .step = decision.step, .is_held = decision.is_held};
  const std::string id = parts_.graph.id(decision.step);
  const std::string account = account_of(parts_.graph, decision.step);
  const std::string kind(ir::info(parts_.graph.kind(decision.step)).name);
  bool is_first = true;
  Tries tries = tries_of(decision.step, is_first);
  if (is_first)
    emit(report::StepStarted{id, kind, account, wave_of(parts_.graph, decision.step), 1, false});
  while (true) {
    StepResult result = try_once(decision, call);
    const auto pause = wait_before_next(decision, result, tries);
    if (!pause) {
      forget_tries(decision.step);
      if (result.kind != Kind::done) return result;
      const auto took =
          std::chrono::duration_cast<std::chrono::milliseconds>(parts_.clock.now() - tries.begun);
      ir::Value outputs;
      {
        const std::lock_guard lock(mutex_);
        outputs = outputs_[call.id];
      }
      emit(report::StepFinished{id, kind, account,
                                static_cast<std::uint64_t>(std::max<std::int64_t>(0, took.count())),
                                result.was_satisfied, false, std::move(outputs)});
      return result;
    }
    if (decision.is_held) {
      wait(*pause, true);
      continue;
    }
    remember_tries(decision.step, tries);
    if (stop_.is_requested()) result.kind = Kind::stopped;
    if (result.kind == Kind::failed) result.kind = Kind::waiting;
    result.wait = *pause;
    return result;
  }
}

}  // namespace plan::engine
