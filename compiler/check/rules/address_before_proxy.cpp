// Prevents: the public name points at proxies that do not listen yet, or do not know the accounts.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/check/graph_view.h"

namespace plan::check::rules {

void address_before_proxy(const GraphView& view, Sink& sink) {
  const ir::StepGraph& graph = view.graph();
  const std::span<const ir::StepId> ready = view.of_kind(ir::StepKind::proxy_ready);
  for (const ir::StepId move : view.of_kind(ir::StepKind::address_move)) {
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
