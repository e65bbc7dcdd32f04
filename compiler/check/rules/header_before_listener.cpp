// Prevents: proxies that send the PROXY header to somebody who does not expect it yet. Postfix
// takes the header for a broken command, the target for protocol data
// (reference/stalwart-admin.md 5.11).
#include <fmt/format.h>

#include "compiler/check/graph_view.h"

namespace plan::check::rules {

void header_before_listener(const GraphView& view, Sink& sink) {
  const ir::StepGraph& graph = view.graph();
  const std::span<const ir::StepId> moves = view.of_kind(ir::StepKind::address_move);
  if (moves.empty()) return;
  const std::vector<bool> needs = view.needs_of(moves.front());
  const auto look = [&](ir::StepId step, std::string_view what) {
    if (needs[ir::index(step)] || graph.stage(step) == ir::Stage::finalize) return;
    sink.report(Kind::header_before_listener, graph.origin(step),
                fmt::format("`{}` comes too late: the proxies send their header from `{}` on",
                            graph.id(step), graph.id(moves.front())))
        .label(std::string(what))
        .note(graph.origin(moves.front()), "clients come through the proxies from here on")
        .help(fmt::format("let `{}` wait for it", graph.id(moves.front())));
  };
  for (const ir::StepId step : view.of_kind(ir::StepKind::postfix_listener))
    look(step, "until then nothing takes the header");
  for (const TargetWrite& write : view.writes()) {
    const bool is_trust =
        (write.object == "SystemSettings" && !write.set["proxyTrustedNetworks"].is_null()) ||
        (write.object == "NetworkListener" && !write.set["overrideProxyTrustedNetworks"].is_null());
    if (is_trust) look(write.step, "until then the header is taken for what the client says");
  }
}

}  // namespace plan::check::rules
