#include "runtime/engine/engine.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>

#include "compiler/source/check.h"
#include "compiler/source/text.h"
#include "runtime/engine/errors.h"
#include "runtime/engine/kill_point.h"
#include "runtime/engine/recovery.h"
#include "runtime/engine/scheduler.h"
#include "runtime/engine/session.h"
#include "runtime/engine/worker_pool.h"

namespace plan::engine {
namespace {

using ir::RowId;
using ir::StepId;
using ir::WaveId;
using Kind = StepResult::Kind;

/// How long a result is waited for before stop signal and requests are looked at.
constexpr std::chrono::milliseconds kLookEvery{100};

SchedulerLimits limits_of(const EngineOptions& options) {
  return {.threads_max = std::max<std::uint32_t>(1, options.threads_max),
          .source_parallel = options.source_parallel,
          .target_parallel = options.target_parallel};
}

/// One run of `plan apply`: asks the scheduler, hands its decisions to workers, tells it what came.
class Execution {
 public:
  Execution(const EngineParts& parts, const EngineOptions& options, Session& session)
      : parts_(parts),
        options_(options),
        session_(session),
        runner_(session.runner()),
        scheduler_(parts.graph, limits_of(options)),
        waves_told_(parts.graph.waves().size() + 1) {}

  [[nodiscard]] Result<RunResult> execute(Recovered recovered) {
    PLAN_TRY_VOID(restore(std::move(recovered)));
    PLAN_TRY(before, parts_.journal.requests(0));
    if (!before.empty()) last_request_ = before.back().id;
    steer(steering_of(before));
    last_poll_ = parts_.clock.now();
    while (true) {
      const bool is_over = session_.fatal().has_value();
      std::size_t begun = 0;
      if (!is_over) {
        wake_due();
        PLAN_TRY_VOID(look_at_requests());
        if (parts_.stop.is_requested()) {
          session_.tell_stop([this] { return accounts_held(); });
          drain(DrainReason::stop_signal);
        }
        look_at_the_journal();
        PLAN_TRY_VOID(look_at_approvals());
        tell_waves();
        begun = dispatch();
      }
      tell_waves();
      if (scheduler_.running() == 0 && begun == 0 && (is_over || !may_still_come())) break;
      for (auto& [decision, result] : results_.take(*workers_, wait_for_result()))
        take(decision, std::move(result));
    }
    if (auto fatal = session_.fatal()) {
      return std::move(*fatal).while_doing(
          "executing the plan; run the same command again to go on");
    }
    auto result = conclude();
    if (journal_lost_)
      return std::move(*journal_lost_)
          .while_doing("executing the plan; what was done since then is in no journal");
    return result;
  }

 private:
  enum class DrainReason : std::uint8_t {
    none,
    stop_signal,
    stop_request,
    stop_rule,
    journal_lost
  };

  Outcome restore(Recovered recovered) {
    for (const auto& [account, is_moved] : recovered.stale_holds) {
      PLAN_TRY_VOID(parts_.journal.write({HoldEnded{account, is_moved}}));
    }
    for (const StepId step : recovered.done) scheduler_.restore_done(step);
    const auto since = [&](std::int64_t held_ms) {
      return parts_.clock.now() - std::chrono::milliseconds(held_ms);
    };
    for (const HeldRow& held : recovered.held) {
      scheduler_.restore_held(held.row);
      runner_.remember_hold(held.row, since(held.held_ms));
      if (held.is_prepared) runner_.remember_prepared(held.row);
    }
    for (UndoingRow& undoing : recovered.undoing) {
      runner_.remember_hold(undoing.row, since(undoing.held_ms));
      scheduler_.restore_undoing(undoing.row, std::move(undoing.newest_first));
    }
    scheduler_.start();
    std::uint64_t accounts = 0;
    std::uint64_t moved = 0;
    for (std::size_t w = 1; w <= parts_.graph.waves().size(); ++w) {
      const Scheduler::WaveCounts wave = scheduler_.wave_counts(static_cast<WaveId>(w));
      accounts += wave.rows;
      moved += wave.moved;
      // It was told when it was so.
      if (wave.is_over && wave.moved == wave.rows) waves_told_[w] = Told::ended;
    }
    runner_.emit(report::RunStarted{session_.info().run_id, options_.plan_name, parts_.graph.size(),
                                    recovered.done.size(), accounts, session_.is_resumed(), false,
                                    moved});
    for (std::string& notice : recovered.notices) runner_.emit(report::Notice{std::move(notice)});
    return {};
  }

