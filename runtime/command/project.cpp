#include "runtime/command/project.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "compiler/diff/words.h"
#include "compiler/facts/limits.h"
#include "compiler/ir/digest.h"
#include "compiler/schema/limits.h"
#include "compiler/source/text.h"
#include "compiler/syntax/limits.h"
#include "runtime/command/compile_cache.h"
#include "runtime/command/console.h"
#include "runtime/command/errors.h"
#include "runtime/net/clock.h"

namespace plan::command {
namespace {

Result<std::optional<std::string>> read_schema_text(const ProjectFolder& folder,
                                                    const std::string& digest) {
  if (digest.empty()) return std::optional<std::string>();
  const std::string document = folder.schema_directory + "/" + digest + ".json";
  if (access(document.c_str(), F_OK) != 0) return std::optional<std::string>();
  PLAN_TRY(text, read_text_file(document, schema::kDocumentBytesMax));
  if (ir::sha256(text).hex() != digest) {
    return Error(errors::schema_cache_damaged,
                 fmt::format("{} has another digest than its name", document));
  }
  return std::optional(std::move(text));
}

Outcome read_schema(Project& project, const std::optional<std::string>& text) {
  if (!text || project.schema != nullptr) return {};
  PLAN_TRY(schema, schema::Schema::read(*text).while_doing(
                       fmt::format("reading the schema {}", project.schema_digest)));
  project.schema = std::make_shared<const schema::Schema>(std::move(schema));
  return {};
}

}  // namespace

// The lock names the schema by its digest; the document lies beside it, so that compiling is
// offline. What is wrong with the lock is reported by the compilation, not here: it reads all of
// it, and this only one line.
std::string schema_digest_in(std::string_view lock_text) {
  constexpr std::string_view kLine = "\nschema ";
  const std::size_t at = lock_text.find(kLine);
  if (at == std::string_view::npos) return {};
  const std::string_view rest = lock_text.substr(at + kLine.size());
  const std::string_view digest = rest.substr(0, rest.find('\n'));
  const bool is_digest =
      digest.size() == 64 && digest.find_first_not_of("0123456789abcdef") == std::string_view::npos;
  return is_digest ? std::string(digest) : std::string();
}

std::string schema_digest_of(const ProjectFolder& folder) {
  const auto lock = read_text_file(folder.lock_file, facts::kLockBytesMax);
  return lock ? schema_digest_in(*lock) : std::string();
}

std::shared_ptr<const schema::Schema> read_schema_of(const ProjectFolder& folder,
                                                     const std::string& digest) {
  const auto text = read_schema_text(folder, digest);
  if (!text || !*text) return nullptr;
  auto schema = schema::Schema::read(**text);
  return schema ? std::make_shared<const schema::Schema>(std::move(*schema)) : nullptr;
}

Result<Project> load_project(const std::string& plan_file, ProjectFiles files,
                             const ProjectOptions& options) {
  Project project;
  // A text that is not written yet changes with each key that is pressed.
  const bool is_of_files = !files.plan_text && files.texts.empty() && files.lock_file.empty() &&
                           files.facts_file.empty();
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
  if (options.has_clock) {
    project.now_ms = net::system_clock().wall_ms();
    input.now_ms = project.now_ms;
  }
  if (access(project.folder.lock_file.c_str(), F_OK) == 0) {
    PLAN_TRY(lock_text, read_text_file(project.folder.lock_file, facts::kLockBytesMax));
    project.schema_digest = schema_digest_in(lock_text);
    project.lock_text = lock_text;
    input.lock_text = std::move(lock_text);
  }
  if (access(project.folder.facts_file.c_str(), F_OK) == 0) {
    PLAN_TRY(facts_text, read_text_file(project.folder.facts_file, facts::kFactsBytesMax));
    input.facts_text = std::move(facts_text);
  }
  PLAN_TRY(schema_text, read_schema_text(project.folder, project.schema_digest));
  input.file_text = [&folder = project.folder,
                     &texts = files.texts](const std::string& path) -> Result<std::string> {
    const auto given = texts.find(std::filesystem::path(path).lexically_normal().string());
    if (given != texts.end()) return given->second;
    return read_file_in(folder, path, syntax::kCsvBytesMax);
  };
  std::optional<CompileCache> cache;
  if (options.uses_cache && is_of_files) {
    cache.emplace(project.folder.compiled_file, input, schema_text ? project.schema_digest : "");
    if (auto kept = cache->find()) {
      project.compiled = std::move(*kept);
      if (options.needs_schema) PLAN_TRY_VOID(read_schema(project, schema_text));
      return project;
    }
  }
  PLAN_TRY_VOID(read_schema(project, schema_text));
  input.schema = project.schema.get();
  project.compiled = compile(std::move(input));
  if (cache) cache->keep(project.compiled);
  return project;
}

ProjectOptions project_options(const Invocation& invocation) {
  return {.needs_schema = false, .uses_cache = !invocation.has("--no-cache")};
}

std::string show_diagnostics(const Project& project, std::string_view format) {
  const CompileResult& compiled = project.compiled;
  if (format == "json") return render_json(compiled.diagnostics, *compiled.sources);
  if (format == "sarif") return render_sarif(compiled.diagnostics, *compiled.sources);
  RenderOptions options;
  options.has_colour = takes_colour(STDOUT_FILENO);
  options.width_columns = terminal_width_columns();
  return render_terminal(compiled.diagnostics, *compiled.sources, options);
}

std::optional<Project> load_sound_project(const std::string& plan_file, std::string_view format,
                                          ExitCode* exit_code, const ProjectOptions& options) {
  auto project = load_project(plan_file, {}, options);
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

namespace {

constexpr std::size_t kFindingsKept = 1000;
/// A plan of thousands of waves whose moments have passed is told by the first ones.
constexpr std::size_t kMomentsKept = 20;

ir::ReviewedFinding finding_of(const Project& project, const SilencedFinding& silenced) {
  ir::ReviewedFinding finding = finding_of(project, silenced.diagnostic);
  finding.silenced_at = place_of(*project.compiled.sources, silenced.span);
  finding.reason = silenced.reason;
  return finding;
}

}  // namespace

ir::ReviewedFinding finding_of(const Project& project, const Diagnostic& diagnostic) {
  return {.code = std::string(info(diagnostic.kind).name),
          .severity = std::string(to_string(diagnostic.severity)),
          .message = diagnostic.message,
          .place = place_of(*project.compiled.sources, diagnostic.span)};
}

std::vector<std::string> silenced_findings(const Project& project) {
  std::vector<std::string> lines;
  for (const SilencedFinding& silenced : project.compiled.silenced)
    lines.push_back(diff::show_finding(finding_of(project, silenced)));
  return lines;
}

std::vector<ir::ReviewedFinding> findings_of(const Project& project,
                                             const std::vector<check::PassedMoment>& moments,
                                             std::size_t* left_out) {
  std::set<std::string_view> told;
  for (const check::PassedMoment& moment : moments) told.insert(moment.words);
  const auto is_told = [&](const Diagnostic& diagnostic) {
    return diagnostic.kind != Kind::moment_passed || told.contains(diagnostic.message);
  };
  std::vector<ir::ReviewedFinding> findings;
  for (const SilencedFinding& silenced : project.compiled.silenced) {
    if (is_told(silenced.diagnostic)) findings.push_back(finding_of(project, silenced));
  }
  std::size_t count = 0;
  std::size_t moment_count = 0;
  *left_out = 0;
  for (const Diagnostic& diagnostic : project.compiled.diagnostics) {
    if (diagnostic.severity != Severity::warning || diagnostic.kind == Kind::untested_version ||
        !is_told(diagnostic))
      continue;
    const bool is_moment = diagnostic.kind == Kind::moment_passed;
    if (is_moment ? ++moment_count > kMomentsKept : ++count > kFindingsKept)
      ++*left_out;
    else
      findings.push_back(finding_of(project, diagnostic));
  }
  return findings;
}

std::string made_from(const Project& project) {
  const SourceSet& sources = *project.compiled.sources;
  std::string digests;
  for (std::size_t i = 1; i <= sources.size(); ++i) {
    const auto file = static_cast<FileId>(i);
    if (sources.name(file) == project.folder.facts_file) continue;
    digests += ir::sha256(sources.text(file)).hex() + "\n";
  }
  return ir::sha256(digests).hex();
}

std::string place_of(const SourceSet& sources, Span span) {
  if (!span.is_known() || static_cast<std::size_t>(span.file) > sources.size()) return {};
  const Position position = sources.position(span.file, span.begin);
  return fmt::format("{}:{}:{}", sources.name(span.file), position.line, position.column);
}

}  // namespace plan::command
