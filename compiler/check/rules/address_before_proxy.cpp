// Prevents: the public name points at proxies that do not listen yet, or do not know the accounts.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/check/graph_view.h"
#include "compiler/schema/formats.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void address_before_proxy(const GraphView& view, Sink& sink) {
  const ir::StepGraph& graph = view.graph();
  const std::span<const ir::StepId> ready = view.of_kind(ir::StepKind::proxy_ready);
  for (const ir::StepId move : view.of_kind(ir::StepKind::address_move)) {
    const ir::Value to = graph.argument(move, "to");
    const std::string& target = view.plan().target_address.text;
    if (schema::is_same_host(to.string_or(""), target))
      report_step(view, move, Kind::address_before_proxy,
                  fmt::format("moves the public address to the target `{}`", printable(target, 80)),
                  sink)
          .label("clients would find their mailboxes empty: nobody has moved yet")
          .help("move it to the proxies, `addresses.proxy`; finalize brings it to the target");
    const std::vector<bool> needs = view.needs_of(move);
    if (std::any_of(ready.begin(), ready.end(),
                    [&](ir::StepId step) { return needs[ir::index(step)]; }))
      continue;
    auto report = sink.report(
        Kind::address_before_proxy, graph.origin(move),
        fmt::format("`{}` moves the public address before the proxies are ready", graph.id(move)));
    report.label("clients would find nobody there");
    if (!ready.empty())
      report.note(graph.origin(ready.front()),
                  fmt::format("`{}` looks whether they are", graph.id(ready.front())));
    report.help("let it wait for a step of kind `proxy.ready` (`after`)");
  }
}

}  // namespace plan::check::rules