  /// How long to wait for a worker. While none works only time can bring something.
  std::chrono::milliseconds wait_for_result() {
    auto wait = kLookEvery;
    if (!timers_.empty()) {
      const auto next =
          std::chrono::ceil<std::chrono::milliseconds>(timers_.begin()->first - parts_.clock.now());
      wait = std::clamp(next, std::chrono::milliseconds(0), kLookEvery);
    }
    if (scheduler_.running() > 0 || timers_.empty()) return wait;
    parts_.clock.sleep_for(wait);
    return std::chrono::milliseconds(0);
  }

  /// Steps whose time has come run again.
  void wake_due() {
    const auto now = parts_.clock.now();
    while (!timers_.empty() && timers_.begin()->first <= now) {
      scheduler_.wake(timers_.begin()->second);
      timers_.erase(timers_.begin());
    }
  }

  std::size_t dispatch() {
    const std::vector<Decision> decisions = scheduler_.next();
    for (const Decision& decision : decisions) {
      workers_->submit([this, decision] {
        StepResult result;
        if (decision.is_undo) {
          std::vector<Entry> first;
          if (decision.begins_undo) {
            first.push_back(HoldTurned{runner_.account_of(parts_.graph, decision.step)});
          }
          result = runner_.undo(parts_.graph, decision.step, std::move(first), decision.ends_hold);
        } else {
          result = runner_.apply(decision);
        }
        results_.put({decision, std::move(result)});
      });
    }
    return decisions.size();
  }

  void take(const Decision& decision, StepResult result) {
    const StepId step = decision.step;
    if (result.kind == Kind::unrecorded) {
      session_.set_fatal(std::move(*result.error));
      scheduler_.on_stopped(step);
      return;
    }
    if (decision.is_undo) {
      take_undo(decision, std::move(result));
      return;
    }
    switch (result.kind) {
      case Kind::done:
        ++counts_.done;
        if (result.was_satisfied) ++counts_.satisfied;
        scheduler_.on_done(step);
        if (decision.ends_hold) tell_released(step, true);
        return;
      case Kind::parked:
        scheduler_.on_parked(step);
        return;
      case Kind::waiting:
        scheduler_.on_waiting(step);
        timers_.emplace(parts_.clock.now() + result.wait, step);
        return;
      case Kind::stopped:
        if (scheduler_.is_draining() || parts_.stop.is_requested()) {
          scheduler_.on_stopped(step);
          return;
        }
        [[fallthrough]];
      case Kind::failed: {
        ++counts_.failed;
        const RowId row = parts_.graph.row(step);
        failures_.push_back(runner_.failure_of(parts_.graph, step, *result.error));
        if (result.grade == "investigate") {
          approvals_.push_back("account:" + runner_.account_of(parts_.graph, step));
        } else {
          has_other_failure_ = true;
        }
        scheduler_.on_failed(step, result.is_effect_unknown);
        if (row != RowId::none && scheduler_.phase(row) == RowPhase::stuck) note_stuck(step);
        return;
      }
      case Kind::unrecorded:
        return;
    }
  }

