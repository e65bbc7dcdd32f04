#include "runtime/engine/session.h"

#include <fmt/format.h>
#include <unistd.h>

#include "compiler/ir/digest.h"
#include "runtime/engine/errors.h"
#include "runtime/engine/kill_point.h"

namespace plan::engine {
namespace {

RunState run_state(report::Ending ending) {
  switch (ending) {
    case report::Ending::finished:
      return RunState::finished;
    case report::Ending::stopped:
      return RunState::stopped;
    case report::Ending::failed:
      return RunState::failed;
    case report::Ending::needs_approval:
      return RunState::needs_approval;
  }
  return RunState::failed;
}

/// "20261124T014739Z-5f2a9c41": when and which, for people and for leases.
/// `earlier` runs of the journal make it another one within the same millisecond.
std::string new_run_id(std::int64_t wall_ms, const std::string& plan_name, const std::string& boot,
                       std::size_t earlier) {
  std::string when;
  for (const char c : net::show_utc(wall_ms)) {
    if (c != '-' && c != ':') when += c;
  }
  const std::string seed =
      fmt::format("{}\n{}\n{}\n{}\n{}", wall_ms, ::getpid(), plan_name, boot, earlier);
  return when + "-" + ir::sha256(seed).hex().substr(0, 8);
}

}  // namespace

Session::Session(const EngineParts& parts) : parts_(parts) {}

Session::~Session() {
  leases_.reset();
  if (is_locked_) parts_.journal.unlock();
}

std::optional<Error> Session::fatal() const {
  const std::lock_guard lock(mutex_);
  return fatal_;
}

void Session::set_fatal(Error error) {
  runner_->forbid_effects(error);
  const std::lock_guard lock(mutex_);
  if (!fatal_) fatal_ = std::move(error);
}

Result<std::unique_ptr<Session>> Session::begin(const EngineParts& parts,
                                                const EngineOptions& options, bool is_rollback) {
  std::unique_ptr<Session> session(new Session(parts));
  PLAN_TRY_VOID(parts.journal.lock_for_run());
  session->is_locked_ = true;
  PLAN_TRY(runs, parts.journal.runs());
  RunInfo& info = session->info_;
  if (!options.saved_plan_digest.empty()) {
    for (std::size_t i = 0; i < runs.size(); ++i) {
      const RunInfo& run = runs[i];
      if (run.is_rollback || run.saved_plan_digest != options.saved_plan_digest) continue;
      if (run.state == RunState::finished || i + 1 != runs.size()) {
        return Error(errors::plan_already_used,
                     fmt::format("this saved plan was applied by run {} ({})", run.run_id,
                                 net::show_utc(run.started_ms)))
            .with_blame(Blame::plan);
      }
    }
  }
  const std::string boot = options.boot_id.empty() ? net::boot_id() : options.boot_id;
  const RunInfo* latest = runs.empty() ? nullptr : &runs.back();
  if (latest != nullptr && latest->state != RunState::finished &&
      latest->is_rollback == is_rollback &&
      latest->saved_plan_digest == options.saved_plan_digest) {
    info = *latest;
    session->is_resumed_ = true;
  } else {
    info.started_ms = parts.clock.wall_ms();
    info.run_id = new_run_id(info.started_ms, options.plan_name, boot, runs.size());
    info.saved_plan_digest = options.saved_plan_digest;
    info.is_rollback = is_rollback;
  }
  info.plan_name = options.plan_name;
  info.graph_digest = graph_digest(parts.graph);
  info.state = RunState::open;
  info.ended_ms = std::nullopt;
  info.boot_id = boot;
  info.process_id = ::getpid();
  info.message.clear();

  session->leases_ = std::make_unique<LeaseKeeper>(options.leases, info.run_id);
  PLAN_TRY(earlier, parts.journal.leases_asked());
  for (const RunInfo& run : runs) earlier.push_back(run.run_id);
  PLAN_TRY_VOID(parts.journal.ask_for_leases(info.run_id));
  PLAN_KILL_POINT("engine.leases-asked");
  PLAN_TRY_VOID(session->leases_->acquire(options.takes_over_lease, earlier));
  PLAN_KILL_POINT("engine.leases-taken");
  session->runner_ = std::make_unique<StepRunner>(parts, options, info.run_id, boot);
  Session* raw = session.get();
  session->leases_->keep(options.lease_renewal,
                         [raw](const Error& error) { raw->set_fatal(error); });
  return session;
}

void Session::tell_stop(const std::function<std::vector<std::string>()>& held) {
  const unsigned times = parts_.stop.times_requested();
  if (times == stops_told_) return;
  std::string text = stops_told_ == 0 ? "stopping" : "still stopping";
  stops_told_ = times;
  const std::vector<std::string> names = held();
  constexpr std::size_t kNamed = 3;
  if (names.empty()) {
    text += ": no account is held";
  } else if (names.size() <= kNamed) {
    text += fmt::format(": {} {} held and {} finished or undone first", fmt::join(names, ", "),
                        names.size() == 1 ? "is" : "are", names.size() == 1 ? "is" : "are");
  } else {
    text += fmt::format(": {} accounts are held and are finished or undone first", names.size());
  }
  runner_->emit(report::Notice{std::move(text)});
}

Outcome Session::end(const RunResult& result) {
  PLAN_KILL_POINT("engine.before-run-ended");
  PLAN_TRY_VOID(parts_.journal.end_run(run_state(result.ending), result.message));
  runner_->emit(report::RunEnded{result.ending, result.counts.done, result.counts.undone,
                                 result.counts.failed, result.counts.waiting, result.message});
  return {};
}

}  // namespace plan::engine
