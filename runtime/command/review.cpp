#include "runtime/command/review.h"

#include <fmt/format.h>

#include <cstdio>
#include <filesystem>

#include "compiler/ir/digest.h"
#include "runtime/command/errors.h"
#include "runtime/command/source_names.h"
#include "runtime/engine/errors.h"
#include "runtime/engine/journal.h"
#include "runtime/engine/recovery.h"
#include "runtime/engine/subject.h"
#include "runtime/net/clock.h"
#include "runtime/step/durable_write.h"

namespace plan::command {
namespace {

// A saved plan of 100,000 accounts stays below this.
constexpr std::size_t kSavedPlanBytesMax = std::size_t{4} << 30U;
constexpr std::size_t kFailuresNamed = 20;

/// What an earlier run has done is not done again, whatever the world looks like now (finalize
/// takes away what prepare made): the journal decides, as it does for apply.
Outcome mark_done(ir::SavedPlan& saved, const ProjectFolder& folder) {
  engine::JournalOptions options;
  options.is_read_only = true;
  auto journal = engine::open_journal(folder.journal_file, options);
  if (!journal && journal.error().is(engine::errors::journal_missing)) return {};
  if (!journal) return std::move(journal).error();
  PLAN_TRY(recovered, engine::recover(saved.graph, **journal,
                                      {.graph_digest = engine::graph_digest(saved.graph),
                                       .wall_ms = net::system_clock().wall_ms(),
                                       .boot_id = net::boot_id()}));
  for (const ir::StepId step : recovered.done) {
    ir::Observation& seen = saved.observations[static_cast<std::uint32_t>(step)];
    seen.standing = ir::Standing::satisfied;
    seen.differences.clear();
    seen.hold_ms = seen.duration_ms = std::nullopt;
    seen.remark = "done by an earlier run";
  }
  return {};
}

}  // namespace

Review review_project(Project project, Session& session, const step::StopSignal& stop) {
  Review review;
  ir::SavedPlan& saved = review.saved;
  saved.plan_name = project.compiled.plan->name;
  saved.made_at = net::show_utc(net::system_clock().wall_ms());
  saved.graph = std::move(*project.compiled.graph);
  saved.plan_digest = ir::sha256(project.plan_text).hex();
  saved.lock_digest = project.lock_text ? ir::sha256(*project.lock_text).hex() : std::string();
  saved.schema_digest = project.schema_digest;
  const SourceSet& sources = *project.compiled.sources;
  for (std::size_t i = 1; i <= sources.size(); ++i) {
    const auto file = static_cast<FileId>(i);
    saved.sources.emplace_back(std::string(sources.name(file)), std::string(sources.text(file)));
  }
  review.connections = session.connections();
  const double record_ms =
      step::durable_write_ms(project.folder.state_directory, net::system_clock());
  const Observations seen = observe_all({.graph = saved.graph,
                                         .drivers = session.drivers(),
                                         .secrets = session.secrets(),
                                         .clock = net::system_clock(),
                                         .stop = stop,
                                         .state_directory = project.folder.state_directory,
                                         .durable_write_ms = record_ms});
  saved.observations = seen.by_step;
  saved.notes = untried_servers(project);
  if (auto marked = mark_done(saved, project.folder); !marked)
    saved.notes.push_back(
        fmt::format("what was done already is not known: {}", marked.error().to_line()));
  for (const std::string& line : silenced_findings(project)) saved.notes.push_back(line);
  for (std::string& line : warnings_of(project)) saved.notes.push_back(std::move(line));
  if (auto names = look_at_names(saved, session)) {
    for (std::string& line : names->drift) saved.notes.push_back(std::move(line));
    for (std::string& line : names->remarks) saved.notes.push_back(std::move(line));
  } else {
    saved.notes.push_back(fmt::format("whether the source still has the accounts is not known: {}",
                                      names.error().to_line()));
  }
  const std::size_t before = saved.notes.size();
  for (const Observations::Failure& failure : seen.failures) {
    if (saved.notes.size() - before == kFailuresNamed) break;
    saved.notes.push_back(fmt::format("{} could not be looked at: {}", saved.graph.id(failure.step),
                                      failure.error.to_line()));
  }
  if (seen.failures.size() > kFailuresNamed) {
    saved.notes.push_back(fmt::format("and {} more steps could not be looked at",
                                      seen.failures.size() - kFailuresNamed));
  }
  return review;
}

bool is_saved_plan_file(const std::string& file) {
  std::error_code unknown;
  if (!std::filesystem::is_regular_file(file, unknown)) return false;
  std::FILE* opened = std::fopen(file.c_str(), "rbe");
  if (opened == nullptr) return false;
  std::string head(ir::kSavedPlanBegin.size(), '\0');
  head.resize(std::fread(head.data(), 1, head.size(), opened));
  std::fclose(opened);
  return ir::is_saved_plan(head);
}

Result<Review> read_review(const std::string& file) {
  PLAN_TRY(text, read_text_file(file, kSavedPlanBytesMax, ir::kSavedPlanBegin));
  Review review;
  PLAN_TRY(saved,
           ir::read_saved_plan(text, &review.digest).while_doing(fmt::format("reading {}", file)));
  review.saved = std::move(saved);
  review.connections = connections_of(review.saved.graph);
  return review;
}

SourceSet sources_of(const ir::SavedPlan& saved) {
  SourceSet sources;
  for (const auto& [name, text] : saved.sources) sources.add(name, text);
  return sources;
}

diff::ChangeSet changes_of(const Review& review) {
  const SourceSet sources = sources_of(review.saved);
  diff::Places places;
  const ir::StepGraph& graph = review.saved.graph;
  for (const ir::StepId step : graph.order()) {
    places.emplace(static_cast<std::uint32_t>(step),
                   place_of(sources, engine::cause_of(graph, step)));
  }
  diff::ChangeSet changes =
      diff::compare(graph, review.saved.observations, places, review.saved.plan_name);
  changes.digest = review.digest;
  changes.notes = review.saved.notes;
  return changes;
}

std::vector<std::string> drift_since(const Review& review, const Observations& now) {
  std::vector<std::string> lines;
  const ir::StepGraph& graph = review.saved.graph;
  for (const ir::StepId step : graph.order()) {
    const auto key = static_cast<std::uint32_t>(step);
    const auto then = review.saved.observations.find(key);
    const auto today = now.by_step.find(key);
    if (then == review.saved.observations.end() || today == now.by_step.end()) continue;
    const std::string before = ir::fingerprint_of(then->second);
    const std::string after = ir::fingerprint_of(today->second);
    if (before.empty() || after.empty() || before == after) continue;
    lines.push_back(fmt::format("{}: was {}, is {}", graph.id(step),
                                diff::show_value(then->second.fingerprint, 160),
                                diff::show_value(today->second.fingerprint, 160)));
  }
  return lines;
}

}  // namespace plan::command
