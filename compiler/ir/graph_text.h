#pragma once
#include <string>

#include "compiler/ir/step_graph.h"

namespace plan::ir {

/// One step a line, sorted by id: `id  kind=…  role=…  after=…`, with edges by id and canonical
/// arguments on demand. What golden files compare.
[[nodiscard]] std::string graph_lines(const StepGraph& graph, bool has_arguments = false);

struct GraphTextOptions {
  /// Accounts of a wave whose steps have the same shapes are drawn once, with their number.
  bool is_folded = true;
};

/// Graphviz.
[[nodiscard]] std::string graph_dot(const StepGraph& graph, const GraphTextOptions& options);
/// Mermaid flowchart.
[[nodiscard]] std::string graph_mermaid(const StepGraph& graph, const GraphTextOptions& options);

}  // namespace plan::ir
