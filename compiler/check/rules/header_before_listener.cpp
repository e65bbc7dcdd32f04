// Prevents: proxies that send the PROXY header to somebody who does not expect it yet. Postfix
// takes the header for a broken command, the target for protocol data
// (reference/stalwart-admin.md 5.11).
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>

#include "compiler/check/graph_view.h"
#include "compiler/check/kind_of_source.h"

namespace plan::check::rules {

namespace {

/// The listener goes when nobody speaks to the proxies any more, and not before.
void look_at_end(const GraphView& view, Sink& sink) {
  const ir::StepGraph& graph = view.graph();
  const std::span<const ir::StepId> ends = view.of_kind(ir::StepKind::address_finalize);
  std::set<std::string, std::less<>> listeners;
  for (const ir::StepId step : view.of_kind(ir::StepKind::postfix_listener))
    listeners.insert(graph.id(step));
  for (const ir::StepId step : view.of_kind(ir::StepKind::restore)) {
    const ir::Value given = graph.argument(step, "step");
    if (!listeners.contains(given.string_or(""))) continue;
    const std::vector<bool> needs = view.needs_of(step);
    if (std::any_of(ends.begin(), ends.end(),
                    [&](ir::StepId end) { return needs[ir::index(end)]; }))
      continue;
    auto report = report_step(view, step, Kind::header_before_listener,
                              "takes the listener away while the proxies still send to it", sink);
    report.label("mail that comes through the proxies would be refused");
    if (!ends.empty())
      report.note(graph.origin(ends.front()), "until here the public name is the proxies'");
    report.help("let it wait for a step of kind `address.finalize`");
  }
}

/// The proxies hand port 25 on with a header, and nobody at the source would take it. Of an old
/// Stalwart the rule old_server_unready says it.
void look_for_listener(const GraphView& view, ir::StepId move, Sink& sink) {
  if (is_from_stalwart(view.plan()) || !view.of_kind(ir::StepKind::postfix_listener).empty() ||
      !view.of_kind(ir::StepKind::source_listener).empty())
    return;
  report_step(view, move, Kind::header_before_listener,
              "brings everybody to the proxies, and no step has a listener at the source that "
              "takes their header",
              sink)
      .severity(Severity::warning)
      .label("mail that comes in at their port 25 would be refused")
      .help(
          "let it wait for a step of kind `postfix.listener`, as std/source-preparation has it; "
          "where port 25 does not go through the proxies, silence this with that as the reason");
}

}  // namespace

void header_before_listener(const GraphView& view, Sink& sink) {
  const ir::StepGraph& graph = view.graph();
  const std::span<const ir::StepId> moves = view.of_kind(ir::StepKind::address_move);
  if (moves.empty()) return;
  look_for_listener(view, moves.front(), sink);
  look_at_end(view, sink);
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
  for (const ir::StepId step : view.of_kind(ir::StepKind::source_listener))
    look(step, "until then nothing takes the header");
  for (const TargetWrite& write : view.writes()) {
    const bool is_trust =
        (write.object == "SystemSettings" && !write.set["proxyTrustedNetworks"].is_null()) ||
        (write.object == "NetworkListener" && !write.set["overrideProxyTrustedNetworks"].is_null());
    if (is_trust) look(write.step, "until then the header is taken for what the client says");
  }
}

}  // namespace plan::check::rules
