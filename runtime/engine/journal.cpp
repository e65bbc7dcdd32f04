#include "runtime/engine/journal.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"

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

RecordedError recorded(const Error& error) {
  return {std::string(error.code().name), error.to_line(), std::string(to_string(error.effect())),
          std::string(to_string(error.blame()))};
}

std::string outcome_text(std::string text, const ir::Value& outputs) {
  if (!outputs.is_map()) return text;
  const auto add = [&](std::string words) { text += (text.empty() ? "" : ", ") + words; };
  const auto count_of = [](const ir::Value& value) {
    return static_cast<std::uint64_t>(std::max<std::int64_t>(0, value.as_integer()));
  };
  if (const ir::Value& messages = outputs["messages"]; messages.is_integer()) {
    add(show_count(count_of(messages)) + (messages.as_integer() == 1 ? " message" : " messages"));
  }
  if (const ir::Value& bytes = outputs["bytes"]; bytes.is_integer())
    add(show_bytes(count_of(bytes)));
  if (const ir::Value& grade = outputs["grade"]; grade.is_string())
    add("grade " + grade.as_string());
  return text;
}

Steering steering_of(const std::vector<Request>& requests) {
  Steering steering;
  for (const Request& request : requests) {
    if (request.kind == RequestKind::pause) steering.is_paused = true;
    if (request.kind == RequestKind::resume) steering.is_paused = false;
    if (request.kind != RequestKind::throttle) continue;
    Steering::Bound& bound = steering.bounds[request.subject];
    if (const ir::Value& connections = request.parameters["connections"]; connections.is_integer())
      bound.parallel = static_cast<std::uint32_t>(
          std::clamp<std::int64_t>(connections.as_integer(), 0, 1'000'000));
    if (const ir::Value& rate = request.parameters["bytes_per_second"]; rate.is_integer())
      bound.bytes_per_second =
          static_cast<std::uint64_t>(std::max<std::int64_t>(rate.as_integer(), 0));
  }
  return steering;
}

std::string graph_digest(const ir::StepGraph& graph) {
  return ir::sha256(ir::canonical_json(graph.to_document())).hex();
}

}  // namespace plan::engine
