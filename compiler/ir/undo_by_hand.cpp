#include "compiler/ir/undo_by_hand.h"

#include <fmt/format.h>

#include "compiler/source/text.h"

namespace plan::ir {

std::string undo_by_hand(const StepGraph& graph, StepId step) {
  if (graph.kind(step) != StepKind::address_move) return {};
  const auto has_command = [&](const char* which) {
    const Value command = graph.argument(step, which);
    return command.is_list() && command.size() != 0;
  };
  if (!has_command("run") || has_command("undo")) return {};
  const Value name = graph.argument(step, "public");
  return fmt::format("plan rollback waits until somebody has pointed {} back: `run` has no `undo`",
                     printable(name.string_or("the public name"), 200));
}

}  // namespace plan::ir
