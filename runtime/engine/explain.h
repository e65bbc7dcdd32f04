#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/step_graph.h"
#include "compiler/source/result.h"
#include "runtime/engine/journal.h"

namespace plan::engine {

/// Why a step will run, did run or did not run, as lines for a person: what it is, where it stands,
/// what it waits for, what its last attempt said, how it is undone.
struct StepExplanation {
  std::string step = {};
  std::string state = {};
  std::vector<std::string> lines = {};
};

/// `journal` may be null: nothing was applied yet. Nothing: the graph has no such step. Errors:
/// those of the journal.
[[nodiscard]] Result<std::optional<StepExplanation>> explain_step(const ir::StepGraph& graph,
                                                                  Journal* journal,
                                                                  std::string_view step);

}  // namespace plan::engine
