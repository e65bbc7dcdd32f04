#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/lower/procedure.h"

namespace plan::lower {

/// What is said of a kind of step that is none: the one that was meant, or empty, and what to do.
struct UnknownKind {
  std::string near = {};
  std::string help = {};
};
[[nodiscard]] UnknownKind unknown_kind(std::string_view name);

/// Adds the servers that the step's host needs to its arguments.
void add_connections(ProcedureStep& step, const std::map<std::string, ir::Value>& connections);

/// Steps that wait for one another in a circle, each for the one behind it; empty: there is none.
[[nodiscard]] std::vector<std::size_t> circle_among(const std::vector<ProcedureStep>& steps);

}  // namespace plan::lower
