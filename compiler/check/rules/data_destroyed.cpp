// Prevents: a step that destroys mail. Destroying an account deletes all that is in it at once, and
// its prior state does not hold the mail (reference/stalwart-admin.md 5.3).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>

#include "compiler/check/graph_view.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void data_destroyed(const GraphView& view, Sink& sink) {
  constexpr std::array<std::string_view, 4> kHoldData = {"Account", "Domain", "Tenant",
                                                         "PublicKey"};
  const ir::StepGraph& graph = view.graph();
  std::set<const ir::StepShape*> said;
  for (const ir::StepId step : view.of_kind(ir::StepKind::admin_destroy)) {
    if (!said.insert(&graph.shape(step)).second) continue;
    const ir::Value arguments = graph.arguments(step);
    const std::string_view object = object_type(arguments["object"].string_or(""));
    const bool is_unfiltered = arguments["match"].size() == 0;
    if (!is_unfiltered && std::find(kHoldData.begin(), kHoldData.end(), object) == kHoldData.end())
      continue;
    sink.report(Kind::data_destroyed, graph.origin(step),
                is_unfiltered ? fmt::format("`{}` does not say which {} it destroys",
                                            printable(graph.id(step), 160), object)
                              : fmt::format("`{}` destroys an object of type {}",
                                            printable(graph.id(step), 160), object))
        .label(is_unfiltered ? "it would take the first that the server lists"
                             : "what is in it cannot be brought back")
        .help(
            "an account that is not wanted is closed, not destroyed; do it by hand when everything "
            "else is over");
  }
}

}  // namespace plan::check::rules
