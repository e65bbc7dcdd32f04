#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "compiler/ir/step_graph.h"

namespace plan::lower {

/// The steps of one stage that only write objects of the target, as lines that stalwart-cli applies
/// (reference/stalwart-admin.md 7.1): one JSON object a line.
struct AdminLines {
  /// stalwart-cli runs every `destroy` of a file before everything else, so a destroy that has to
  /// come later begins a new part.
  std::vector<std::string> parts = {};
  std::size_t step_count = 0;              ///< steps that the lines stand for
  std::vector<std::string> left_out = {};  ///< why a step, or a member of it, is not in the lines
};

/// Objects travel as `upsert` by their natural key, so that the lines may be applied again,
/// accounts closed as their step makes them. Secrets are never written, and no key and no list of
/// an account: they would flip its mail without its copy. All that is named in `left_out`, and so
/// is every step on another machine.
[[nodiscard]] AdminLines admin_lines(const ir::StepGraph& graph, ir::Stage stage);

}  // namespace plan::lower