  void take_undo(const Decision& decision, StepResult result) {
    const StepId step = decision.step;
    if (result.kind == Kind::done) {
      ++counts_.undone;
      scheduler_.on_undone(step);
      if (decision.ends_hold) tell_released(step, false);
      return;
    }
    ++counts_.failed;
    has_other_failure_ = true;
    failures_.push_back(runner_.failure_of(parts_.graph, step, *result.error));
    scheduler_.on_undo_failed(step);
    note_stuck(step);
  }

  void note_stuck(StepId step) {
    stuck_.push_back(runner_.account_of(parts_.graph, step));
    runner_.emit(report::Notice{fmt::format(
        "{} is still held: the next run goes on with it before anything else", stuck_.back())});
  }

  void tell_released(StepId step, bool is_committed) {
    const std::uint64_t held_ms = runner_.held_ms(parts_.graph.row(step)).value_or(0);
    runner_.emit(report::AccountReleased{runner_.account_of(parts_.graph, step),
                                         runner_.wave_of(parts_.graph, step), held_ms,
                                         is_committed});
    scheduler_.on_hold_ended(parts_.graph.row(step), held_ms);
  }

  [[nodiscard]] std::vector<std::string> accounts_held() const {
    std::vector<std::string> names;
    for (std::size_t i = 1; i <= parts_.graph.row_count(); ++i) {
      const auto row = static_cast<RowId>(i);
      const RowPhase phase = scheduler_.phase(row);
      if (phase == RowPhase::held || phase == RowPhase::undoing)
        names.push_back(account_of(parts_.graph, row));
    }
    return names;
  }

  /// Without a journal nothing new begins and a copy stops where it is; what is held is finished or
  /// undone out of what this process knows.
  void look_at_the_journal() {
    if (journal_lost_) return;
    auto place = parts_.journal.check_place();
    if (place) return;
    journal_lost_ = std::move(place).error();
    runner_.emit(report::Notice{fmt::format("{}: nothing new begins", journal_lost_->message())});
    runner_.stop_what_is_not_held();
    drain(DrainReason::journal_lost);
  }

  void drain(DrainReason reason) {
    if (drain_reason_ == DrainReason::none) drain_reason_ = reason;
    scheduler_.drain();
  }

  Outcome look_at_requests() {
    const auto now = parts_.clock.now();
    if (now - last_poll_ < options_.request_poll) return {};
    last_poll_ = now;
    PLAN_TRY(requests, parts_.journal.requests(last_request_));
    for (const Request& request : requests) {
      last_request_ = request.id;
      switch (request.kind) {
        case RequestKind::approve:
          break;
        case RequestKind::pause:
          scheduler_.pause(true);
          runner_.emit(report::Notice{"paused: held accounts are finished, nothing new begins"});
          break;
        case RequestKind::resume:
          scheduler_.pause(false);
          runner_.emit(report::Notice{"resumed"});
          break;
        case RequestKind::throttle:
          steer(steering_of({request}));
          break;
        case RequestKind::stop:
          drain(DrainReason::stop_request);
          break;
      }
    }
    return {};
  }

  void steer(const Steering& steering) {
    if (steering.is_paused) {
      scheduler_.pause(true);
      runner_.emit(report::Notice{"paused earlier: nothing begins until plan resume"});
    }
    SchedulerLimits limits = scheduler_.limits();
    for (const auto& [host, bound] : steering.bounds) {
      if (host != "source" && host != "target") {
        runner_.emit(report::Notice{fmt::format("`{}` cannot be throttled", host)});
        continue;
      }
      if (const auto parallel = bound.parallel) {
        (host == "source" ? limits.source_parallel : limits.target_parallel) = *parallel;
        runner_.emit(report::Notice{
            *parallel == 0 ? fmt::format("{}: no bound", host)
                           : fmt::format("{}: at most {} {} at a time", host, *parallel,
                                         *parallel == 1 ? "step" : "steps")});
      }
      if (const auto rate = bound.bytes_per_second) {
        runner_.set_rate(host, *rate);
        runner_.emit(report::Notice{
            *rate == 0
                ? fmt::format("{}: no bound of the rate", host)
                : fmt::format("{}: copying takes at most {} a second", host, show_bytes(*rate))});
      }
    }
    scheduler_.set_limits(limits);
  }

