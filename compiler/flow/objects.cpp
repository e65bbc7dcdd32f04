// What the objects that a plan writes on the target do to mail (reference/stalwart-admin.md,
// reference/split-delivery.md section 4).
#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "compiler/flow/mail_address.h"
#include "compiler/flow/states.h"
#include "compiler/schema/mta_container.h"
#include "compiler/source/text.h"

namespace plan::flow {
namespace {

using ir::StepId;
using ir::StepKind;

[[nodiscard]] bool is_written(StepKind kind) {
  return kind == StepKind::admin_upsert || kind == StepKind::admin_update;
}

/// The name of the domain that `value`, a reference to a step that makes it, is.
[[nodiscard]] std::string domain_name(const ir::StepGraph& graph, const ir::Value& value) {
  if (value.type() != ir::Value::Type::output) return {};
  const auto step = graph.find(value.as_output().step);
  if (!step) return {};
  const ir::Value arguments = graph.arguments(*step);
  if (!is_object(arguments, "Domain")) return {};
  return lower_ascii(property(arguments, "name").string_or(""));
}

[[nodiscard]] std::string address_in(const ir::StepGraph& graph, const ir::Value& name,
                                     const ir::Value& domain) {
  const std::string domain_text = domain_name(graph, domain);
  const std::string local = lower_ascii(trim(name.string_or("")));
  return local.empty() || domain_text.empty() ? std::string() : local + "@" + domain_text;
}

/// A list may be written as one, or as the map of numbers that it is on the wire.
template <typename Take>
void each_item(const ir::Value& value, Take take) {
  for (const ir::Value& item : value.items()) take(item);
  for (const auto& [unused, item] : value.members()) take(item);
}

/// Does a step write all aliases, and can the address of each be told? Then no other stays.
[[nodiscard]] bool are_aliases_known(const ir::StepGraph& graph, const ir::Value& aliases) {
  bool is_known = aliases.is_list() || aliases.is_map();
  each_item(aliases, [&](const ir::Value& alias) {
    is_known = is_known && !address_in(graph, alias["name"], alias["domainId"]).empty();
  });
  return is_known;
}

/// A set is written as a list, or as the map of its members to true that it is on the wire.
[[nodiscard]] bool is_in_set(const ir::Value& set, std::string_view name) {
  const std::vector<std::string> names = set_members(set);
  return std::find(names.begin(), names.end(), name) != names.end();
}

enum class Grant : std::uint8_t { unsaid, given, taken };

/// What `permissions` of a written object says about one permission.
[[nodiscard]] Grant granted(const ir::Value& permissions, std::string_view name) {
  const std::string_view type = permissions["@type"].string_or("");
  if (type.empty()) return Grant::unsaid;
  if (type == "Inherit") return Grant::given;
  if (is_in_set(permissions["disabledPermissions"], name)) return Grant::taken;
  if (type == "Replace")
    return is_in_set(permissions["enabledPermissions"], name) ? Grant::given : Grant::taken;
  return Grant::given;
}

/// "*@domain" stands for all of it where the object says so; else it is a key that no address is.
[[nodiscard]] bool is_no_pattern(StepKind kind, std::string_view key, const ir::Value& set) {
  if (!key.starts_with("*@")) return false;
  const ir::Value& written = set["isGlobPattern"];
  // What an update does not write stays.
  return written.is_null() ? kind == StepKind::admin_upsert : !written.bool_or(false);
}

void apply(Grant grant, const std::string& address, std::set<std::string>& without) {
  if (grant == Grant::taken) without.insert(address);
  if (grant == Grant::given) without.erase(address);
}

}  // namespace

const ir::Value& property(const ir::Value& arguments, std::string_view name) {
  const ir::Value& match = arguments["match"][name];
  return match.is_null() ? arguments["set"][name] : match;
}

std::vector<std::string> alias_addresses(const ir::StepGraph& graph, const ir::Value& arguments) {
  std::vector<std::string> found;
  each_item(arguments["set"]["aliases"], [&](const ir::Value& alias) {
    std::string address = address_in(graph, alias["name"], alias["domainId"]);
    if (alias["enabled"].bool_or(true) && !address.empty()) found.push_back(std::move(address));
  });
  return found;
}

std::vector<std::string> set_members(const ir::Value& set) {
  std::vector<std::string> names;
  for (const ir::Value& item : set.items()) names.emplace_back(item.string_or(""));
  for (const auto& [name, is_in] : set.members()) {
    if (is_in.bool_or(false)) names.push_back(name);
  }
  return names;
}

std::string object_address(const ir::StepGraph& graph, const ir::Value& arguments) {
  // The server makes it of name and domain: who finds an object by it says both.
  const std::string_view address = trim(arguments["match"]["emailAddress"].string_or(""));
  if (!address.empty()) return lower_ascii(address);
  return address_in(graph, property(arguments, "name"), property(arguments, "domainId"));
}

std::vector<std::string> list_members(const ir::Value& arguments) {
  std::vector<std::string> members = set_members(arguments["set"]["recipients"]);
  for (std::string& member : members) member = lower_ascii(member);
  return members;
}

void AccountStates::add_account_object(World& world, const Relevant& step) const {
  Target& target = world.target;
  const std::string address = object_address(graph_, step.arguments);
  if (address.empty()) return;
  if (step.kind == StepKind::admin_destroy) {
    target.accounts.erase(address);
    std::erase_if(target.aliases, [&](const auto& alias) { return alias.second == address; });
    return;
  }
  if (!is_written(step.kind)) return;
  if (step.kind == StepKind::admin_upsert) {
    target.accounts.insert(address);
    world.origins["account " + address] = graph_.origin(step.step);
  }
  const ir::Value& set = step.arguments["set"];
  if (are_aliases_known(graph_, set["aliases"]))
    std::erase_if(target.aliases, [&](const auto& alias) { return alias.second == address; });
  for (const std::string& alias : alias_addresses(graph_, step.arguments))
    target.aliases[alias] = address;
  apply(granted(set["permissions"], "emailReceive"), address, target.not_receiving);
  apply(granted(set["permissions"], "authenticate"), address, target.not_logging_in);
  // Without a role there is no permission at all.
  if (set["roles"]["@type"].string_or("") == "Custom" &&
      set_members(set["roles"]["roleIds"]).empty()) {
    target.not_receiving.insert(address);
    target.not_logging_in.insert(address);
  }
}

/// What a step does not write stays.
void AccountStates::add_route_object(World& world, const Relevant& step) const {
  const ir::Value& set = step.arguments["set"];
  const std::string name(step.arguments["match"]["name"].string_or(""));
  if (name.empty()) return;
  if (step.kind == StepKind::admin_destroy) {
    world.target.routes.erase(name);
    return;
  }
  TargetRoute& route = world.target.routes[name];
  const Span origin = graph_.origin(step.step);
  world.origins.try_emplace("route " + name, origin);
  const bool is_type_written = set.members().contains("@type");
  const bool is_address_written = set.members().contains("address");
  if (is_type_written || is_address_written) world.origins["route " + name] = origin;
  if (is_type_written) {
    const std::string_view type = set["@type"].string_or("Mx");
    route.kind = type == "Relay"   ? TargetRoute::Kind::relay
                 : type == "Local" ? TargetRoute::Kind::local
                                   : TargetRoute::Kind::mx;
  }
  if (is_address_written) {
    route.address = std::string(set["address"].string_or(""));
    route.is_elsewhere = is_elsewhere(route.address);
  }
}

bool AccountStates::add_domain_object(World& world, const Relevant& step,
                                      std::string* problem) const {
  const ir::Value& set = step.arguments["set"];
  const std::string name = lower_ascii(property(step.arguments, "name").string_or(""));
  if (name.empty()) return true;
  TargetDomain& domain = world.target.domains[name];
  const Span origin = graph_.origin(step.step);
  world.origins.try_emplace("domain " + name, origin);
  for (const std::string_view member : {"allowRelaying", "catchAllAddress", "subAddressing"}) {
    if (set.members().contains(member)) world.origins[fmt::format("{} {}", member, name)] = origin;
  }
  domain.allows_relaying = set["allowRelaying"].bool_or(domain.allows_relaying);
  if (set.members().contains("catchAllAddress")) {
    domain.catch_all = lower_ascii(set["catchAllAddress"].string_or(""));
    // Somebody reads there, and has not moved before this account has.
    if (domains_.contains(domain_of(domain.catch_all)))
      world.source.mailboxes.insert(domain.catch_all);
  }
  return read_tag_rule(step, domain, problem);
}

/// An object that a step finds by something that says no name is nobody's here; a rule says so.
bool AccountStates::add_object(World& world, const Relevant& step, std::string* problem) const {
  Target& target = world.target;
  const Span origin = graph_.origin(step.step);
  const ir::Value& set = step.arguments["set"];
  const ir::Value& match = step.arguments["match"];
  if (is_object(step.arguments, "MemoryLookupKey")) {
    auto& keys = target.keys[std::string(match["namespace"].string_or(""))];
    const std::string key(match["key"].string_or(""));
    if (step.kind == StepKind::admin_destroy || is_no_pattern(step.kind, key, set)) {
      keys.erase(key);
    } else {
      keys.insert(key);
      world.origins["key " + key] = origin;
    }
    return true;
  }
  if (is_object(step.arguments, "MtaRoute")) {
    add_route_object(world, step);
    return true;
  }
  if (is_object(step.arguments, "Account")) {
    add_account_object(world, step);
    return true;
  }
  if (is_object(step.arguments, "MailingList")) {
    const std::string address = object_address(graph_, step.arguments);
    if (address.empty()) return true;
    if (step.kind == StepKind::admin_destroy) {
      target.lists.erase(address);
    } else {
      // An update that says nothing of the recipients leaves them.
      std::vector<std::string>& members = target.lists[address];
      if (set.members().contains("recipients")) members = list_members(step.arguments);
      world.origins["list " + address] = origin;
    }
    return true;
  }
  if (step.kind == StepKind::admin_destroy) return true;
  if (is_object(step.arguments, "Domain")) return add_domain_object(world, step, problem);
  if (is_object(step.arguments, "MtaOutboundStrategy")) {
    if (!set.members().contains("route")) return true;
    world.origins["route expression"] = origin;
    return read_expression(step, "MtaOutboundStrategy", "route", target.route, problem);
  }
  if (is_object(step.arguments, "MtaStageRcpt")) {
    if (!set.members().contains("allowRelaying")) return true;
    world.origins["relay rule"] = origin;
    return read_expression(step, "MtaStageRcpt", "allowRelaying", target.relay_rule, problem);
  }
  if (is_object(step.arguments, "MtaStageAuth")) {
    if (!set.members().contains("require")) return true;
    world.origins["login rule"] = origin;
    return read_expression(step, "MtaStageAuth", "require", target.login_rule, problem);
  }
  return true;
}

/// How the domain takes tags off; what is not written stays.
bool AccountStates::read_tag_rule(const Relevant& step, TargetDomain& domain,
                                  std::string* problem) const {
  const ir::Value& written = step.arguments["set"]["subAddressing"];
  if (!written.is_map()) return true;
  const std::string_view type = written["@type"].string_or("Enabled");
  domain.takes_tags_off = type != "Disabled";
  domain.tag_rule = nullptr;
  if (type != "Custom") return true;
  return read_container(step, written["customRule"],
                        schema::context_of("SubAddressingCustom", "customRule"), domain.tag_rule,
                        problem);
}

bool AccountStates::read_expression(const Relevant& step, std::string_view object,
                                    std::string_view property,
                                    std::shared_ptr<const schema::MtaContainer>& into,
                                    std::string* problem) const {
  return read_container(step, step.arguments["set"][std::string(property)],
                        schema::context_of(object, property), into, problem);
}

bool AccountStates::read_container(const Relevant& step, const ir::Value& container,
                                   const schema::MtaContext& context,
                                   std::shared_ptr<const schema::MtaContainer>& into,
                                   std::string* problem) const {
  if (!container.is_map()) {
    into = nullptr;  // a prior value that only the run knows: the server's default
    return true;
  }
  auto& known = all_.expression(step.step);
  if (known == nullptr) {
    auto parsed = schema::MtaContainer::parse(container, context);
    if (!parsed) {
      *problem = parsed.error().message();
      return false;
    }
    known = std::make_shared<const schema::MtaContainer>(std::move(*parsed));
  }
  into = known;
  return true;
}

}  // namespace plan::flow
