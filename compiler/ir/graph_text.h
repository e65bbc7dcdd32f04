#pragma once
#include <cstddef>
#include <string>

#include "compiler/ir/step_graph.h"

namespace plan::ir {

struct GraphTextOptions {
  /// Rows of one kind above this are drawn as one: what 100,000 accounts do is the same picture.
  std::size_t rows_max = 12;
};

/// The graph for Graphviz: stages as clusters, colours by effect, names quoted.
[[nodiscard]] std::string graph_as_dot(const StepGraph& graph, const GraphTextOptions& options = {});
/// The same for Mermaid.
[[nodiscard]] std::string graph_as_mermaid(const StepGraph& graph, const GraphTextOptions& options = {});

}  // namespace plan::ir