  /// Opens gates whose approval has come.
  Outcome look_at_approvals() {
    for (const WaveId wave : scheduler_.waves_waiting_for_approval()) {
      const std::string subject = "wave:" + parts_.graph.wave_info(wave)->name;
      PLAN_TRY(is_approved, parts_.journal.is_approved(subject));
      if (is_approved) {
        scheduler_.approve(wave);
      } else {
        ask_for(subject, "the wave waits for approval");
      }
    }
    if (scheduler_.has_parked()) {
      const auto now = parts_.clock.now();
      if (!is_parked_told_ || now - last_unpark_ >= options_.request_poll) {
        last_unpark_ = now;
        is_parked_told_ = true;
        PLAN_TRY_VOID(unpark_if_approved());
      }
    }
    return {};
  }

  Outcome unpark_if_approved() {
    bool is_any_approved = false;
    for (const StepId step : scheduler_.parked()) {
      const std::string subject = approval_subject(parts_.graph.arguments(step));
      PLAN_TRY(is_approved, parts_.journal.is_approved(subject));
      is_any_approved = is_any_approved || is_approved;
      const bool is_wave = subject.starts_with("wave:");
      if (!is_approved)
        ask_for(subject, is_wave ? "the wave waits for approval" : "the stage waits for approval");
    }
    if (is_any_approved) scheduler_.unpark();
    return {};
  }

  void ask_for(const std::string& subject, std::string reason) {
    if (std::find(waits_for_.begin(), waits_for_.end(), subject) != waits_for_.end()) return;
    waits_for_.push_back(subject);
    runner_.emit(report::ApprovalNeeded{subject, std::move(reason)});
  }

  /// Nothing runs and nothing could be begun: can that change by itself?
  [[nodiscard]] bool may_still_come() const {
    if (scheduler_.is_draining()) return false;
    if (scheduler_.is_paused() || scheduler_.sleeping() > 0) return true;
    return options_.waits_for_approval &&
           (scheduler_.has_parked() || !scheduler_.waves_waiting_for_approval().empty());
  }

  void tell_waves() {
    for (std::size_t w = 1; w < waves_told_.size(); ++w) {
      Told& told = waves_told_[w];
      if (told == Told::ended) continue;
      const auto id = static_cast<WaveId>(w);
      const Scheduler::WaveCounts now = scheduler_.wave_counts(id);
      if (!now.has_begun) continue;
      const std::string& name = parts_.graph.wave_info(id)->name;
      if (told == Told::nothing) runner_.emit(report::WaveStarted{name, now.rows});
      told = Told::begun;
      if (!now.is_over) continue;
      runner_.emit(report::WaveEnded{name, now.moved, now.failed});
      told = Told::ended;
    }
  }

  [[nodiscard]] Result<RunResult> conclude() {
    RunResult result;
    result.run_id = session_.info().run_id;
    result.failures = std::move(failures_);
    result.accounts_held = std::move(stuck_);
    result.approvals_needed = approvals_;
    result.approvals_needed.insert(result.approvals_needed.end(), waits_for_.begin(),
                                   waits_for_.end());
    for (std::size_t w = 1; w <= parts_.graph.waves().size(); ++w) {
      const Scheduler::WaveCounts wave = scheduler_.wave_counts(static_cast<WaveId>(w));
      counts_.accounts_moved += wave.moved;
      counts_.accounts_failed += wave.failed;
    }
    for (const StepId step : parts_.graph.order()) {
      if (!scheduler_.is_done(step)) ++counts_.waiting;
    }
    counts_.waiting -= std::min(counts_.waiting, counts_.failed);
    result.counts = counts_;
    decide_ending(result);
    PLAN_TRY_VOID(session_.end(result));
    return result;
  }

