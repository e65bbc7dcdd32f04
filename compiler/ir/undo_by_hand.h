#pragma once
#include <string>

#include "compiler/ir/step_graph.h"

namespace plan::ir {

/// What a rollback waits for somebody to do at this step, for the plan gives no command for it
/// beside the one that does the step: "the operator points mail.example.org back: `run` has no
/// `undo`". Empty: nothing, or the step itself is done by hand too.
[[nodiscard]] std::string undo_by_hand(const StepGraph& graph, StepId step);

}  // namespace plan::ir
