#include "runtime/engine/status.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>
#include <unordered_map>

#include "runtime/engine/errors.h"
#include "runtime/engine/step_runner.h"

namespace plan::engine {
namespace {

using ir::RowId;
using ir::StepId;
using ir::TransactionRole;

bool is_touched(StepState state) {
  return state != StepState::waiting && state != StepState::undone;
}

std::optional<std::uint64_t> count_in(const ir::Value& value) {
  if (!value.is_integer() || value.as_integer() < 0) return std::nullopt;
  return static_cast<std::uint64_t>(value.as_integer());
}

std::string state_word(const RunInfo& run, bool is_running) {
  if (run.state != RunState::open) return std::string(to_string(run.state));
  return is_running ? "running" : "interrupted";
}

/// What one account's steps add up to.
struct AccountSteps {
  std::string wave;
  bool has_begun = false;  ///< any step
  bool is_held = false;    ///< a held or commit step may have had an effect
  bool has_failed = false;
  bool was_undone = false;
  std::size_t commits = 0;
  std::size_t commits_done = 0;
  std::size_t open = 0;              ///< steps that are not done
  std::vector<std::string> telling;  ///< done steps whose outputs are worth reading
};

std::string account_state(const AccountSteps& steps) {
  if (steps.commits > 0 && steps.commits_done == steps.commits) return "moved";
  if (steps.is_held) return "held";
  if (steps.has_failed) return "failed";
  if (steps.was_undone) return "undone";
  return steps.has_begun ? "copying" : "waiting";
}

void read_grade(const ir::Value& outputs, report::AccountRecord& account) {
  account.grade = outputs["grade"].string_or("");
  account.mail_grade = outputs["mail_grade"].string_or(account.grade);
  account.not_checked.clear();
  for (const ir::Value& part : outputs["not_checked"].items())
    account.not_checked.emplace_back(part.string_or(""));
  account.calendars = outputs["dav"];
}

Outcome read_outputs(Journal& journal, const AccountSteps& steps, const ir::StepGraph& graph,
                     report::AccountRecord& account) {
  for (const std::string& id : steps.telling) {
    PLAN_TRY(record, journal.step(id));
    if (!record) continue;
    const auto step = graph.find(id);
    if (!step) continue;
    switch (graph.kind(*step)) {
      case ir::StepKind::archive_copy:
        account.copied_at_ms = record->ended_ms;
        account.messages = count_in(record->outputs["messages"]);
        account.bytes = count_in(record->outputs["bytes"]);
        break;
      case ir::StepKind::archive_delta:
        account.carried = count_in(record->outputs["messages"]);
        break;
      case ir::StepKind::archive_sweep:
        account.stragglers = count_in(record->outputs["messages"]);
        break;
      case ir::StepKind::archive_grade:
        read_grade(record->outputs, account);
        break;
      default:
        break;
    }
  }
  return {};
}

report::MomentRecord moment(const HistoryRecord& record) {
  return {.wall_ms = record.wall_ms,
          .step = record.step,
          .account = record.account,
          .what = record.what,
          .attempt = record.attempt,
          .text = record.text};
}

/// The places of a graph's steps, as they were when it was begun to be executed.
class Places {
 public:
  Places(const ir::StepGraph& graph, std::vector<std::string> places)
      : graph_(graph), places_(std::move(places)) {}
  /// In the procedure.
  [[nodiscard]] std::string in_procedure(std::string_view step) const {
    const auto found = graph_.find(step);
    if (!found) return {};
    return at(static_cast<std::size_t>(&graph_.shape(*found) - graph_.shapes().data()));
  }
  /// In the plan: where it names what the step is about; else in the procedure.
  [[nodiscard]] std::string of(std::string_view step) const {
    const auto found = graph_.find(step);
    if (!found) return {};
    if (const RowId row = graph_.row(*found); row != RowId::none) {
      std::string place = at(graph_.shapes().size() + static_cast<std::size_t>(row) - 1);
      if (!place.empty()) return place;
    }
    return in_procedure(step);
  }
  void put_into(report::MomentRecord& moment) const {
    moment.place = of(moment.step);
    moment.procedure = in_procedure(moment.step);
  }

 private:
  [[nodiscard]] std::string at(std::size_t index) const {
    return index < places_.size() ? places_[index] : std::string();
  }

  const ir::StepGraph& graph_;
  std::vector<std::string> places_;
};

/// What was carried in each hold, from the history of all accounts: between the moment that began a
/// hold and the one that ended it, what the content step (archive.delta) said.
class CarriedInHolds {
 public:
  explicit CarriedInHolds(const ir::StepGraph& graph) : graph_(graph) {}