  void decide_ending(RunResult& result) const {
    if (scheduler_.is_complete()) {
      result.ending = report::Ending::finished;
      result.message = "everything that the plan wants is done";
      return;
    }
    const std::string again = "; run the same command again to go on";
    if (!result.accounts_held.empty()) {
      result.ending = report::Ending::failed;
      result.message =
          fmt::format("{} still held",
                      result.accounts_held.size() == 1
                          ? "1 account is"
                          : fmt::format("{} accounts are", result.accounts_held.size())) +
          again;
      return;
    }
    if (drain_reason_ == DrainReason::stop_signal || drain_reason_ == DrainReason::stop_request) {
      result.ending = report::Ending::stopped;
      result.message = "no account is held" + again;
      return;
    }
    if (drain_reason_ == DrainReason::journal_lost) {
      result.ending = report::Ending::failed;
      result.message = "the journal was taken away; no account is held";
      return;
    }
    if (const auto& stopped = scheduler_.stopped_by()) {
      result.ending = report::Ending::stopped;
      result.message = fmt::format("wave {} was stopped by its rule: {}; no account is held",
                                   parts_.graph.wave_info(stopped->wave)->name, why(*stopped)) +
                       again;
      return;
    }
    if (has_other_failure_) {
      result.ending = report::Ending::failed;
      result.message = fmt::format("{} {} failed", result.failures.size(),
                                   result.failures.size() == 1 ? "step" : "steps") +
                       again;
      return;
    }
    PLAN_CHECK(!result.approvals_needed.empty() || !result.failures.empty(),
               "a run that is not complete has a reason");
    result.ending = report::Ending::needs_approval;
    std::vector<std::string_view> names;
    names.reserve(result.approvals_needed.size());
    for (const std::string& subject : result.approvals_needed)
      names.push_back(report::approval_name(subject));
    result.message = fmt::format("waits for: plan approve {}", fmt::join(names, "; plan approve "));
  }

  [[nodiscard]] std::string why(const Scheduler::Stopped& stopped) const {
    if (stopped.rule == Scheduler::Stopped::Rule::hold)
      return fmt::format("an account was held for {}", show_duration_ms(stopped.held_ms));
    const Scheduler::WaveCounts wave = scheduler_.wave_counts(stopped.wave);
    if (stopped.rule == Scheduler::Stopped::Rule::failed)
      return fmt::format("{} failed",
                         wave.failed == 1 ? "1 account" : fmt::format("{} accounts", wave.failed));
    return fmt::format("{} of {} accounts failed", wave.failed, wave.rows);
  }

  enum class Told : std::uint8_t { nothing, begun, ended };

