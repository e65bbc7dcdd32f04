// Prevents: an old Stalwart that hands the mail of those who have moved to a third machine. The
// proof takes the next hop of `source.forward` for the target, so it is looked at here that it is
// (reference/stalwart-v015-api.md 9.3).
#include <fmt/format.h>

#include <set>
#include <string>
#include <utility>

#include "compiler/check/graph_view.h"
#include "compiler/check/names.h"
#include "compiler/check/next_hop.h"
#include "compiler/ir/row_values.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void next_hop_elsewhere(const GraphView& view, Sink& sink) {
  const Plan& plan = view.plan();
  const ir::StepGraph& graph = view.graph();
  const ir::Value& old = plan.source["stalwart"];
  const std::string_view name = old["target_name"].string_or("");
  if (name.empty()) return;
  std::set<std::pair<const ir::StepShape*, std::string>> seen;
  for (const ir::StepId step : view.of_kind(ir::StepKind::source_forward)) {
    const ir::StepShape* shape = &graph.shape(step);
    const bool is_of_row = ir::is_of_row(shape->arguments["next_hop"]);
    if (!is_of_row && !seen.emplace(shape, "").second) continue;
    const ir::Value given = graph.argument(step, "next_hop");
    if (!given.is_string() || (is_of_row && !seen.emplace(shape, given.as_string()).second))
      continue;
    const std::string_view host = next_hop_of(given.as_string()).host;
    if (equals_ignoring_case(host, name) || equals_ignoring_case(host, plan.target_address.text) ||
        // The source's own names, of which `relay-own-address` and `relay-loopback` tell.
        is_loopback(host) || equals_ignoring_case(host, plan.source_address.text) ||
        equals_ignoring_case(host, plan.public_name.text) ||
        equals_ignoring_case(host, plan.proxy.text))
      continue;
    report_step(
        view, step, Kind::leads_elsewhere,
        fmt::format("forwards to `{}`, which is not the target", printable(given.as_string(), 120)),
        sink)
        .label("mail of those who have moved would go to a third machine")
        .help(fmt::format("write `smtp:[${{source.stalwart.target_name}}]:{}`, which is `{}`",
                          plan.target["smtp"]["port"].integer_or(25), printable(name, 80)));
  }
}

}  // namespace plan::check::rules
