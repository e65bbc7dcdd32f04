#pragma once
#include <vector>

#include "compiler/ir/step_graph.h"

namespace plan::ir {

/// What `step` needs: everything that has to be done before it. Soft edges are an order and no
/// need. One bit a step.
[[nodiscard]] std::vector<bool> needs_of(const StepGraph& graph, StepId step);

/// The same with what only has an order before it.
[[nodiscard]] std::vector<bool> all_before(const StepGraph& graph, StepId step);

}  // namespace plan::ir
