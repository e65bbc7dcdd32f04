// Says that mail to others would no longer go over the relay that it goes over today: that of the
// source, which the target does not know, or the target's own, which a module's route expression
// leaves out. It would go to the public MX, which a provider may block and receivers may take for
// spam (reference/sources.md 4, stalwart-admin.md 5.9).
#include <fmt/format.h>

#include <algorithm>

#include "compiler/check/graph_view.h"
#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

/// The name in `'relay'`; empty for what is no text of the expression.
std::string_view quoted(std::string_view result) {
  const std::string_view text = trim(result);
  if (text.size() < 2 || text.front() != '\'' || text.back() != '\'') return {};
  return text.substr(1, text.size() - 2);
}

/// The route of mail for domains that no branch names, after the plan's last word about it.
std::string_view route_of_others(const GraphView& view) {
  const ir::Value* route = &setting(view.migration(), "target.MtaOutboundStrategy.route");
  for (const TargetWrite& write : view.writes()) {
    if (write.object == "MtaOutboundStrategy" && write.set["route"]["else"].is_string())
      route = &write.set["route"];
  }
  return (*route)["else"].string_or("'mx'");
}

/// Relay, Mx or Local: as the steps make the route, else as the target has it. Empty: nobody knows.
std::string_view kind_of_route(const GraphView& view, std::string_view name) {
  std::string_view kind;
  for (const TargetWrite& write : view.writes()) {
    if (write.object == "MtaRoute" && write.match["name"].string_or("") == name &&
        write.set["@type"].is_string())
      kind = write.set["@type"].as_string();
  }
  if (!kind.empty()) return kind;
  for (const ir::Value& route : setting(view.migration(), "target.MtaRoute.kinds").items()) {
    if (route["name"].string_or("") == name) return route["kind"].string_or("");
  }
  if (name == "mx") return "Mx";
  return name == "local" ? "Local" : "";
}

/// The host that a route of the target hands mail to; empty: none, or nobody knows.
std::string_view relay_of_route(const GraphView& view, std::string_view name) {
  for (const TargetWrite& write : view.writes()) {
    if (write.object == "MtaRoute" && write.match["name"].string_or("") == name &&
        write.set["address"].is_string())
      return write.set["address"].as_string();
  }
  for (const ir::Value& route : setting(view.migration(), "target.MtaRoute.kinds").items()) {
    if (route["name"].string_or("") == name) return route["address"].string_or("");
  }
  return {};
}

void look_at_source(const GraphView& view, Sink& sink) {
  for (const char* name : {"source.relayhost", "source.sender_dependent_relayhost_maps"}) {
    const std::string_view relay = setting(view.migration(), name).string_or("");
    const std::string_view route = quoted(route_of_others(view));
    // What the target computes, or a route that nobody knows, was somebody's decision.
    if (relay.empty() || kind_of_route(view, route) != "Mx") continue;
    sink.report(Kind::outgoing_relay_lost, view.plan().place("source"),
                fmt::format("the source sends mail to others over `{}` (`{}`), the target to "
                            "their MX",
                            printable(relay, 120), std::string_view(name).substr(7)))
        .label("those who have moved send another way than before")
        .help(
            "make the relay a route of the target and the `else` of its route expression before "
            "the first wave, and run `plan fetch`: the procedure keeps it")
        .help(
            "or make sure that the target may send to port 25 everywhere, that its address has a "
            "reverse name and stands in the domains' SPF records");
    return;
  }
}

}  // namespace

void outgoing_relay_lost(const GraphView& view, Sink& sink) {
  look_at_source(view, sink);
  const std::string_view before =
      quoted(setting(view.migration(), "target.MtaOutboundStrategy.route")["else"].string_or(""));
  const std::string_view kind = kind_of_route(view, before);
  if (before.empty() || kind == "Mx" || kind == "Local") return;
  const std::string_view relay = relay_of_route(view, before);
  for (const TargetWrite& write : view.writes()) {
    if (write.object != "MtaOutboundStrategy" || !write.set["route"]["else"].is_string()) continue;
    const auto results = results_of(write.set["route"]);
    if (std::any_of(results.begin(), results.end(), [&](std::string_view result) {
          const std::string_view name = quoted(result);
          // The same relay under another name is no loss.
          return name == before ||
                 (!relay.empty() && !name.empty() && relay_of_route(view, name) == relay);
        }))
      continue;
    report_write(view, write, Kind::outgoing_relay_lost,
                 fmt::format("takes route `{}` away from mail to others, which goes over it today",
                             printable(before, 60)),
                 sink)
        .label("it would go to the public MX")
        .help(fmt::format("write `else: \"'{}'\"`; `prior.route_else` and `prior.route_arms` are "
                          "what the target has",
                          printable(before, 60)));
  }
}

}  // namespace plan::check::rules
