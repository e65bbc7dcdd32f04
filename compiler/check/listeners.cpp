#include "compiler/check/listeners.h"

#include <charconv>

#include "compiler/check/graph_view.h"
#include "compiler/check/rules.h"
#include "compiler/schema/formats.h"
#include "compiler/source/text.h"

namespace plan::check {
namespace {

constexpr std::size_t kListenersMax = 1'000;
constexpr std::string_view kBindPointer = "bind/";

/// 0: no port.
std::int64_t port_in(std::string_view address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string_view::npos) return 0;
  const std::string_view digits = address.substr(colon + 1);
  std::int64_t port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  const bool is_whole = error == std::errc() && end == digits.data() + digits.size();
  return is_whole && port > 0 && port <= 65'535 ? port : 0;
}

}  // namespace

BindChange bind_change(const ir::Value& set) {
  BindChange change;
  const auto take = [](std::string_view text, std::vector<Bound>& bound) {
    if (const std::int64_t port = port_in(text); port != 0)
      bound.push_back({text.substr(0, text.rfind(':')), port});
  };
  const ir::Value& bind = set["bind"];
  change.is_whole = !bind.is_null();
  for (const std::string_view text : members_of(bind)) take(text, change.opened);
  for (const auto& [key, value] : set.members()) {
    std::string_view pointer = key;
    if (pointer.starts_with('/')) pointer.remove_prefix(1);
    if (!pointer.starts_with(kBindPointer)) continue;
    pointer.remove_prefix(kBindPointer.size());
    take(pointer, value.bool_or(false) ? change.opened : change.closed);
  }
  return change;
}

std::vector<std::int64_t> opened_ports(const ir::Value& set) {
  std::vector<std::int64_t> ports;
  for (const Bound& bound : bind_change(set).opened) ports.push_back(bound.port);
  return ports;
}

bool is_same_door(std::string_view address, std::string_view other) {
  const auto takes = [](std::string_view left, std::string_view right) {
    return left.empty() || left == "[::]" ||
           (left == "0.0.0.0" && right.find(':') == std::string_view::npos);
  };
  return schema::is_same_host(address, other) || takes(address, other) || takes(other, address);
}

std::vector<Listener> made_listeners(const ir::StepGraph& graph) {
  std::vector<Listener> made;
  for (std::size_t i = 0; i < graph.size() && made.size() < kListenersMax; ++i) {
    const auto step = static_cast<ir::StepId>(i);
    if (graph.kind(step) != ir::StepKind::admin_upsert) continue;
    // The type is of the shape: accounts have very many steps, and are none of this kind.
    const std::string_view object = graph.shape(step).arguments["object"].string_or("");
    if (object_type(object) != "NetworkListener") continue;
    const ir::Value arguments = graph.arguments(step);
    const ir::Value& protocol = arguments["set"]["protocol"];
    for (const std::int64_t port : opened_ports(arguments["set"]))
      made.push_back({std::string(protocol.string_or("smtp")), port});
  }
  return made;
}

std::vector<std::string> spared_networks(const ir::StepGraph& graph) {
  std::vector<std::string> networks;
  std::vector<std::size_t> seen(graph.shapes().size());
  for (std::size_t i = 0; i < graph.size(); ++i) {
    const auto step = static_cast<ir::StepId>(i);
    const ir::StepKind kind = graph.kind(step);
    if (kind != ir::StepKind::admin_upsert && kind != ir::StepKind::admin_update) continue;
    // The type is of the shape: accounts have very many steps, and are none of these kinds.
    const std::string_view object =
        object_type(graph.shape(step).arguments["object"].string_or(""));
    const bool is_allowed = object == "AllowedIp";
    if (!is_allowed && object != "SystemSettings") continue;
    const auto shape = static_cast<std::size_t>(&graph.shape(step) - graph.shapes().data());
    if (seen[shape]++ >= kListenersMax) continue;
    const ir::Value arguments = graph.arguments(step);
    const ir::Value& set = arguments["set"];
    if (is_allowed) {
      const ir::Value& address =
          set["address"].is_null() ? arguments["match"]["address"] : set["address"];
      networks.emplace_back(address.string_or(""));
    } else {
      for (const std::string_view network : members_of(set["proxyTrustedNetworks"]))
        networks.emplace_back(network);
    }
  }
  return networks;
}

std::vector<Listener> listeners_of_target(const Migration& migration) {
  std::vector<Listener> all;
  const ir::Value& seen = rules::setting(migration, "target.NetworkListener.bind");
  for (const ir::Value& listener : seen.items())
    all.push_back(
        {std::string(listener["protocol"].string_or("")), listener["port"].integer_or(0)});
  if (!all.empty())
    all.insert(all.end(), migration.made_listeners.begin(), migration.made_listeners.end());
  return all;
}

}  // namespace plan::check