  void see(const HistoryRecord& record) {
    if (record.account.empty()) return;
    if (record.what == "held") {
      // Begun anew while it was open (a crash in between): the journal has one hold for the two.
      if (!open_[record.account]) of_[record.account].emplace_back();
      open_[record.account] = true;
    } else if (record.what == "released" || record.what == "given-back") {
      open_[record.account] = false;
    } else if ((record.what == "done" || record.what == "undone") && open_[record.account] &&
               !record.text.empty()) {
      const auto step = graph_.find(record.step);
      if (!step || graph_.kind(*step) != ir::StepKind::archive_delta) return;
      of_[record.account].back() = record.text;
    }
  }

  void put_into(report::AccountRecord& account) const {
    const auto found = of_.find(account.account);
    if (found == of_.end()) return;
    for (std::size_t i = 0; i < std::min(account.holds.size(), found->second.size()); ++i)
      account.holds[i].carried = found->second[i];
  }

 private:
  const ir::StepGraph& graph_;
  std::unordered_map<std::string, std::vector<std::string>> of_;
  std::unordered_map<std::string, bool> open_;
};

/// Subjects of the waves and stages that have come to their approval and do not have it.
Result<std::vector<std::string>> approvals_of_waves_and_stages(
    Journal& journal, const ir::StepGraph& graph,
    const std::map<std::string, report::WaveRecord>& waves,
    const std::unordered_map<std::string, StepRecord>& records) {
  std::vector<std::string> subjects;
  const auto is_done = [&](StepId step) {
    const auto found = records.find(graph.id(step));
    return found != records.end() && found->second.state == StepState::done;
  };
  // What the run has not come to: a step before its approval is not done.
  std::set<std::string> later;
  for (const StepId step : graph.order()) {
    if (graph.kind(step) != ir::StepKind::approval || graph.wave(step) == ir::WaveId::none)
      continue;
    const auto& before = graph.after(step);
    if (!std::all_of(before.begin(), before.end(), is_done))
      later.insert(approval_subject(graph.arguments(step)));
  }
  for (const ir::WaveInfo& wave : graph.waves()) {
    const std::string subject = "wave:" + wave.name;
    const report::WaveRecord& record = waves.at(wave.name);
    if (later.contains(subject)) continue;
    if (!wave.is_held_for_approval || record.moved + record.failed == record.accounts) continue;
    PLAN_TRY(is_approved, journal.is_approved(subject));
    if (!is_approved) subjects.push_back(subject);
  }
  for (const StepId step : graph.order()) {
    if (graph.kind(step) != ir::StepKind::approval || graph.wave(step) != ir::WaveId::none)
      continue;
    // What has let the run go by is asked for no more; what it waits for must be done, else it is
    // not its turn.
    const auto& before = graph.after(step);
    if (is_done(step) || !std::all_of(before.begin(), before.end(), is_done)) continue;
    const std::string subject = approval_subject(graph.arguments(step));
    PLAN_TRY(is_approved, journal.is_approved(subject));
    if (!is_approved) subjects.push_back(subject);
  }
  return subjects;
}

/// What the journal's steps say of a run: its counts, its failures, and of each row of the graph
/// how far it is.
class StepsOfRun {
 public:
  StepsOfRun(const ir::StepGraph& graph, const Places& places, report::RunRecord& run)
      : graph_(graph),
        places_(places),
        run_(run),
        rows_(graph.row_count() + 1),
        has_wave_(graph.row_count() + 1, false) {}

  Outcome read(Journal& journal) {
    PLAN_TRY_VOID(journal.each_step([&](const StepRecord& record) {
      if (graph_.find(record.step)) records_.emplace(record.step, record);
    }));
    for (const StepId step : graph_.order()) see(step);
    return {};
  }

  [[nodiscard]] const std::unordered_map<std::string, StepRecord>& records() const {
    return records_;
  }
  [[nodiscard]] std::size_t row_count() const { return rows_.size(); }
  [[nodiscard]] const AccountSteps& row(std::size_t i) const { return rows_[i]; }
  /// Lists and a wave's own marks have rows too; an account is what has a commit point.
  [[nodiscard]] bool is_account(std::size_t i) const {
    return has_wave_[i] && rows_[i].commits > 0;
  }

