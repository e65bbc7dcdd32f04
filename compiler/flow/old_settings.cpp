// What the settings that a plan writes at an old Stalwart do to mail
// (reference/stalwart-v015-api.md 9.3): routes, the route expression, and the keys of lookup lists.
#include <algorithm>
#include <string>

#include <fmt/format.h>

#include "compiler/flow/states.h"
#include "compiler/schema/old_route.h"
#include "compiler/source/text.h"

namespace plan::flow {
namespace {

using ir::StepKind;

constexpr std::string_view kRoutes = "queue.route.";
constexpr std::string_view kLists = "lookup.";

[[nodiscard]] bool is_expression(const ir::Value& block) {
  return block["key"].string_or("") == schema::kOldRoute;
}

/// The expression itself, or one line of it: "queue.strategy.route.0.if".
[[nodiscard]] bool is_of_expression(std::string_view key) {
  constexpr std::string_view kRoute = schema::kOldRoute;
  return key.starts_with(kRoute) && (key.size() == kRoute.size() || key[kRoute.size()] == '.');
}

}  // namespace

std::optional<ListKey> list_key_of(std::string_view setting) {
  if (!setting.starts_with(kLists)) return std::nullopt;
  setting.remove_prefix(kLists.size());
  const std::size_t dot = setting.find('.');
  // `-` is there so that the list is never empty.
  if (dot == std::string_view::npos || setting.substr(dot + 1) == "-") return std::nullopt;
  return ListKey{setting.substr(0, dot), setting.substr(dot + 1)};
}

bool decides_route(const ir::Value& arguments) {
  const ir::Value& blocks = arguments["blocks"];
  const ir::Value& values = arguments["values"];
  return !arguments["list"].string_or("").empty() ||
         std::any_of(blocks.items().begin(), blocks.items().end(), is_expression) ||
         std::any_of(values.items().begin(), values.items().end(), [](const ir::Value& one) {
           const std::string_view key = one["key"].string_or("");
           return key.starts_with(kRoutes) || key.starts_with(kLists) || is_of_expression(key);
         });
}

bool AccountStates::is_from_old_stalwart() const {
  bool is_old = false;
  for (const Relevant& step : steps_) {
    if (step.kind == StepKind::postfix_hold || step.kind == StepKind::postfix_forward) return false;
    is_old = is_old || step.kind == StepKind::source_hold ||
             step.kind == StepKind::source_forward || step.kind == StepKind::source_settings;
  }
  return is_old;
}

void AccountStates::add_old_stalwart(World& world) const {
  OldStalwart& server = world.source.stalwart.emplace();
  for (const Relevant& step : steps_) {
    if (step.kind == StepKind::source_forward)
      server.next_hop = step.arguments["next_hop"].string_or("");
  }
}

void AccountStates::add_to_list(World& world, const ir::Value& list, const ir::Value& keys) {
  if (!world.source.stalwart) return;  // a step for another kind of source, which a rule refuses
  auto& names = world.source.stalwart->lists[std::string(list.string_or(""))];
  for (const ir::Value& key : keys.items()) names.emplace(key.string_or(""));
}

bool AccountStates::add_settings(World& world, const Relevant& step, std::string* problem) const {
  if (!world.source.stalwart) return true;  // beside a Postfix, which is the source
  OldStalwart& server = *world.source.stalwart;
  const Span origin = graph_.origin(step.step);
  for (const ir::Value& one : step.arguments["values"].items()) {
    std::string_view key = one["key"].string_or("");
    if (is_of_expression(key)) {
      // It would be mixed with the lines that are there, which nobody has measured.
      *problem = fmt::format(
          "`{}` is written as a single setting; write the whole expression as one of `blocks`",
          printable(key, 120));
      return false;
    }
    // Used from the next reload of the lists on, whoever's it is.
    if (const auto written = list_key_of(key)) {
      server.lists[std::string(written->list)].emplace(written->key);
      world.origins[fmt::format("transport {}", written->key)] = origin;
    }
    if (!key.starts_with(kRoutes)) continue;
    key.remove_prefix(kRoutes.size());
    const std::size_t dot = key.find('.');
    if (dot == std::string_view::npos) continue;
    const std::string name(key.substr(0, dot));
    const std::string_view member = key.substr(dot + 1);
    const std::string value(one["value"].string_or(""));
    const auto [known, is_new] = server.routes.try_emplace(name);
    OldRoute& route = known->second;
    if (is_new) route.is_tls_at_once = true;
    if (member == "type") route.type = value;
    if (member == "address") route.address = value;
    if (member == "port") route.port = value;
    if (member == "tls.implicit") route.is_tls_at_once = trim(value) != "false";
    world.origins["old route " + name] = origin;
  }
  for (const ir::Value& block : step.arguments["blocks"].items()) {
    if (!is_expression(block)) continue;
    auto& known = all_.expression(step.step);
    if (known == nullptr) {
      auto parsed = schema::parse_old_route(block);
      if (!parsed) {
        *problem = parsed.error().message();
        return false;
      }
      known = std::make_shared<const schema::MtaContainer>(std::move(*parsed));
    }
    server.route = known;
    world.origins["old route expression"] = origin;
  }
  if (!step.arguments["list"].string_or("").empty())
    add_to_list(world, step.arguments["list"], step.arguments["members"]);
  return true;
}

void AccountStates::place_restored(World& world, const Relevant& step) const {
  const Relevant& of = steps_[static_cast<std::size_t>(step.restores)];
  if (of.kind != StepKind::source_settings || !world.source.stalwart) return;
  // What another step has written since is that one's.
  const Span origin = graph_.origin(step.step);
  for (const ir::Value& block : of.arguments["blocks"].items()) {
    if (is_expression(block)) world.origins.try_emplace("old route expression", origin);
  }
  for (const ir::Value& one : of.arguments["values"].items()) {
    std::string_view key = one["key"].string_or("");
    if (!key.starts_with(kRoutes)) continue;
    key.remove_prefix(kRoutes.size());
    world.origins.try_emplace(fmt::format("old route {}", key.substr(0, key.find('.'))), origin);
  }
}

}  // namespace plan::flow
