#include "compiler/check/given_texts.h"

#include <set>
#include <utility>

#include "compiler/ir/row_values.h"

namespace plan::check {

std::vector<GivenText> given_texts(const GraphView& view, ir::StepKind kind,
                                   std::string_view argument) {
  const ir::StepGraph& graph = view.graph();
  std::vector<GivenText> texts;
  std::set<const ir::StepShape*> done;
  std::set<std::pair<const ir::StepShape*, std::string>> seen;
  for (const ir::StepId step : view.of_kind(kind)) {
    const ir::StepShape* const shape = &graph.shape(step);
    if (done.contains(shape)) continue;
    if (!ir::is_of_row(shape->arguments[argument])) done.insert(shape);
    const ir::Value given = graph.argument(step, argument);
    if (given.string_or("").empty() || !seen.emplace(shape, given.as_string()).second) continue;
    texts.push_back({step, given.as_string()});
  }
  return texts;
}

}  // namespace plan::check
