#include "runtime/engine/journal.h"

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"

namespace plan::engine {

std::string_view to_string(StepState state) {
  switch (state) {
    case StepState::waiting:
      return "waiting";
    case StepState::started:
      return "started";
    case StepState::done:
      return "done";
    case StepState::failed:
      return "failed";
    case StepState::unknown:
      return "unknown";
    case StepState::undoing:
      return "undoing";
    case StepState::undone:
      return "undone";
    case StepState::stopped:
      return "stopped";
  }
  return "waiting";
}

std::string_view to_string(RunState state) {
  switch (state) {
    case RunState::open:
      return "open";
    case RunState::finished:
      return "finished";
    case RunState::stopped:
      return "stopped";
    case RunState::failed:
      return "failed";
    case RunState::needs_approval:
      return "needs-approval";
  }
  return "open";
}

std::string graph_digest(const ir::StepGraph& graph) {
  return ir::sha256(ir::canonical_json(graph.to_document())).hex();
}

}  // namespace plan::engine
