#pragma once
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/check/plan.h"
#include "compiler/lower/lower.h"
#include "compiler/source/diagnostic.h"
#include "compiler/source/embedded_file.h"
#include "compiler/source/result.h"
#include "compiler/source/source_set.h"

namespace plan {

/// Where modules come from: `std/NAME` is compiled in, `./NAME.plan` and `./NAME.yaml` lie in the
/// plan's folder, and so does `./NAME.ndjson`, a plan of stalwart-cli (admin_plan.h).
struct ModuleSource {
  std::span<const EmbeddedFile> stdlib = {};
  std::function<Result<std::string>(const std::string& path)> file_text = {};
};

/// The modules of a plan, read: what they are lowered from. Trees must not move.
struct LinkedModules {
  std::deque<syntax::Node> trees = {};
  /// Those that are used come before those that use them; the plan's own is the last.
  std::vector<lower::ModuleInstance> instances = {};
  /// All of them are there, and nothing was reported: they can be lowered. Otherwise they can only
  /// be judged.
  bool is_whole = false;
  /// Those that were read without statements whose syntax is broken: what is not found in them may
  /// stand there.
  std::vector<FileId> damaged = {};
  std::vector<Span> left_out = {};  ///< where those stand
  lower::LostSteps lost = {};  ///< the steps among them, and those of modules that are not there
};

/// Reads the module that the plan uses and those that it uses, binds their inputs (`with`, else the
/// value of that name where they are used or in the plan, else the default) and evaluates their
/// `let`. `scope` is what the plan gives; `unknown` are the names that it cannot give, because it
/// is broken itself. Reports unknown-procedure, module-cycle, module-bound, duplicate-name,
/// module-digest, input-missing, input-type and what is wrong inside. Nothing where the plan's
/// `use` is none.
[[nodiscard]] std::unique_ptr<LinkedModules> link_modules(const check::Plan& plan,
                                                          const ModuleSource& source,
                                                          const syntax::Scope& scope,
                                                          const std::vector<lower::RowSet>& rows,
                                                          const std::set<std::string>& unknown,
                                                          SourceSet& sources, Sink& sink);

}  // namespace plan
