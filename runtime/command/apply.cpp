#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/command/commands.h"
#include "runtime/command/console.h"
#include "runtime/command/errors.h"
#include "runtime/command/review.h"
#include "runtime/command/run_ending.h"
#include "runtime/command/show_changes.h"
#include "runtime/command/source_names.h"
#include "runtime/command/stop_on_signal.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/errors.h"
#include "runtime/engine/journal.h"

namespace plan::command {
namespace {

// A saved plan runs once. Its own run that was interrupted is gone on with; the same file after it
// finished is refused.
struct Standing {
  bool is_resumed = false;
  bool is_used_up = false;
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
      standing.is_used_up = is_finished;
      standing.is_resumed = !is_finished;
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
  if (!project->lock_text)
    return Error(errors::not_fetched, "there is no migration.lock beside the plan");
  PLAN_TRY_VOID(accept_untried_servers(*project, invocation.has("--untested-version")));
  session = std::make_unique<Session>(folder, project->compiled.plan->connections);
  return review_project(std::move(*project), *session, stop);
}

/// "2 steps and the names of the source were reviewed against another world"
std::string drift_words(const std::vector<std::string>& steps, const NameChanges& names) {
  const std::string_view names_words = names.drift.empty() ? "" : "the names of the source";
  const std::string steps_words = steps.empty()       ? ""
                                  : steps.size() == 1 ? "1 step"
                                                      : fmt::format("{} steps", steps.size());
  const bool is_both = !steps.empty() && !names.drift.empty();
  const bool is_one = !is_both && steps.size() == 1;
  return fmt::format("{}{}{} {} reviewed against another world", steps_words,
                     is_both ? " and " : "", names_words, is_one ? "was" : "were");
}

/// Where everything stands already there is nothing to be asked.
bool has_work(const ir::SavedPlan& saved) {
  const std::vector<ir::StepId>& order = saved.graph.order();
  return std::any_of(order.begin(), order.end(), [&](ir::StepId step) {
    const auto seen = saved.observations.find(static_cast<std::uint32_t>(step));
    return seen == saved.observations.end() || seen->second.standing != ir::Standing::satisfied;
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
  if (standing->is_used_up) {
    return print_error(Error(errors::plan_used_up, fmt::format("{} was applied to its end", file)),
                       format);
  }
  if (is_saved && !standing->is_resumed) {
    const Observations now = observe_all({.graph = review->saved.graph,
                                          .drivers = session->drivers(),
                                          .secrets = session->secrets(),
                                          .clock = net::system_clock(),
                                          .stop = stop,
                                          .state_directory = folder.state_directory});
    const std::vector<std::string> drift = drift_since(*review, now);
    auto names = look_at_names(review->saved, *session);
    if (!names) return print_error(names.error(), format);
    const NameChanges changed = since_review(review->saved, std::move(*names));
    for (const std::string& line : changed.remarks) print_words(fmt::format("note: {}\n", line));
    if (!drift.empty() || !changed.drift.empty()) {
      for (const std::string& line : changed.drift) print_words(line + "\n");
      for (const std::string& line : drift) print_words(line + "\n");
      return print_error(Error(errors::world_has_drifted, drift_words(drift, changed)), format);
    }
  }
  if (stop.is_requested()) {
    print_not_begun(format, "stopped");
    return ExitCode::stopped;
  }
  const diff::ChangeSet changes = changes_of(*review);
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
