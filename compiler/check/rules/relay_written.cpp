// Prevents: a relay route of a module's own that leads to a loopback address, which bounces every
// message, or back to the target (reference/stalwart-admin.md 5.8, split-delivery.md 8 rule 6).
#include <fmt/format.h>

#include <set>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/check/names.h"
#include "compiler/check/next_hop.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

namespace {

void look_at_forwards(const GraphView& view, Sink& sink) {
  const Plan& plan = view.plan();
  const ir::StepGraph& graph = view.graph();
  std::set<const ir::StepShape*> seen;
  std::vector<ir::StepId> forwards;
  for (const ir::StepKind kind : {ir::StepKind::postfix_forward, ir::StepKind::source_forward}) {
    const auto steps = view.of_kind(kind);
    forwards.insert(forwards.end(), steps.begin(), steps.end());
  }
  for (const ir::StepId step : forwards) {
    if (!seen.insert(&graph.shape(step)).second) continue;
    const ir::Value next_hop = graph.argument(step, "next_hop");
    const std::string_view host = next_hop_of(next_hop.string_or("")).host;
    if (host.empty()) continue;
    if (is_loopback(host)) {
      report_step(view, step, Kind::relay_loopback,
                  fmt::format("forwards to `{}`, a loopback address", printable(host, 80)), sink)
          .label("the source would deliver to itself")
          .help("name the target by `addresses.target`");
      continue;
    }
    std::string_view what;
    if (equals_ignoring_case(host, plan.source_address.text)) what = "the source itself";
    if (equals_ignoring_case(host, plan.public_name.text)) what = "the public name";
    if (equals_ignoring_case(host, plan.proxy.text)) what = "the proxy";
    if (what.empty()) continue;
    report_step(view, step, Kind::relay_own_address,
                fmt::format("forwards to `{}`, which is {}", printable(host, 80), what), sink)
        .label("port 25 there is the source's: mail would turn in a circle")
        .help("name the target by `addresses.target`");
  }
}

}  // namespace

void relay_written(const GraphView& view, Sink& sink) {
  const Plan& plan = view.plan();
  look_at_forwards(view, sink);
  const std::string_view administration = syntax::host_of_url(plan.target["url"].string_or(""));
  for (const TargetWrite& write : view.writes()) {
    if (write.object != "MtaRoute" || !write.set["address"].is_string()) continue;
    const std::string& address = write.set["address"].as_string();
    if (is_loopback(address)) {
      report_write(view, write, Kind::relay_loopback,
                   fmt::format("relays to `{}`, a loopback address", printable(address, 80)), sink)
          .label("the target refuses to relay there and bounces the mail")
          .help("name the machine by an address that others can reach");
      continue;
    }
    const bool is_target = equals_ignoring_case(address, plan.target_address.text) ||
                           equals_ignoring_case(address, administration);
    if (!is_target && !equals_ignoring_case(address, plan.public_name.text)) continue;
    report_write(view, write, Kind::relay_own_address,
                 fmt::format("relays to `{}`, which is {}", printable(address, 80),
                             is_target ? "the target itself" : "the public name"),
                 sink)
        .label(is_target ? "mail would turn in a circle until it bounces"
                         : "from finalize on this name is the target itself: mail would turn in a "
                           "circle")
        .help("a route leads to another machine; for mail that stays there is `'local'`");
  }
}

}  // namespace plan::check::rules
