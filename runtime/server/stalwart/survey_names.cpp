#include "runtime/server/stalwart/survey_names.h"

#include <algorithm>
#include <array>
#include <vector>

#include <fmt/format.h>

#include "compiler/source/text.h"

namespace plan::server::stalwart {
namespace {

using ir::Value;

/// Referrers of one object that are named; more are counted.
constexpr std::size_t kNamedMax = 3;

struct Member {
  std::string_view name = {};
  std::string_view type = {};  ///< of the object whose id it holds
};
constexpr std::array<Member, 9> kMembers = {{{"acmeProviderId", "AcmeProvider"},
                                             {"defaultAdminRoleIds", "Role"},
                                             {"defaultCertificateId", "Certificate"},
                                             {"defaultGroupRoleIds", "Role"},
                                             {"defaultTenantRoleIds", "Role"},
                                             {"defaultUserRoleIds", "Role"},
                                             {"directoryId", "Directory"},
                                             {"dnsServerId", "DnsServer"},
                                             {"queueId", "MtaVirtualQueue"}}};

std::string_view type_of(std::string_view member) {
  if (member == "roleIds") return "Role";
  const auto found = std::find_if(kMembers.begin(), kMembers.end(),
                                  [&](const Member& known) { return known.name == member; });
  return found == kMembers.end() ? std::string_view() : found->type;
}

/// The ids in `object`, with the types of what they are of.
void collect(const Value& object, std::set<std::pair<std::string, std::string>>& ids) {
  for (const auto& [name, value] : object.members()) {
    const std::string_view type = type_of(name);
    if (type.empty()) {
      collect(value, ids);
    } else if (value.is_string()) {
      ids.emplace(type, value.as_string());
    } else {
      for (const auto& [id, is_member] : value.members()) ids.emplace(type, id);
    }
  }
}

std::string name_of(const Value& object) {
  for (const char* member : {"name", "description"}) {
    if (object[member].is_string()) return object[member].as_string();
  }
  return {};
}

Value sorted_list(const std::set<std::string>& texts) {
  Value list = Value::list();
  for (const std::string& text : texts) list.push_back(text);
  return list;
}

/// In the order of their text, so that the same target gives the same lock.
Value sorted_list(std::map<std::string, Value> values) {
  Value list = Value::list();
  for (auto& [key, value] : values) list.push_back(std::move(value));
  return list;
}

class Names {
 public:
  Names(Registry& registry, LinkSurvey& links,
        const std::function<void(const std::string&, const Error&)>& could_not, Value& settings)
      : registry_(registry), links_(links), could_not_(could_not), settings_(settings) {}

  void add() {
    add_routes();
    for (const char* type : {"MtaDeliverySchedule", "MtaTlsStrategy", "MtaConnectionStrategy"})
      add_list(type, [](const Value&) { return true; });
    // A script that is not active is not loaded.
    add_list("SieveSystemScript",
             [](const Value& script) { return script["isActive"].bool_or(false); });
    add_roles();
    add_tenants();
    add_providers();
    for (const char* type : {"MtaVirtualQueue", "Directory", "DnsServer", "Certificate"})
      each(type, "name", [](const Value&) {});
    for (const char* type : {"Authentication", "SystemSettings"}) {
      auto object = registry_.singleton(type);
      if (object && object->is_map())
        links_.take(type, "", *object);
      else if (!object)
        could_not_(fmt::format("target/setting/{}", type), object.error());
    }
    if (is_whole_) settings_.set("links", links_.as_list(names_));
  }

 private:
  /// Calls `take` for every object of the type, and remembers names and references.
  template <typename Take>
  bool each(const char* type, const char* member, Take take) {
    auto objects = registry_.all(type);
    if (!objects) {
      could_not_(fmt::format("target/setting/{}.{}", type, member), objects.error());
      is_whole_ = false;
      return false;
    }
    for (const Value& object : *objects) {
      const std::string name = name_of(object);
      names_[{type, std::string(object["id"].string_or(""))}] = name;
      links_.take(type, name, object);
      take(object);
    }
    return true;
  }

