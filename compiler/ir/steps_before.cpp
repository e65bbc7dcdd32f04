#include "compiler/ir/steps_before.h"

namespace plan::ir {
namespace {

std::vector<bool> before(const StepGraph& graph, StepId step, bool takes_soft) {
  std::vector<bool> is_before(graph.size());
  std::vector<StepId> open = {step};
  while (!open.empty()) {
    const StepId one = open.back();
    open.pop_back();
    for (const StepId earlier : graph.after(one)) {
      if (is_before[index(earlier)] || (!takes_soft && graph.is_soft(earlier, one))) continue;
      is_before[index(earlier)] = true;
      open.push_back(earlier);
    }
  }
  return is_before;
}

}  // namespace

std::vector<bool> needs_of(const StepGraph& graph, StepId step) {
  return before(graph, step, false);
}

std::vector<bool> all_before(const StepGraph& graph, StepId step) {
  return before(graph, step, true);
}

}  // namespace plan::ir
