// Prevents: a relay route of a module's own that leads to a loopback address, which bounces every
// message, or back to the target (reference/stalwart-admin.md 5.8, split-delivery.md 8 rule 6).
#include <fmt/format.h>

#include <set>
#include <string>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/check/names.h"
#include "compiler/check/next_hop.h"
#include "compiler/schema/formats.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

namespace {

void look_at_forwards(const GraphView& view, Sink& sink) {
  const Plan& plan = view.plan();
  const ir::StepGraph& graph = view.graph();
  std::set<const ir::StepShape*> seen;
  // A name that the plan itself gives to both servers was reported where it stands.
  const ir::Value& old = plan.source["stalwart"];
  const std::string_view old_name = syntax::host_of_url(old["url"].string_or(""));
  const std::string_view told_name = old["target_name"].string_or("");
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
    const bool is_old = graph.kind(step) == ir::StepKind::source_forward;
    const std::string remedy = is_old ? "name the target by `source.stalwart.target_name`"
                                      : "name the target by `addresses.target`";
    if (is_loopback(host)) {
      report_step(view, step, Kind::relay_loopback,
                  fmt::format("forwards to `{}`, a loopback address", printable(host, 80)), sink)
          .label("the source would deliver to itself")
          .help(std::string(remedy));
      continue;
    }
    std::string_view what;
    if (schema::is_same_host(host, plan.source_address.text) ||
        (is_old && schema::is_same_host(host, old_name) && !schema::is_same_host(host, told_name)))
      what = "the source itself";
    if (schema::is_same_host(host, plan.public_name.text)) what = "the public name";
    if (schema::is_same_host(host, plan.proxy.text)) what = "the proxy";
    if (what.empty()) continue;
    report_step(view, step, Kind::relay_own_address,
                fmt::format("forwards to `{}`, which is {}", printable(host, 80), what), sink)
        .label("port 25 there is the source's: mail would turn in a circle")
        .help(std::string(remedy));
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
    const bool is_target = schema::is_same_host(address, plan.target_address.text) ||
                           schema::is_same_host(address, administration);
    if (!is_target && !schema::is_same_host(address, plan.public_name.text)) continue;
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