  const EngineParts& parts_;
  const EngineOptions& options_;
  Session& session_;
  StepRunner& runner_;
  Scheduler scheduler_;
  Mailbox<std::pair<Decision, StepResult>> results_;
  std::multimap<net::Clock::Monotonic, StepId> timers_;  ///< steps that look again later
  RunCounts counts_;
  std::vector<report::Failure> failures_;
  std::vector<std::string> approvals_;  ///< accounts whose grade asks for one
  std::vector<std::string> waits_for_;  ///< waves
  std::vector<std::string> stuck_;
  std::vector<Told> waves_told_;
  net::Clock::Monotonic last_poll_ = {};
  net::Clock::Monotonic last_unpark_ = {};
  std::int64_t last_request_ = 0;
  DrainReason drain_reason_ = DrainReason::none;
  std::optional<Error> journal_lost_ = {};
  bool has_other_failure_ = false;
  bool is_parked_told_ = false;
  std::unique_ptr<Workers> workers_ =
      make_workers(options_);  ///< last: its threads end before what they use
};

/// A mark is only a place in the order of things.
class MarkDriver final : public step::StepDriver {
 public:
  Result<ir::Observation> observe(step::StepContext&) override {
    ir::Observation seen;
    seen.standing = ir::Standing::absent;
    return seen;
  }
  Result<ir::Value> apply(step::StepContext&) override { return ir::Value::map(); }
  Outcome verify(step::StepContext&) override { return {}; }
  Outcome undo(step::StepContext&) override { return {}; }
};

/// Only for looking: in a run the engine puts the earlier step's driver in its place.
class RestoreDriver final : public step::StepDriver {
 public:
  Result<ir::Observation> observe(step::StepContext& context) override {
    ir::Observation seen;
    seen.remark = fmt::format("puts back what `{}` changed",
                              printable(context.arguments["step"].string_or(""), 200));
    return seen;
  }
  Result<ir::Value> apply(step::StepContext& context) override {
    return Error(errors::driver_missing,
                 fmt::format("`{}` runs only in a run of its plan", context.id));
  }
  Outcome verify(step::StepContext&) override { return {}; }
  Outcome undo(step::StepContext& context) override { return std::move(apply(context)).error(); }
};

/// Waits for a moment by the wall clock, looked at again and again because clocks are set.
class WindowDriver final : public step::StepDriver {
 public:
  Result<ir::Observation> observe(step::StepContext& context) override {
    ir::Observation seen;
    seen.standing = ir::Standing::absent;
    if (const std::int64_t left = rest(context); left > 0)
      seen.remark = fmt::format("opens in {}", show_duration_ms(static_cast<std::uint64_t>(left)));
    return seen;
  }
  Result<ir::Value> apply(step::StepContext& context) override {
    const std::int64_t left = rest(context);
    if (left <= 0) return ir::Value::map();
    return step::not_yet(std::min<std::chrono::milliseconds>(std::chrono::milliseconds(left),
                                                             std::chrono::minutes(1)),
                         "the wave's window has not opened");
  }
  Outcome verify(step::StepContext&) override { return {}; }
  Outcome undo(step::StepContext&) override { return {}; }

 private:
  static std::int64_t rest(const step::StepContext& context) {
    return context.arguments["not_before_ms"].integer_or(0) - context.clock.wall_ms();
  }
};

}  // namespace

std::unique_ptr<Workers> make_workers(const EngineOptions& options) {
  if (options.workers) return options.workers();
  return std::make_unique<WorkerPool>();
}

void add_local_drivers(step::DriverTable& drivers) {
  const auto driver = std::make_shared<MarkDriver>();
  drivers.add(ir::StepKind::mark_rollback_point, driver);
  drivers.add(ir::StepKind::approval, driver);
  drivers.add(ir::StepKind::restore, std::make_shared<RestoreDriver>());
  drivers.add(ir::StepKind::window, std::make_shared<WindowDriver>());
}

Result<RunResult> run(const EngineParts& parts, const EngineOptions& options) {
  PLAN_TRY(session, Session::begin(parts, options, false));
  // Before the run is recorded: a plan that may not take the place of the present one leaves no
  // trace.
  PLAN_TRY(recovered, recover(parts.graph, parts.journal,
                              {session->info().graph_digest, parts.clock.wall_ms(),
                               session->info().boot_id, net::uptime_ms(parts.clock)}));
  PLAN_TRY_VOID(parts.journal.begin_run(session->info(), parts.graph));
  PLAN_KILL_POINT("engine.after-run-begun");
  if (options.place) {
    std::vector<std::string> places;
    for (const ir::StepShape& shape : parts.graph.shapes())
      places.push_back(options.place(shape.origin));
    for (std::size_t row = 1; row <= parts.graph.row_count(); ++row)
      places.push_back(options.place(parts.graph.row_origin(static_cast<RowId>(row))));
    PLAN_TRY_VOID(parts.journal.remember_places(session->info().graph_digest, places));
  }
  Execution execution(parts, options, *session);
  return execution.execute(std::move(recovered));
}

}  // namespace plan::engine
