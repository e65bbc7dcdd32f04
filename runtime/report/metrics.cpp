#include "runtime/report/metrics.h"

#include <fmt/format.h>

#include "compiler/source/text.h"

namespace plan::report {
namespace {

/// A label's value: backslash, quote and line end are escaped, nothing else may be.
std::string label(std::string_view text) {
  std::string out;
  for (const char c : printable(text, 200)) {
    if (c == '\\' || c == '"') out += '\\';
    out += c;
  }
  return out;
}

void head(std::string& out, std::string_view name, std::string_view type, std::string_view help) {
  out += fmt::format("# HELP {0} {2}\n# TYPE {0} {1}\n", name, type, help);
}

void one(std::string& out, std::string_view name, std::string_view type, std::string_view help,
         std::uint64_t value) {
  head(out, name, type, help);
  out += fmt::format("{} {}\n", name, value);
}

std::uint64_t count_in(const ir::Value& outputs, std::string_view name) {
  const std::int64_t count = outputs.is_map() ? outputs[name].integer_or(0) : 0;
  return count < 0 ? 0 : static_cast<std::uint64_t>(count);
}

}  // namespace

void Metrics::on(const Event& event) {
  const std::lock_guard lock(mutex_);
  last_event_ms_ = event.wall_ms;
  if (const auto* run = std::get_if<RunStarted>(&event.what)) {
    plan_name_ = run->plan_name;
    run_id_ = run->run_id;
    is_rollback_ = run->is_rollback;
    is_running_ = true;
    steps_ = run->steps;
    steps_done_ = run->steps_done_before;
    accounts_ = run->accounts;
  } else if (std::holds_alternative<RunEnded>(event.what)) {
    is_running_ = false;
    running_.clear();
  } else if (const auto* wave = std::get_if<WaveStarted>(&event.what)) {
    waves_[wave->wave].accounts = wave->accounts;
  } else if (const auto* needed = std::get_if<ApprovalNeeded>(&event.what)) {
    approvals_.insert(needed->subject);
  } else if (const auto* started = std::get_if<StepStarted>(&event.what)) {
    running_[started->step] = started->kind;
    // What waited for an approval has got it.
    if (!started->wave.empty()) approvals_.erase("wave:" + started->wave);
  } else if (const auto* finished = std::get_if<StepFinished>(&event.what)) {
    running_.erase(finished->step);
    if (finished->is_undo) {
      ++steps_undone_;
    } else {
      ++steps_done_;
      if (finished->kind == "archive.copy") {
        messages_copied_ += count_in(finished->outputs, "messages");
        bytes_copied_ += count_in(finished->outputs, "bytes");
      }
    }
  } else if (std::holds_alternative<StepRetried>(event.what)) {
    ++steps_retried_;
  } else if (const auto* failed = std::get_if<StepFailed>(&event.what)) {
    running_.erase(failed->failure.step);
    ++steps_failed_;
  } else if (const auto* held = std::get_if<AccountHeld>(&event.what)) {
    held_.insert(held->account);
  } else if (const auto* released = std::get_if<AccountReleased>(&event.what)) {
    held_.erase(released->account);
    Wave& wave_of_it = waves_[released->wave];
    released->is_committed ? ++wave_of_it.moved : ++wave_of_it.given_back;
    ++holds_;
    held_ms_ += released->held_ms;
    for (std::size_t i = 0; i < kHoldBoundsMs.size(); ++i)
      holds_within_[i] += released->held_ms <= kHoldBoundsMs[i] ? 1U : 0U;
  } else if (const auto* graded = std::get_if<AccountGraded>(&event.what)) {
    ++grades_[graded->grade];
  }
}

std::string Metrics::text() const {
  const std::lock_guard lock(mutex_);
  std::string out;
  head(out, "plan_run_info", "gauge", "The run that this process executes.");
  out += fmt::format("plan_run_info{{plan=\"{}\",run=\"{}\",rollback=\"{}\"}} 1\n",
                     label(plan_name_), label(run_id_), is_rollback_);
  one(out, "plan_run_running", "gauge", "1 while the run goes on.", is_running_ ? 1 : 0);
  one(out, "plan_steps", "gauge", "Steps of the plan.", steps_);
  one(out, "plan_steps_done", "gauge", "Steps that are done, those of earlier runs too.",
      steps_done_);
  one(out, "plan_steps_undone_total", "counter", "Steps undone in this run.", steps_undone_);
  one(out, "plan_steps_failed_total", "counter", "Steps that failed for good in this run.",
      steps_failed_);
  one(out, "plan_steps_retried_total", "counter", "Tries that failed and are repeated.",
      steps_retried_);
  one(out, "plan_accounts", "gauge", "Accounts of the plan.", accounts_);
  one(out, "plan_accounts_held", "gauge", "Accounts that are held now: their users wait.",
      held_.size());
  one(out, "plan_approvals_waiting", "gauge", "What waits for plan approve.", approvals_.size());
  one(out, "plan_messages_copied_total", "counter", "Messages of the copies that ended.",
      messages_copied_);
  one(out, "plan_bytes_copied_total", "counter", "Bytes of the copies that ended.", bytes_copied_);
  head(out, "plan_wave_accounts", "gauge", "Accounts of a wave that has begun.");
  for (const auto& [name, wave] : waves_)
    out += fmt::format("plan_wave_accounts{{wave=\"{}\"}} {}\n", label(name), wave.accounts);
  head(out, "plan_accounts_moved_total", "counter", "Accounts that moved to the target.");
  for (const auto& [name, wave] : waves_)
    out += fmt::format("plan_accounts_moved_total{{wave=\"{}\"}} {}\n", label(name), wave.moved);
  head(out, "plan_accounts_given_back_total", "counter",
       "Holds that ended with the account at the source.");
  for (const auto& [name, wave] : waves_)
    out += fmt::format("plan_accounts_given_back_total{{wave=\"{}\"}} {}\n", label(name),
                       wave.given_back);
  head(out, "plan_grades_total", "counter", "Accounts graded.");
  for (const auto& [grade, count] : grades_)
    out += fmt::format("plan_grades_total{{grade=\"{}\"}} {}\n", label(grade), count);
  std::map<std::string, std::uint64_t, std::less<>> kinds;
  for (const auto& [step, kind] : running_) ++kinds[kind];
  head(out, "plan_steps_running", "gauge", "Steps at work now, by kind.");
  for (const auto& [kind, count] : kinds)
    out += fmt::format("plan_steps_running{{kind=\"{}\"}} {}\n", label(kind), count);
  head(out, "plan_hold_seconds", "histogram", "How long accounts were held.");
  for (std::size_t i = 0; i < kHoldBoundsMs.size(); ++i)
    out += fmt::format("plan_hold_seconds_bucket{{le=\"{}\"}} {}\n",
                       static_cast<double>(kHoldBoundsMs[i]) / 1000, holds_within_[i]);
  out += fmt::format("plan_hold_seconds_bucket{{le=\"+Inf\"}} {}\n", holds_);
  out += fmt::format("plan_hold_seconds_sum {}\nplan_hold_seconds_count {}\n",
                     static_cast<double>(held_ms_) / 1000, holds_);
  head(out, "plan_last_event_timestamp_seconds", "gauge", "When the last event came.");
  out += fmt::format("plan_last_event_timestamp_seconds {}\n",
                     static_cast<double>(last_event_ms_) / 1000);
  return out;
}

}  // namespace plan::report
