#include "runtime/command/project.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

#include "compiler/facts/limits.h"
#include "compiler/ir/digest.h"
#include "compiler/schema/limits.h"
#include "compiler/syntax/limits.h"
#include "runtime/command/console.h"
#include "runtime/command/errors.h"

namespace plan::command {
namespace {

// The lock names the schema by its digest; the document lies beside it, so that compiling is
// offline. What is wrong with the lock is reported by the compilation, not here.
std::string schema_digest_in(const std::string& name, const std::string& lock_text) {
  SourceSet sources;
  Sink unheard;
  const auto lock = facts::read_lock(sources, sources.add(name, lock_text), unheard);
  return lock ? lock->schema_digest : std::string();
}

}  // namespace

Result<Project> load_project(const std::string& plan_file, ProjectFiles files) {
  Project project;
  project.folder = project_folder(plan_file);
  if (!files.lock_file.empty()) project.folder.lock_file = files.lock_file;
  if (!files.facts_file.empty()) project.folder.facts_file = files.facts_file;
  if (!files.plan_text) {
    PLAN_TRY(read, read_text_file(project.folder.plan_file, syntax::kSourceBytesMax));
    files.plan_text = std::move(read);
  }
  std::string plan_text = std::move(*files.plan_text);
  project.plan_text = plan_text;
  CompileInput input;
  input.plan_name = project.folder.plan_file;
  input.plan_text = std::move(plan_text);
  input.plan_bytes_max = syntax::kSourceBytesMax;
  input.lock_name = project.folder.lock_file;
  input.facts_name = project.folder.facts_file;
  if (access(project.folder.lock_file.c_str(), F_OK) == 0) {
    PLAN_TRY(lock_text, read_text_file(project.folder.lock_file, facts::kLockBytesMax));
    project.schema_digest = schema_digest_in(project.folder.lock_file, lock_text);
    project.lock_text = lock_text;
    input.lock_text = std::move(lock_text);
  }
  if (access(project.folder.facts_file.c_str(), F_OK) == 0) {
    PLAN_TRY(facts_text, read_text_file(project.folder.facts_file, facts::kFactsBytesMax));
    input.facts_text = std::move(facts_text);
  }
  if (!project.schema_digest.empty()) {
    const std::string document =
        project.folder.schema_directory + "/" + project.schema_digest + ".json";
    if (access(document.c_str(), F_OK) == 0) {
      PLAN_TRY(text, read_text_file(document, schema::kDocumentBytesMax));
      if (ir::sha256(text).hex() != project.schema_digest) {
        return Error(errors::schema_cache_damaged,
                     fmt::format("{} has another digest than its name", document));
      }
      PLAN_TRY(schema, schema::Schema::read(text).while_doing(fmt::format("reading {}", document)));
      project.schema = std::make_shared<const schema::Schema>(std::move(schema));
    }
  }
  input.schema = project.schema.get();
  input.file_text = [&folder = project.folder](const std::string& path) {
    const auto whole = std::filesystem::path(folder.directory) / path;
    return read_text_file(whole.string(), syntax::kCsvBytesMax);
  };
  project.compiled = compile(std::move(input));
  return project;
}

std::string show_diagnostics(const Project& project, std::string_view format) {
  const CompileResult& compiled = project.compiled;
  if (format == "json") return render_json(compiled.diagnostics, *compiled.sources);
  if (format == "sarif") return render_sarif(compiled.diagnostics, *compiled.sources);
  RenderOptions options;
  options.has_colour = is_terminal(STDOUT_FILENO) && std::getenv("NO_COLOR") == nullptr;
  options.width_columns = terminal_width_columns();
  return render_terminal(compiled.diagnostics, *compiled.sources, options);
}

std::optional<Project> load_sound_project(const std::string& plan_file, std::string_view format,
                                          ExitCode* exit_code) {
  auto project = load_project(plan_file);
  if (!project) {
    *exit_code = print_error(project.error(), format);
    return std::nullopt;
  }
  if (project->compiled.has_errors() || !project->compiled.graph) {
    print_words(show_diagnostics(*project, "text"));
    *exit_code = print_error(
        Error(errors::plan_has_errors, fmt::format("{} has errors", project->folder.plan_file)),
        format);
    return std::nullopt;
  }
  return std::move(*project);
}

std::vector<std::string> untried_servers(const Project& project) {
  std::vector<std::string> lines;
  for (const Diagnostic& diagnostic : project.compiled.diagnostics) {
    if (diagnostic.kind != Kind::untested_version) continue;
    lines.push_back(fmt::format("{}: {}", place_of(*project.compiled.sources, diagnostic.span),
                                diagnostic.message));
  }
  return lines;
}

Outcome accept_untried_servers(const Project& project, bool is_accepted) {
  const std::vector<std::string> lines = untried_servers(project);
  if (is_accepted || lines.empty()) return {};
  return Error(errors::server_not_tried, fmt::format("{}", fmt::join(lines, "; ")))
      .with_blame(Blame::plan);
}

std::vector<std::string> silenced_findings(const Project& project) {
  std::vector<std::string> lines;
  const SourceSet& sources = *project.compiled.sources;
  for (const SilencedFinding& silenced : project.compiled.silenced) {
    const Diagnostic& diagnostic = silenced.diagnostic;
    lines.push_back(fmt::format("silenced at {}, because {}: {}: {}: {} [{}]",
                                place_of(sources, silenced.span), silenced.reason,
                                place_of(sources, diagnostic.span), to_string(diagnostic.severity),
                                diagnostic.message, info(diagnostic.kind).name));
  }
  return lines;
}

std::vector<std::string> warnings_of(const Project& project) {
  constexpr std::size_t kShown = 20;
  std::vector<std::string> lines;
  std::size_t count = 0;
  for (const Diagnostic& diagnostic : project.compiled.diagnostics) {
    if (diagnostic.severity != Severity::warning || diagnostic.kind == Kind::untested_version)
      continue;
    if (++count > kShown) continue;
    lines.push_back(fmt::format("{}: warning: {} [{}]",
                                place_of(*project.compiled.sources, diagnostic.span),
                                diagnostic.message, info(diagnostic.kind).name));
  }
  if (count > kShown)
    lines.push_back(fmt::format("and {} more warnings: plan check", count - kShown));
  return lines;
}

std::string place_of(const SourceSet& sources, Span span) {
  if (!span.is_known() || static_cast<std::size_t>(span.file) > sources.size()) return {};
  const Position position = sources.position(span.file, span.begin);
  return fmt::format("{}:{}:{}", sources.name(span.file), position.line, position.column);
}

}  // namespace plan::command
