#pragma once
#include <cstddef>
#include <vector>

#include "compiler/ir/step_graph.h"

namespace plan::ir {

/// Which steps a rule looks at: of those of one shape, which differ in the values of their rows
/// only, the first 200. A rule that looked at a million of them would say nothing else.
class ShapeSample {
 public:
  static constexpr std::size_t kStepsOfShapeMax = 200;

  explicit ShapeSample(const StepGraph& graph) : graph_(graph), seen_(graph.shapes().size()) {}

  /// Counts the step: each is asked for once.
  [[nodiscard]] bool takes(StepId step) {
    const std::size_t shape =
        static_cast<std::size_t>(&graph_.shape(step) - graph_.shapes().data());
    return seen_[shape]++ < kStepsOfShapeMax;
  }

 private:
  const StepGraph& graph_;
  std::vector<std::size_t> seen_;
};

}  // namespace plan::ir