  template <typename Has>
  void add_list(const char* type, Has has) {
    std::set<std::string> names;
    if (each(type, "name", [&](const Value& object) {
          if (has(object)) names.insert(name_of(object));
        }))
      settings_.set(fmt::format("{}.name", type), sorted_list(names));
  }

  void add_routes() {
    std::set<std::string> names;
    std::map<std::string, Value> kinds;
    if (!each("MtaRoute", "name", [&](const Value& route) {
          const std::string name = name_of(route);
          names.insert(name);
          kinds[name] = Value::map({{"name", name},
                                    {"kind", std::string(route["@type"].string_or(""))},
                                    {"address", std::string(route["address"].string_or(""))}});
        }))
      return;
    settings_.set("MtaRoute.name", sorted_list(names));
    settings_.set("MtaRoute.kinds", sorted_list(std::move(kinds)));
  }

  void add_roles() {
    std::map<std::string, Value> roles;
    if (each("Role", "roleIds", [&](const Value& role) {
          std::set<std::string> inner;
          for (const auto& [id, is_member] : role["roleIds"].members()) inner.insert(id);
          const std::string id(role["id"].string_or(""));
          roles[id] = Value::map({{"id", id},
                                  {"description", name_of(role)},
                                  {"roles", sorted_list(inner)},
                                  {"tenant", std::string(role["memberTenantId"].string_or(""))}});
        }))
      settings_.set("Role.roleIds", sorted_list(std::move(roles)));
  }

  void add_tenants() {
    std::map<std::string, Value> tenants;
    if (each("Tenant", "name", [&](const Value& tenant) {
          const std::string id(tenant["id"].string_or(""));
          tenants[id] = Value::map({{"id", id}, {"name", name_of(tenant)}});
        }))
      settings_.set("Tenant.name", sorted_list(std::move(tenants)));
  }

  void add_providers() {
    std::map<std::string, Value> providers;
    if (each("AcmeProvider", "challengeType", [&](const Value& provider) {
          const std::string id(provider["id"].string_or(""));
          providers[id] = Value::map(
              {{"id", id}, {"challenge", std::string(provider["challengeType"].string_or(""))}});
        }))
      settings_.set("AcmeProvider.challengeType", sorted_list(std::move(providers)));
  }

  Registry& registry_;
  LinkSurvey& links_;
  const std::function<void(const std::string&, const Error&)>& could_not_;
  Value& settings_;
  LinkSurvey::Names names_ = {};
  bool is_whole_ = true;
};

}  // namespace

void LinkSurvey::take(std::string_view type, std::string_view name, const Value& object) {
  std::set<std::pair<std::string, std::string>> ids;
  collect(object, ids);
  for (const auto& id : ids) {
    Referrers& referrers = by_object_[id];
    ++referrers.count;
    referrers.first.emplace(type, name);
    if (referrers.first.size() > kNamedMax) referrers.first.erase(std::prev(referrers.first.end()));
  }
}

Value LinkSurvey::as_list(const Names& names) const {
  Value list = Value::list();
  for (const auto& [object, referrers] : by_object_) {
    const auto name = names.find(object);
    if (name == names.end()) continue;
    Value by = Value::list();
    for (const auto& [type, called] : referrers.first)
      by.push_back(Value::map({{"object", type}, {"name", called}}));
    list.push_back(Value::map({{"object", object.first},
                               {"name", name->second},
                               {"by", std::move(by)},
                               {"count", referrers.count}}));
  }
  return list;
}

void add_names(Registry& registry, LinkSurvey& links,
               const std::function<void(const std::string&, const Error&)>& could_not,
               Value& settings) {
  Names(registry, links, could_not, settings).add();
}

}  // namespace plan::server::stalwart
