#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "compiler/check/graph_view.h"

namespace plan::check {

/// A port of the target that a step closes, and that no other one has or opens in time.
struct ClosedPort {
  ir::StepId step = {};
  std::string listener = {};  ///< empty: nobody told its name
  std::string protocol = {};
  std::int64_t port = 0;
  std::string_view needed_for = {};  ///< empty: the migration itself does not need it
  bool is_destroyed = false;         ///< its listener goes; else it is bound elsewhere
  bool opens_others = false;         ///< the step binds its listener where it was not
  /// Who tells it, of all steps that close the same port of the same listener: one that takes it
  /// from the migration, then the first stage's.
  ir::StepId told_by = {};
};

/// Of the steps of one shape the first that closes the port.
[[nodiscard]] std::vector<ClosedPort> closed_ports(const GraphView& view);

}  // namespace plan::check
