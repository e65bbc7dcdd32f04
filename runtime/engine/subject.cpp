#include "runtime/engine/subject.h"

#include <fmt/format.h>

namespace plan::engine {

std::string account_of(const ir::StepGraph& graph, ir::RowId row) {
  if (row == ir::RowId::none) return {};
  const ir::Value& account = graph.row_members(row)["account"];
  return account.is_string() ? account.as_string() : std::string(graph.row_name(row));
}

std::string account_of(const ir::StepGraph& graph, ir::StepId step) {
  const ir::RowId row = graph.row(step);
  const bool is_of_wave = graph.wave(step) != ir::WaveId::none;
  if (row == ir::RowId::none || (!is_of_wave && !graph.row_members(row)["account"].is_string()))
    return {};
  return account_of(graph, row);
}

std::string approval_subject(const ir::Value& arguments) {
  const std::string_view stage = arguments["stage"].string_or("");
  if (!stage.empty()) return fmt::format("stage:{}", stage);
  return fmt::format("wave:{}", arguments["wave"].string_or(""));
}

Span cause_of(const ir::StepGraph& graph, ir::StepId step) {
  const ir::RowId row = graph.row(step);
  const Span named = row == ir::RowId::none ? Span() : graph.row_origin(row);
  return named.is_known() ? named : graph.origin(step);
}

}  // namespace plan::engine
