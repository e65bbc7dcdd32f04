#pragma once
#include <string_view>
#include <vector>

#include "compiler/check/plan.h"
#include "compiler/ir/step_graph.h"

namespace plan::check {

/// The ports in the member `bind` of a NetworkListener: a set, which authors write as a list.
[[nodiscard]] std::vector<std::int64_t> bound_ports(const ir::Value& bind);

/// The listeners that steps of the graph make.
[[nodiscard]] std::vector<Listener> made_listeners(const ir::StepGraph& graph);

/// Where the target listens: as the lock has it, and what the plan's steps make. Empty when nobody
/// has asked the target.
[[nodiscard]] std::vector<Listener> listeners_of_target(const Migration& migration);

}  // namespace plan::check