 private:
  void see(StepId step) {
    const std::string id = graph_.id(step);
    const auto found = records_.find(id);
    const StepState state = found == records_.end() ? StepState::waiting : found->second.state;
    // What was stopped on request has not failed: the next run goes on with it.
    const bool has_error = found != records_.end() && found->second.error &&
                           state != StepState::done && state != StepState::stopped;
    if (state == StepState::done) ++run_.done;
    if (state == StepState::done && graph_.kind(step) == ir::StepKind::mark_rollback_point)
      run_.points.emplace_back(graph_.arguments(step)["point"].string_or(""));
    if (has_error) see_failure(id, found->second);
    if (graph_.row(step) != RowId::none) see_of_row(step, id, state, has_error);
  }

  void see_failure(const std::string& id, const StepRecord& record) {
    const RecordedError& error = *record.error;
    ++run_.failed;
    run_.failures.push_back({.step = id,
                             .account = record.account,
                             .place = places_.of(id),
                             .code = error.code,
                             .message = error.message,
                             .blame = error.blame,
                             .effect = error.effect});
  }

  void see_of_row(StepId step, const std::string& id, StepState state, bool has_error) {
    const auto row_index = static_cast<std::size_t>(graph_.row(step));
    AccountSteps& row = rows_[row_index];
    const TransactionRole role = graph_.role(step);
    if (const ir::WaveInfo* wave = graph_.wave_info(graph_.wave(step))) {
      row.wave = wave->name;
      has_wave_[row_index] = true;
    }
    row.has_begun = row.has_begun || is_touched(state);
    row.has_failed = row.has_failed || has_error;
    row.was_undone = row.was_undone || state == StepState::undone;
    if (role != TransactionRole::none && is_touched(state)) row.is_held = true;
    if (role == TransactionRole::commit) {
      ++row.commits;
      if (state == StepState::done) ++row.commits_done;
    }
    if (state != StepState::done) ++row.open;
    if (state == StepState::done && !ir::outputs_of(graph_.kind(step)).empty())
      row.telling.push_back(id);
  }

