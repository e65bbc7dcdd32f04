#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "compiler/facts/limits.h"
#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/command/commands.h"
#include "runtime/command/console.h"
#include "runtime/command/errors.h"
#include "runtime/command/review.h"
#include "runtime/command/run_ending.h"
#include "runtime/command/saved_steps.h"
#include "runtime/command/show_changes.h"
#include "runtime/command/source_names.h"
#include "runtime/command/stop_on_signal.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/errors.h"
#include "runtime/engine/journal.h"

namespace plan::command {
namespace {

// A saved plan runs once. Its own run that was interrupted is gone on with; the same file after it
// finished, or after another run or a rollback, is refused, as engine::run would after the
// question.
struct Standing {
  bool is_resumed = false;
  std::string used_by = {};  ///< the run that used it up, in words
};

Result<Standing> standing_of(engine::Journal& journal, const ir::StepGraph& graph,
                             const std::string& digest) {
  Standing standing;
  PLAN_TRY(runs, journal.runs());
  const std::string graph_digest = engine::graph_digest(graph);
  for (const engine::RunInfo& run : runs) {
    if (run.is_rollback) continue;
    const bool is_finished = run.state == engine::RunState::finished;
    if (!digest.empty() && run.saved_plan_digest == digest) {
      standing.is_resumed = !is_finished && &run == &runs.back();
      if (!standing.is_resumed)
        standing.used_by = fmt::format("run {} ({})", run.run_id, net::show_utc(run.started_ms));
    } else if (digest.empty() && run.graph_digest == graph_digest && !is_finished) {
      standing.is_resumed = true;
    }
  }
  return standing;
}

Result<Review> review_for(const Invocation& invocation, const std::string& file,
                          std::unique_ptr<Session>& session, const ProjectFolder& folder,
                          const step::StopSignal& stop, ExitCode* exit_code) {
  if (is_saved_plan_file(file)) {
    PLAN_TRY(review, read_review(file));
    session = std::make_unique<Session>(folder, review.connections);
    return std::move(review);
  }
  auto project =
      load_sound_project(file, run_format(invocation), exit_code, project_options(invocation));
  if (!project) return Error(errors::plan_has_errors, "nothing was done");
  PLAN_TRY_VOID(accept_untried_servers(*project, invocation.has("--untested-version")));
  session = std::make_unique<Session>(folder, project->compiled.plan->connections);
  return review_project(std::move(*project), *session, stop);
}

struct Drift {
  std::vector<std::string> lines = {};    ///< what has changed, by name
  std::vector<std::string> remarks = {};  ///< what is new and changes nothing for the plan
  std::size_t steps = 0;
  bool has_other_lock = false;
  bool has_other_schema = false;
  bool has_other_names = false;
};

/// "2 steps and the names of the source were reviewed against another world"
std::string drift_words(const Drift& drift) {
  std::vector<std::string> parts;
  if (drift.has_other_lock) parts.emplace_back("the lock");
  if (drift.has_other_schema) parts.emplace_back("the target's schema");
  if (drift.steps > 0)
    parts.push_back(drift.steps == 1 ? "1 step" : fmt::format("{} steps", drift.steps));
  if (drift.has_other_names) parts.emplace_back("the names of the source");
  std::string words;
  for (std::size_t i = 0; i < parts.size(); ++i)
    words += (i == 0 ? "" : i + 1 == parts.size() ? " and " : ", ") + parts[i];
  const bool is_one = parts.size() == 1 && drift.steps <= 1 && !drift.has_other_names;
  return fmt::format("{} {} reviewed against another world", words, is_one ? "was" : "were");
}

/// The lock beside a saved plan is one of the things that it was reviewed with: without it, it is
/// not known that nobody fetched another world since.
Result<std::vector<std::string>> drift_of_lock(const ir::SavedPlan& saved,
                                               const ProjectFolder& folder) {
  const auto lock = read_text_file(folder.lock_file, facts::kLockBytesMax);
  if (lock) return lock_drift(saved, *lock);
  if (!lock.error().is(errors::file_missing)) return lock.error();
  if (saved.lock_digest.empty()) return std::vector<std::string>();
  return std::vector{
      fmt::format("{} is not there, and the plan was reviewed with one: bring the reviewed one "
                  "beside it, or run plan fetch",
                  folder.lock_file)};
}

/// What is not any more as it was when a saved plan was reviewed: the lock beside it, the target's
/// schema, what its steps read, the names at the source.
Result<Drift> drift_of(const Review& review, Session& session, const ProjectFolder& folder,
                       const step::StopSignal& stop) {
  Drift drift;
  const auto add = [&drift](const std::vector<std::string>& lines) {
    drift.lines.insert(drift.lines.end(), lines.begin(), lines.end());
    return !lines.empty();
  };
  PLAN_TRY(lines_of_lock, drift_of_lock(review.saved, folder));
  drift.has_other_lock = add(lines_of_lock);
  // That alone asks for a new review: no server has to be asked.
  if (drift.has_other_lock) return drift;
  if (!is_about_store(review.connections)) {
    PLAN_TRY(document, session.target_schema().while_doing("looking at the target's schema"));
    const SchemaChange change = schema_change(review.saved, document);
    drift.has_other_schema = add(change.drift);
    drift.remarks = change.remarks;
  }
  const Observations now = observe_all({.graph = review.saved.graph,
                                        .drivers = session.drivers(),
                                        .secrets = session.secrets(),
                                        .clock = net::system_clock(),
                                        .stop = stop,
                                        .state_directory = folder.state_directory});
  const std::vector<std::string> names_of_steps = drift_since(review, now, &drift.steps);
  (void)add(names_of_steps);
  PLAN_TRY(names, look_at_names(review.saved, session));
  NameChanges changed = since_review(review.saved, std::move(names));
  drift.has_other_names = add(changed.drift);
  for (std::string& line : changed.remarks) drift.remarks.push_back(std::move(line));
  return drift;
}

/// Where everything stands already there is nothing to be asked.
bool has_work(const ir::SavedPlan& saved) {
  const std::vector<ir::StepId>& order = saved.graph.order();
  return std::any_of(order.begin(), order.end(), [&](ir::StepId step) {
    return !saved.observations.is_satisfied(static_cast<std::uint32_t>(step));
  });
}

/// What the journal bars is said before the servers are looked at and anybody is asked. Leases and
/// the lock itself are taken later.
Outcome check_journal(const ProjectFolder& folder) {
  engine::JournalOptions options;
  options.is_read_only = true;
  auto journal = engine::open_journal(folder.journal_file, options);
  if (!journal && journal.error().is(engine::errors::journal_missing)) return {};
  if (!journal) return std::move(journal).error();
  if ((*journal)->is_locked_by_somebody())
    return Error(engine::errors::run_in_progress,
                 fmt::format("{} is held by another process", folder.journal_file));
  return {};
}

}  // namespace

ExitCode run_apply(const Invocation& invocation) {
  const std::string format = run_format(invocation);
  const std::string file = invocation.value("file");
  const bool is_saved = is_saved_plan_file(file);
  const ProjectFolder folder = project_folder(is_saved ? invocation.value("--plan") : file);
  if (auto free = check_journal(folder); !free) return print_error(free.error(), format);
  step::StopSignal stop;
  const StopOnSignal signals(stop);
  std::unique_ptr<Session> session;
  ExitCode exit_code = ExitCode::error;
  auto review = review_for(invocation, file, session, folder, stop, &exit_code);
  if (!review)
    return review.error().is(errors::plan_has_errors) ? exit_code
                                                      : print_error(review.error(), format);
  if (auto made = create_state_directory(folder); !made) return print_error(made.error(), format);
  auto journal = engine::open_journal(folder.journal_file);
  if (!journal) return print_error(journal.error(), format);

  auto display = RunDisplay::open(invocation, folder.state_directory + "/events.jsonl");
  if (!display) return print_error(display.error(), format);

  auto standing = standing_of(**journal, review->saved.graph, review->digest);
  if (!standing) return print_error(standing.error(), format);
  if (!standing->used_by.empty()) {
    return print_error(Error(engine::errors::plan_already_used,
                             fmt::format("{} was applied by {}", file, standing->used_by)),
                       format);
  }
  if (is_saved && !standing->is_resumed) {
    if (auto same = check_saved_steps(review->saved); !same)
      return print_error(same.error(), format);
    auto drift = drift_of(*review, *session, folder, stop);
    if (!drift) return print_error(drift.error(), format);
    for (const std::string& line : drift->remarks) print_words(fmt::format("note: {}\n", line));
    if (!drift->lines.empty() && !stop.is_requested()) {
      for (const std::string& line : drift->lines) print_words(line + "\n");
      return print_error(Error(errors::world_has_drifted, drift_words(*drift)), format);
    }
  }
  if (stop.is_requested()) {
    print_not_begun(format, "stopped");
    return ExitCode::stopped;
  }
  const diff::ChangeSet changes = changes_of(*review, detail_for("text"));
  if (format == "text" && invocation.value("--events") != "-" && !standing->is_resumed) {
    if (auto shown = show_changes(changes, "text"); !shown)
      return print_error(shown.error(), format);
  }
  if (standing->is_resumed) print_words("goes on with the run that was interrupted\n");
  if (has_work(review->saved) && !invocation.has("--yes") && !ask_yes("\nApply this?", stop)) {
    print_not_begun(format);
    return ExitCode::differences;
  }

  auto leases = session->leases(holder_name());
  if (!leases) return print_error(leases.error(), format);
  const engine::EngineParts parts{.graph = review->saved.graph,
                                  .journal = **journal,
                                  .drivers = session->drivers(),
                                  .secrets = session->secrets(),
                                  .clock = net::system_clock(),
                                  .events = (*display)->sink(),
                                  .stop = stop};
  engine::EngineOptions options;
  options.plan_name = review->saved.plan_name;
  options.saved_plan_digest = review->digest;
  options.state_directory = folder.state_directory;
  options.waits_for_approval = invocation.has("--wait-for-approval");
  options.takes_over_lease = invocation.has("--take-over");
  options.leases = std::move(*leases);
  const SourceSet sources = sources_of(review->saved);
  options.place = [&](Span span) { return place_of(sources, span); };
  signals.leave_words_to_the_run();
  auto result = engine::run(parts, options);
  if (!result) return print_error(result.error(), format);
  return show_ending(*result);
}

}  // namespace plan::command
