#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "compiler/facts/limits.h"
#include "compiler/facts/lock.h"
#include "compiler/facts/measurement.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/command/commands.h"
#include "runtime/command/console.h"
#include "runtime/command/errors.h"
#include "runtime/command/project.h"
#include "runtime/command/session.h"

namespace plan::command {
namespace {

constexpr std::size_t kPlanBytesMax = std::size_t{256} << 20U;

// The blocks as the plan says them, before there is a lock.
Result<std::optional<PlanSummary>> read_head(const ProjectFolder& folder) {
  PLAN_TRY(text, read_text_file(folder.plan_file, kPlanBytesMax));
  CompileInput input;
  input.plan_name = folder.plan_file;
  input.plan_text = std::move(text);
  input.plan_bytes_max = kPlanBytesMax;
  CompileResult head = read_plan_head(std::move(input));
  if (!head.diagnostics.empty()) {
    RenderOptions options;
    options.width_columns = terminal_width_columns();
    print_words(render_terminal(head.diagnostics, *head.sources, options));
  }
  if (head.has_errors()) return std::optional<PlanSummary>();
  return std::move(head.plan);
}

std::optional<facts::Lock> known_lock(const ProjectFolder& folder) {
  const auto text = read_text_file(folder.lock_file, facts::kLockBytesMax);
  if (!text) return std::nullopt;
  SourceSet sources;
  Sink unheard;  // a lock that cannot be read is replaced by a fresh one
  return facts::read_lock(sources, sources.add(folder.lock_file, *text), unheard);
}

std::string measurements_text(const ir::Value& survey, const std::string& when) {
  std::string lines;
  for (const ir::Value& document : survey["measurements"].items()) {
    auto measurement = facts::measurement_from(document);
    if (!measurement) continue;
    if (measurement->when.empty()) measurement->when = when;
    lines += facts::write_measurement(*measurement);
  }
  return lines;
}

ExitCode fetch(const ProjectFolder& folder, const Invocation& invocation) {
  const std::string format = invocation.value("--format");
  auto head = read_head(folder);
  if (!head) return print_error(head.error(), format);
  if (!*head)
    return print_error(
        Error(errors::plan_has_errors, fmt::format("{} has errors", folder.plan_file)), format);
  const PlanSummary& plan = **head;
  if (auto made = create_state_directory(folder); !made) return print_error(made.error(), format);
  std::error_code failure;
  std::filesystem::create_directories(folder.schema_directory, failure);

  Session session(folder, plan.connections);
  auto target = session.survey_target();
  if (!target)
    return print_error(std::move(target).error().while_doing("asking the target"), format);
  auto source = session.survey_source();
  if (!source)
    return print_error(std::move(source).error().while_doing("asking the source"), format);
  auto lock = facts::lock_from_surveys(plan.name, *source, *target);
  if (!lock) return print_error(lock.error(), format);

  const auto known = known_lock(folder);
  if (known) {
    const std::vector<std::string> changed = facts::changed_identities(*known, *lock);
    for (const std::string& line : changed) print_words(line + "\n");
    if (!changed.empty() && !invocation.has("--accept-new-keys")) {
      print_words(
          "error: a certificate or host key is not the one in the lock; nothing was written\n"
          "  help: if it was changed on purpose give --accept-new-keys; if not, somebody may be in "
          "between\n");
      return ExitCode::error;
    }
  }
  const std::string text = facts::write_lock(*lock);
  if (auto written = write_text_file(folder.lock_file, text); !written)
    return print_error(written.error(), format);
  const std::string when = net::show_utc(net::system_clock().wall_ms());
  const std::string measured = measurements_text(*source, when) + measurements_text(*target, when);
  if (auto written = write_text_file(folder.facts_file, measured, 0600); !written)
    return print_error(written.error(), format);

  const bool is_same = known && facts::write_lock(*known) == text;
  if (format == "json") {
    print_result(
        ir::write_json(
            ir::Value::map({{"format", 1},
                            {"lock", folder.lock_file},
                            {"accounts", static_cast<std::uint64_t>(lock->accounts.size())},
                            {"lists", static_cast<std::uint64_t>(lock->lists.size())},
                            {"schema_digest", lock->schema_digest},
                            {"is_changed", !is_same}}),
            2) +
        "\n");
  } else {
    print_words(fmt::format("{}: {} accounts, {} lists; {}\n", folder.lock_file,
                            show_count(lock->accounts.size()), show_count(lock->lists.size()),
                            is_same ? "nothing has changed" : "written; it belongs into git"));
  }
  return ExitCode::done;
}

}  // namespace

ExitCode run_fetch(const Invocation& invocation) {
  return fetch(project_folder(invocation.value("plan")), invocation);
}

}  // namespace plan::command