  const ir::StepGraph& graph_;
  const Places& places_;
  report::RunRecord& run_;
  std::unordered_map<std::string, StepRecord> records_;
  std::vector<AccountSteps> rows_;
  std::vector<bool> has_wave_;
};

void put_holds(const std::vector<HoldRecord>& held, report::AccountRecord& account) {
  account.attempts = held.size();
  for (const HoldRecord& hold : held) {
    account.holds.push_back({.begun_ms = hold.begun_ms,
                             .ended_ms = hold.ended_ms,
                             .is_committed = hold.is_committed,
                             .is_way_back = hold.is_rollback});
  }
  if (held.empty()) return;
  const HoldRecord& last = held.back();
  account.held_at_ms = last.begun_ms;
  if (last.ended_ms) {
    account.held_ms =
        static_cast<std::uint64_t>(std::max<std::int64_t>(0, *last.ended_ms - last.begun_ms));
  }
  const bool was_moved = std::any_of(held.begin(), held.end(),
                                     [](const HoldRecord& hold) { return hold.is_committed; });
  if (account.state == "undone" && was_moved) account.state = "rolled-back";
}

/// Puts the accounts into `run`, with what their holds and grades were, and counts them by wave.
Outcome read_accounts(Journal& journal, const ir::StepGraph& graph, const StepsOfRun& steps,
                      report::RunRecord& run, std::map<std::string, report::WaveRecord>& waves) {
  std::unordered_map<std::string, std::vector<HoldRecord>> holds_of;
  PLAN_TRY(holds, journal.holds());
  for (HoldRecord& hold : holds) holds_of[hold.account].push_back(std::move(hold));
  PLAN_TRY(grades, journal.grades());
  for (const ir::WaveInfo& wave : graph.waves()) waves[wave.name].wave = wave.name;
  for (std::size_t i = 1; i < steps.row_count(); ++i) {
    if (!steps.is_account(i)) continue;
    const AccountSteps& row = steps.row(i);
    report::AccountRecord account;
    account.account = account_of(graph, static_cast<RowId>(i));
    account.wave = row.wave;
    account.state = account_state(row);
    PLAN_TRY_VOID(read_outputs(journal, row, graph, account));
    put_holds(holds_of[account.account], account);
    // The step that graded it was undone with its hold; the grade is why.
    const bool is_given_back = account.state == "undone" || account.state == "failed";
    if (const auto grade = grades.find(account.account); is_given_back && grade != grades.end()) {
      read_grade(grade->second, account);
      PLAN_TRY(is_approved, journal.is_approved("account:" + account.account));
      if (account.grade == "investigate" && !is_approved && !run.is_rollback)
        run.approvals_needed.push_back("account:" + account.account);
    }
    report::WaveRecord& wave = waves[row.wave];
    ++wave.accounts;
    if (account.state == "moved") ++wave.moved;
    if (account.state == "failed") ++wave.failed;
    run.accounts.push_back(std::move(account));
  }
  // In the order of the plan.
  for (const ir::WaveInfo& wave : graph.waves()) run.waves.push_back(waves[wave.name]);
  return {};
}

Outcome read_timeline(Journal& journal, const ir::StepGraph& graph, const Places& places,
                      report::RunRecord& run) {
  CarriedInHolds carried(graph);
  PLAN_TRY_VOID(journal.each_history("", [&](const HistoryRecord& record) {
    run.timeline.push_back(moment(record));
    places.put_into(run.timeline.back());
    carried.see(record);
    return true;
  }));
  for (report::AccountRecord& account : run.accounts) carried.put_into(account);
  return {};
}

void put_steering(const Steering& steering, bool is_running, report::RunRecord& run) {
  run.is_paused = is_running && !run.is_rollback && steering.is_paused;
  for (const auto& [host, bound] : steering.bounds) {
    report::ThrottleRecord throttle{.host = host,
                                    .connections = bound.parallel.value_or(0),
                                    .bytes_per_second = bound.bytes_per_second.value_or(0)};
    if (throttle.connections > 0 || throttle.bytes_per_second > 0)
      run.throttles.push_back(std::move(throttle));
  }
}

}  // namespace

Result<report::RunRecord> run_record(Journal& journal, bool with_timeline) {
  PLAN_TRY(latest, journal.latest_run());
  if (!latest) return Error(errors::journal_missing, "no run was begun yet");
  PLAN_TRY(graph, journal.graph(latest->graph_digest));
  report::RunRecord run;
  run.plan_name = latest->plan_name;
  run.run_id = latest->run_id;
  const bool is_running = journal.is_locked_by_somebody();
  run.state = state_word(*latest, is_running);
  run.is_rollback = latest->is_rollback;
  PLAN_TRY(requests, journal.requests(0));
  put_steering(steering_of(requests), is_running, run);
  run.started_ms = latest->started_ms;
  run.ended_ms = latest->ended_ms;
  run.steps = graph.size();
  PLAN_TRY(known_places, journal.places(latest->graph_digest));
  const Places places(graph, std::move(known_places));
  StepsOfRun steps(graph, places, run);
  PLAN_TRY_VOID(steps.read(journal));
  std::map<std::string, report::WaveRecord> waves;
  PLAN_TRY_VOID(read_accounts(journal, graph, steps, run, waves));
  // A rollback waits for nobody; the next apply says what it waits for.
  if (!latest->is_rollback) {
    PLAN_TRY(subjects, approvals_of_waves_and_stages(journal, graph, waves, steps.records()));
    run.approvals_needed.insert(run.approvals_needed.end(), subjects.begin(), subjects.end());
  }
  if (with_timeline) PLAN_TRY_VOID(read_timeline(journal, graph, places, run));
  return run;
}

Result<ir::Value> status(Journal& journal) {
  PLAN_TRY(run, run_record(journal));
  return report::to_document(run);
}

Result<std::vector<report::MomentRecord>> trace(Journal& journal, std::string_view account) {
  std::vector<report::MomentRecord> all;
  if (account.empty()) return all;
  PLAN_TRY_VOID(journal.each_history(account, [&](const HistoryRecord& record) {
    all.push_back(moment(record));
    return true;
  }));
  // A step has the place it had in the graph that it was done from.
  struct Known {
    ir::StepGraph graph;
    Places places;
    Known(ir::StepGraph graph_then, std::vector<std::string> places_then)
        : graph(std::move(graph_then)), places(graph, std::move(places_then)) {}
  };
  std::map<std::string, std::unique_ptr<Known>> graphs;
  for (report::MomentRecord& one : all) {
    if (one.step.empty()) continue;
    PLAN_TRY(record, journal.step(one.step));
    if (!record || record->graph_digest.empty()) continue;
    auto& known = graphs[record->graph_digest];
    if (known == nullptr) {
      PLAN_TRY(graph, journal.graph(record->graph_digest));
      PLAN_TRY(places, journal.places(record->graph_digest));
      known = std::make_unique<Known>(std::move(graph), std::move(places));
    }
    known->places.put_into(one);
  }
  return all;
}

}  // namespace plan::engine
