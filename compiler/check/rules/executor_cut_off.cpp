// Prevents: a plan that locks itself, or the source's mail, out of the target: an expression that
// answers the administration interface with an error, or a network from which every connection must
// begin with a PROXY header (reference/stalwart-admin.md 5.11, 5.14).
#include <fmt/format.h>

#include <algorithm>

#include "compiler/check/graph_view.h"
#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

namespace {

/// What the target trusts already, unless a step replaces it.
void look_at_target(const GraphView& view, Sink& sink) {
  for (const TargetWrite& write : view.writes()) {
    if (write.object == "SystemSettings" && !write.set["proxyTrustedNetworks"].is_null()) return;
  }
  const Named& source = view.plan().source_address;
  for (const std::string_view network :
       members_of(setting(view.migration(), "target.SystemSettings.proxyTrustedNetworks"))) {
    if (!is_ip_in_network(source.text, network)) continue;
    sink.report(Kind::executor_cut_off, source.span,
                fmt::format("the target demands a PROXY header from the source `{}`",
                            printable(source.text, 60)))
        .label(fmt::format("`{}` of its `SystemSettings.proxyTrustedNetworks` holds it",
                           printable(network, 60)))
        .help(
            "take the network out on the target, restart it and run `plan fetch`; a source that "
            "sends no header gets no answer, and its mail waits");
    return;
  }
}

}  // namespace

void executor_cut_off(const GraphView& view, Sink& sink) {
  look_at_target(view, sink);
  for (const TargetWrite& write : view.writes()) {
    if (write.object == "Http" && write.set["allowedEndpoints"].is_map()) {
      const auto results = results_of(write.set["allowedEndpoints"]);
      if (std::none_of(results.begin(), results.end(),
                       [](std::string_view text) { return trim(text) == "200"; })) {
        report_write(view, write, Kind::executor_cut_off,
                     "lets nobody reach the target's administration any more", sink)
            .label("no result of the expression is 200")
            .help("give 200 for the paths `/jmap`, `/api` and `/.well-known` to plan's address");
      }
    }
    const ir::Value& trust = write.object == "SystemSettings"
                                 ? write.set["proxyTrustedNetworks"]
                                 : write.set["overrideProxyTrustedNetworks"];
    if (write.object != "SystemSettings" && write.object != "NetworkListener") continue;
    for (const std::string_view network : members_of(trust)) {
      const std::string& source = view.plan().source_address.text;
      if (!is_ip_in_network(source, network) && !is_ip_in_network("127.0.0.1", network)) continue;
      const bool is_source = is_ip_in_network(source, network);
      report_write(view, write, Kind::executor_cut_off,
                   fmt::format("demands a PROXY header from {}",
                               is_source ? "the source" : "the target's own programs"),
                   sink)
          .label(fmt::format(
              "`{}` holds {}", printable(network, 60),
              is_source ? fmt::format("`{}`", printable(source, 60)) : std::string("127.0.0.1")))
          .help("name the proxies' addresses only; who sends no header gets no answer at all");
    }
  }
}

}  // namespace plan::check::rules
