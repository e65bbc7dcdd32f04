#include "runtime/report/event.h"

#include <fmt/format.h>

#include "compiler/source/text.h"
#include "runtime/net/clock.h"

namespace plan::report {
namespace {

using ir::Value;

Value failure_document(const Failure& failure) {
  return Value::map({{"step", failure.step},
                     {"account", failure.account},
                     {"place", failure.place},
                     {"code", failure.code},
                     {"message", failure.message},
                     {"remedy", failure.remedy},
                     {"blame", failure.blame},
                     {"effect", failure.effect}});
}

std::string about(const std::string& step) { return printable(step, 300); }

std::string failure_line(const Failure& failure) {
  std::string line = fmt::format("{}: {}", about(failure.step), printable(failure.message, 2000));
  if (!failure.place.empty()) line += fmt::format(" (from {})", failure.place);
  return line;
}

/// Words and document of each kind of event.
struct Name {
  std::string_view operator()(const RunStarted&) const { return "run-started"; }
  std::string_view operator()(const RunEnded&) const { return "run-ended"; }
  std::string_view operator()(const WaveStarted&) const { return "wave-started"; }
  std::string_view operator()(const WaveEnded&) const { return "wave-ended"; }
  std::string_view operator()(const ApprovalNeeded&) const { return "approval-needed"; }
  std::string_view operator()(const StepStarted&) const { return "step-started"; }
  std::string_view operator()(const StepProgress&) const { return "step-progress"; }
  std::string_view operator()(const StepFinished&) const { return "step-finished"; }
  std::string_view operator()(const StepRetried&) const { return "step-retried"; }
  std::string_view operator()(const StepFailed&) const { return "step-failed"; }
  std::string_view operator()(const AccountHeld&) const { return "account-held"; }
  std::string_view operator()(const AccountReleased&) const { return "account-released"; }
  std::string_view operator()(const AccountGraded&) const { return "account-graded"; }
  std::string_view operator()(const Notice&) const { return "notice"; }
};

struct Members {
  Value operator()(const RunStarted& e) const {
    return Value::map({{"run_id", e.run_id},
                       {"plan", e.plan_name},
                       {"steps", e.steps},
                       {"steps_done_before", e.steps_done_before},
                       {"accounts", e.accounts},
                       {"is_resumed", e.is_resumed},
                       {"is_rollback", e.is_rollback},
                       {"accounts_moved_before", e.accounts_moved_before}});
  }
  Value operator()(const RunEnded& e) const {
    return Value::map({{"ending", to_string(e.ending)},
                       {"done", e.done},
                       {"undone", e.undone},
                       {"failed", e.failed},
                       {"waiting", e.waiting},
                       {"message", e.message}});
  }
  Value operator()(const WaveStarted& e) const {
    return Value::map({{"wave", e.wave}, {"accounts", e.accounts}});
  }
  Value operator()(const WaveEnded& e) const {
    return Value::map({{"wave", e.wave}, {"moved", e.moved}, {"failed", e.failed}});
  }
  Value operator()(const ApprovalNeeded& e) const {
    return Value::map({{"subject", e.subject}, {"reason", e.reason}});
  }
  Value operator()(const StepStarted& e) const {
    return Value::map({{"step", e.step},
                       {"kind", e.kind},
                       {"account", e.account},
                       {"wave", e.wave},
                       {"attempt", e.attempt},
                       {"is_undo", e.is_undo}});
  }
  Value operator()(const StepProgress& e) const {
    return Value::map({{"step", e.step},
                       {"account", e.account},
                       {"done", e.done},
                       {"total", e.total},
                       {"unit", e.unit},
                       {"remark", e.remark}});
  }
  Value operator()(const StepFinished& e) const {
    return Value::map({{"step", e.step},
                       {"kind", e.kind},
                       {"account", e.account},
                       {"duration_ms", e.duration_ms},
                       {"was_satisfied", e.was_satisfied},
                       {"is_undo", e.is_undo},
                       {"outputs", e.outputs}});
  }
  Value operator()(const StepRetried& e) const {
    return Value::map({{"failure", failure_document(e.failure)},
                       {"attempt", e.attempt},
                       {"wait_ms", e.wait_ms},
                       {"is_undo", e.is_undo}});
  }
  Value operator()(const StepFailed& e) const {
    return Value::map({{"failure", failure_document(e.failure)}, {"is_undo", e.is_undo}});
  }
  Value operator()(const AccountHeld& e) const {
    return Value::map({{"account", e.account}, {"wave", e.wave}, {"bound_ms", e.bound_ms}});
  }
  Value operator()(const AccountReleased& e) const {
    return Value::map({{"account", e.account},
                       {"wave", e.wave},
                       {"held_ms", e.held_ms},
                       {"is_committed", e.is_committed}});
  }
  Value operator()(const AccountGraded& e) const {
    return Value::map({{"account", e.account}, {"grade", e.grade}});
  }
  Value operator()(const Notice& e) const { return Value::map({{"text", e.text}}); }
};

struct Line {
  std::string operator()(const RunStarted& e) const {
    std::string line = fmt::format("{} of `{}` {}: {} steps", e.is_rollback ? "rollback" : "run",
                                   printable(e.plan_name, 200), e.is_resumed ? "goes on" : "begins",
                                   show_count(e.steps));
    if (e.accounts > 0)
      line += fmt::format(", {} account{}", show_count(e.accounts), e.accounts == 1 ? "" : "s");
    if (e.steps_done_before > 0) {
      line += fmt::format(", {} steps done before", show_count(e.steps_done_before));
    }
    return line + " (" + e.run_id + ")";
  }
  std::string operator()(const RunEnded& e) const {
    // The message is for the end of the command: it says how to go on.
    std::string line =
        e.undone > 0 && e.done == 0
            ? fmt::format("{}: {} steps undone this time", to_string(e.ending),
                          show_count(e.undone))
            : fmt::format("{}: {} steps done this time", to_string(e.ending), show_count(e.done));
    if (e.undone > 0 && e.done > 0) line += fmt::format(", {} undone", show_count(e.undone));
    if (e.failed > 0) line += fmt::format(", {} failed", show_count(e.failed));
    if (e.waiting > 0) line += fmt::format(", {} waiting", show_count(e.waiting));
    return line;
  }
  std::string operator()(const WaveStarted& e) const {
    return fmt::format("wave {} begins: {} account{}", printable(e.wave, 200),
                       show_count(e.accounts), e.accounts == 1 ? "" : "s");
  }
  std::string operator()(const WaveEnded& e) const {
    return fmt::format("wave {} ended: {} moved, {} failed", printable(e.wave, 200),
                       show_count(e.moved), show_count(e.failed));
  }
  std::string operator()(const ApprovalNeeded& e) const {
    return fmt::format("{}: plan approve {}", printable(e.reason),
                       printable(approval_name(e.subject), 300));
  }
  std::string operator()(const StepStarted& e) const {
    return e.is_undo ? "undoing " + about(e.step) : std::string();
  }
  std::string operator()(const StepProgress&) const { return {}; }
  std::string operator()(const StepFinished& e) const {
    return fmt::format(
        "{} {}{}", e.is_undo ? "undone" : "done", about(e.step),
        e.was_satisfied ? " (was so already)" : " (" + show_duration_ms(e.duration_ms) + ")");
  }
  std::string operator()(const StepRetried& e) const {
    return fmt::format("again in {}: {}", show_duration_ms(e.wait_ms), failure_line(e.failure));
  }
  std::string operator()(const StepFailed& e) const {
    std::string line = (e.is_undo ? "not undone: " : "failed: ") + failure_line(e.failure);
    if (!e.failure.remedy.empty()) line += "; help: " + e.failure.remedy;
    return line;
  }
  std::string operator()(const AccountHeld& e) const {
    return fmt::format("held {} (at most {})", about(e.account), show_duration_ms(e.bound_ms));
  }
  std::string operator()(const AccountReleased& e) const {
    return fmt::format("{} {}, held for {}", e.is_committed ? "moved" : "given back",
                       about(e.account), show_duration_ms(e.held_ms));
  }
  std::string operator()(const AccountGraded& e) const {
    return fmt::format("graded {}: {}", about(e.account), printable(e.grade, 100));
  }
  std::string operator()(const Notice& e) const { return printable(e.text); }
};

}  // namespace

std::string_view to_string(Ending ending) {
  switch (ending) {
    case Ending::finished:
      return "finished";
    case Ending::stopped:
      return "stopped";
    case Ending::failed:
      return "failed";
    case Ending::needs_approval:
      return "needs-approval";
  }
  return "failed";
}

Value to_document(const Event& event) {
  Value document = Value::map({{"format", kEventFormat},
                               {"event", std::visit(Name{}, event.what)},
                               {"time", net::show_utc(event.wall_ms)},
                               {"time_ms", event.wall_ms}});
  const Value members = std::visit(Members{}, event.what);
  for (const auto& [key, member] : members.members()) document.set(key, member);
  return document;
}

std::string_view approval_name(std::string_view subject) {
  const std::size_t colon = subject.find(':');
  if (colon == std::string_view::npos) return subject;
  const std::string_view kind = subject.substr(0, colon);
  const std::string_view name = subject.substr(colon + 1);
  const bool is_address = name.find('@') != std::string_view::npos;
  if (kind == "stage") return name == "finalize" ? name : subject;
  if (kind == "account") return is_address ? name : subject;
  const bool is_ambiguous =
      is_address || name == "finalize" || name.find(':') != std::string_view::npos;
  return is_ambiguous ? subject : name;
}

std::string to_line(const Event& event) { return std::visit(Line{}, event.what); }

}  // namespace plan::report
