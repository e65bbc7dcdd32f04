#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "compiler/flow/classes.h"
#include "compiler/ir/step_graph.h"
#include "compiler/ir/value.h"
#include "compiler/source/diagnostic.h"
#include "compiler/source/embedded_file.h"
#include "compiler/source/result.h"
#include "compiler/source/source_set.h"

namespace plan::schema {
class Schema;
}

namespace plan {

/// What one compilation reads. Bytes in, values out: nothing here opens a file.
struct CompileInput {
  std::string plan_name = "migration.yaml";  ///< shown in diagnostics
  std::string plan_text = {};
  std::string lock_name = "migration.lock";
  std::optional<std::string> lock_text = {};  ///< nothing: no `plan fetch` yet
  std::string facts_name = ".plan/facts.jsonl";
  std::optional<std::string> facts_text = {};
  /// Gives the text of a file that the plan names (`accounts: {from: {csv: PATH}}`, `use: ./PATH`),
  /// PATH as it stands there, without the `./`; the same text for the same path. Empty: there is no
  /// such file.
  std::function<Result<std::string>(const std::string& path)> file_text = {};
  /// The target's schema; null: values for target objects are not checked, which is reported.
  const schema::Schema* schema = nullptr;
  /// The procedures; empty: those that are compiled in.
  std::span<const EmbeddedFile> stdlib = {};
  std::size_t plan_bytes_max = std::size_t{16} << 20U;
  std::size_t mail_subjects_max = 1'024;  ///< accounts that the proof of the mail flow looks at
  /// Only the graph is asked for: whether values fit the target's schema, and where mail goes while
  /// the steps run, is not judged.
  bool is_only_lowered = false;
  /// Moments of waves up to this one have passed, which is told, in milliseconds since 1970.
  /// Nothing: there is no clock, and it is not told.
  std::optional<std::int64_t> now_ms = {};
};

/// The plan in figures and names, for diff, report and wiring.
struct PlanSummary {
  std::string name = {};
  std::string procedure = {};  ///< "std/dovecot-postfix"
  std::string public_name = {};
  std::string proxy_address = {};
  std::string source_address = {};
  std::string target_address = {};
  std::vector<std::string> domains = {};
  std::size_t account_count = 0;
  std::size_t list_count = 0;
  struct Wave {
    std::string name = {};
    std::size_t account_count = 0;
    std::uint32_t parallel = 1;
    bool is_held_for_approval = false;
  };
  std::vector<Wave> waves = {};
  std::vector<std::string> rollback_points = {};
  bool is_each_account_a_point = false;
  std::vector<std::string> dump_folders = {};  ///< of a plan about a store
  flow::MailFacts mail = {};                   ///< what the proof of the mail flow was given
  /// The resolved blocks that steps carry too: `source`, `target`, `proxies`, `hosts`, `addresses`,
  /// `accounts_from`. Secrets are references.
  ir::Value connections = {};
};

/// A diagnostic that the plan silences.
struct SilencedFinding {
  Diagnostic diagnostic = {};
  std::string reason = {};
  Span span = {};  ///< where the plan says so
};

struct CompileResult {
  std::shared_ptr<SourceSet> sources = {};   ///< for rendering diagnostics and origins
  std::optional<ir::StepGraph> graph = {};   ///< frozen; nothing when there are errors
  std::vector<Diagnostic> diagnostics = {};  ///< in the order of a reader
  std::optional<PlanSummary> plan = {};      ///< as far as it could be understood
  /// What the plan silences (`findings`), with its reason: not among `diagnostics`, and shown in
  /// every diff.
  std::vector<SilencedFinding> silenced = {};
  /// From this moment on more of them have passed; nothing: never.
  std::optional<std::int64_t> next_moment_ms = {};

  [[nodiscard]] bool has_errors() const;
};

/// Compiles a plan. Pure, deterministic, safe from any thread; about 3 s and 1 GiB at 100,000
/// accounts.
[[nodiscard]] CompileResult compile(CompileInput input);

/// Only what `plan fetch` needs before there is a lock: name, addresses, connections. Diagnostics
/// about what the lock would tell are left out.
[[nodiscard]] CompileResult read_plan_head(CompileInput input);

}  // namespace plan
