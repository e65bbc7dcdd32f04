#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "compiler/check/graph_view.h"

namespace plan::check {

/// A text that an argument of steps is, and the first step of a shape that has it.
struct GivenText {
  ir::StepId step = {};
  std::string text = {};
};

/// The texts that steps of this kind have for an argument: for each shape one, unless a module
/// computes it from the row, and then each once. None that is empty or known only in the night.
[[nodiscard]] std::vector<GivenText> given_texts(const GraphView& view, ir::StepKind kind,
                                                 std::string_view argument);

}  // namespace plan::check
