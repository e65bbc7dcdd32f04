#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/check/passed_moments.h"
#include "compiler/compile.h"
#include "compiler/facts/lock.h"
#include "compiler/ir/reviewed.h"
#include "compiler/schema/schema.h"
#include "compiler/source/result.h"
#include "runtime/command/command_table.h"
#include "runtime/command/project_folder.h"

namespace plan::command {

/// A migration as its files say it: plan, lock, measurements and the cached schema, compiled. No
/// server is asked.
struct Project {
  ProjectFolder folder = {};
  CompileResult compiled = {};
  /// Null: never fetched; also null when nobody needed it (ProjectOptions::needs_schema) and the
  /// compilation was kept from before.
  std::shared_ptr<const schema::Schema> schema = {};
  std::string plan_text = {};
  std::optional<std::string> lock_text = {};
  std::string schema_digest = {};  ///< hex; empty: never fetched
  std::int64_t now_ms = 0;         ///< when it was compiled; 0: without a clock
};

/// What is read instead of the files beside a plan: a text that is not written yet, fixtures of a
/// test. Empty: what lies there.
struct ProjectFiles {
  std::optional<std::string> plan_text = {};
  std::map<std::string, std::string> texts =
      {};  ///< of modules and lists, by path from the plan's folder
  std::string lock_file = {};
  std::string facts_file = {};
};

/// The digest of the target's schema that the text of a lock names; empty: none.
[[nodiscard]] std::string schema_digest_in(std::string_view lock_text);
/// The one that the lock names, and that schema out of the cache; null: it is not there, or
/// damaged.
[[nodiscard]] std::string schema_digest_of(const ProjectFolder& folder);
[[nodiscard]] std::shared_ptr<const schema::Schema> read_schema_of(const ProjectFolder& folder,
                                                                   const std::string& digest);

/// How a project is loaded.
struct ProjectOptions {
  bool needs_schema = false;  ///< the caller reads Project::schema
  bool uses_cache = true;     ///< off: the last compilation is neither used nor replaced
  bool has_clock = true;      ///< off: that a moment has passed is not told
};

/// What a command line says of that (`--no-cache`).
[[nodiscard]] ProjectOptions project_options(const Invocation& invocation);

/// Reads the files and compiles. Errors: those of read_text_file, schema-cache-damaged; what is
/// wrong inside the files is in `compiled.diagnostics`.
/// `files` may stand for what lies beside the plan; what is compiled then is not kept.
[[nodiscard]] Result<Project> load_project(const std::string& plan_file, ProjectFiles files = {},
                                           const ProjectOptions& options = {});

/// The diagnostics as text, json or sarif; text goes to stderr of a person, the others are results.
[[nodiscard]] std::string show_diagnostics(const Project& project, std::string_view format);

/// load_project, and everything that is wrong with it printed. Nothing when it has errors; then
/// `*exit_code` is set.
[[nodiscard]] std::optional<Project> load_sound_project(const std::string& plan_file,
                                                        std::string_view format,
                                                        ExitCode* exit_code,
                                                        const ProjectOptions& options = {});

/// The servers of a project that plan was not tried with, a line each with its place; they are
/// named in every diff.
[[nodiscard]] std::vector<std::string> untried_servers(const Project& project);
/// Error: server-not-tried, unless the operator said so (`--untested-version`) or there is none.
[[nodiscard]] Outcome accept_untried_servers(const Project& project, bool is_accepted);

/// What the plan silences, a line each with its place and the reason; named in every diff.
[[nodiscard]] std::vector<std::string> silenced_findings(const Project& project);
/// What `plan check` warns of and what the plan silences, for who reviews a diff and has not seen
/// the check: at most 1,000, `*left_out` counts the others. Servers that were not tried are left to
/// untried_servers; of moments that have passed only `moments` are told, and 20 at most.
[[nodiscard]] std::vector<ir::ReviewedFinding> findings_of(
    const Project& project, const std::vector<check::PassedMoment>& moments, std::size_t* left_out);

/// A diagnostic as who reviews a diff reads it.
[[nodiscard]] ir::ReviewedFinding finding_of(const Project& project, const Diagnostic& diagnostic);

/// Digest of all texts that a project was compiled from without its measurements: plan, lists,
/// modules, lock (SavedPlan::made_from). Where the folder lies and how files are named makes no
/// difference.
[[nodiscard]] std::string made_from(const Project& project);

/// "migration.yaml:33:5".
[[nodiscard]] std::string place_of(const SourceSet& sources, Span span);

}  // namespace plan::command
