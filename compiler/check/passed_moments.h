#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "compiler/ir/step_graph.h"

namespace plan::check {

// The compiler has no clock: who compiles says what time it is.

/// A moment that a step waits for, `start_after` or `complete_after` of a wave, and that has
/// passed.
struct PassedMoment {
  ir::StepId step = {};
  std::int64_t moment_ms = 0;
  bool is_of_copies = false;  ///< until which the accounts of the step's wave are kept in step
  std::string words = {};
};

/// In the order in which the steps run; what the accounts of a wave wait for once. `is_over` says
/// of which steps nobody wants to hear.
[[nodiscard]] std::vector<PassedMoment> passed_moments(
    const ir::StepGraph& graph, std::int64_t now_ms,
    const std::function<bool(ir::StepId step)>& is_over = {});

/// The first moment behind `now_ms`; nothing: there is none.
[[nodiscard]] std::optional<std::int64_t> next_moment(const ir::StepGraph& graph,
                                                      std::int64_t now_ms);

}  // namespace plan::check
