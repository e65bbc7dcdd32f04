#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "compiler/check/plan.h"
#include "compiler/ir/step_graph.h"

namespace plan::check {

/// One member of `bind` of a NetworkListener.
struct Bound {
  std::string_view address = {};  ///< "[::]", "203.0.113.30"
  std::int64_t port = 0;
};

/// What a step that writes a NetworkListener does to its `bind`: a set, which authors write as a
/// list, or member by member (`"bind/[::]:25" = true`; `null` takes one away). The views point into
/// what it writes.
struct BindChange {
  bool is_whole = false;  ///< nothing of what was there before stays
  std::vector<Bound> opened = {};
  std::vector<Bound> closed = {};
};
[[nodiscard]] BindChange bind_change(const ir::Value& set);
/// What such a step opens.
[[nodiscard]] std::vector<std::int64_t> opened_ports(const ir::Value& set);

/// Can there be a connection that both would take, at one port? `[::]` is every address, `0.0.0.0`
/// every one of IPv4, and an empty text any that nobody told.
[[nodiscard]] bool is_same_door(std::string_view address, std::string_view other);

/// The listeners that steps of the graph make.
[[nodiscard]] std::vector<Listener> made_listeners(const ir::StepGraph& graph);

/// The networks that steps of the graph let the target never ban: objects AllowedIp, and the
/// proxies that it trusts.
[[nodiscard]] std::vector<std::string> spared_networks(const ir::StepGraph& graph);

/// Where the target listens: as the lock has it, and what the plan's steps make. Empty when nobody
/// has asked the target.
[[nodiscard]] std::vector<Listener> listeners_of_target(const Migration& migration);

}  // namespace plan::check
