#include "runtime/rehearsal/registry_store.h"

#include <algorithm>
#include <array>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/rehearsal/ids.h"

namespace plan::rehearsal {
namespace {

// reference/stalwart-admin.md 1.9 and 4.3
constexpr std::array<std::string_view, 6> kCountedTypes = {
    "x:Domain", "x:Account", "x:MailingList", "x:Role", "x:Tenant", "x:OAuthClient"};
constexpr std::array<std::string_view, 2> kCountedFromZero = {"x:MtaVirtualQueue",
                                                              "x:MtaDeliverySchedule"};

struct UniqueProperties {
  std::string_view type;
  std::array<std::string_view, 2> properties;
};
constexpr std::array<UniqueProperties, 22> kUnique = {
    {{"x:Domain", {"name", ""}},
     {"x:AllowedIp", {"address", ""}},
     {"x:BlockedIp", {"address", ""}},
     {"x:MtaRoute", {"name", ""}},
     {"x:MtaConnectionStrategy", {"name", ""}},
     {"x:MtaTlsStrategy", {"name", ""}},
     {"x:MtaVirtualQueue", {"name", ""}},
     {"x:MtaDeliverySchedule", {"name", ""}},
     {"x:NetworkListener", {"name", ""}},
     {"x:ClusterRole", {"name", ""}},
     {"x:SieveSystemScript", {"name", ""}},
     {"x:SieveUserScript", {"name", ""}},
     {"x:SpamRule", {"name", ""}},
     {"x:SpamDnsblServer", {"name", ""}},
     {"x:OAuthClient", {"clientId", ""}},
     {"x:MemoryLookupKey", {"namespace", "key"}},
     {"x:MemoryLookupKeyValue", {"namespace", "key"}},
     {"x:StoreLookup", {"namespace", ""}},
     {"x:HttpLookup", {"namespace", ""}},
     {"x:EventTracingLevel", {"event", ""}},
     {"x:SpamTag", {"tag", ""}},
     {"x:SpamFileExtension", {"extension", ""}}}};

std::string storage_key(std::string_view type, std::uint64_t id) {
  return "r/" + std::string(type) + "/" + encode_id(id);
}

const Objects kNoObjects = {};

}  // namespace

void RegistryStore::load() {
  storage_->scan("r/", [this](std::string_view rest, const ir::Value& object) {
    const std::size_t slash = rest.rfind('/');
    if (slash == std::string_view::npos) return;
    const std::string type(rest.substr(0, slash));
    const auto id = parse_id(rest.substr(slash + 1));
    if (!id) return;
    types_[type][*id] = object;
    index(type, *id, object, true);
  });
  storage_->scan("n/", [this](std::string_view rest, const ir::Value& value) {
    counters_[std::string(rest)] = static_cast<std::uint64_t>(value.integer_or(0));
  });
}

const Objects& RegistryStore::all(std::string_view type) const {
  const auto found = types_.find(type);
  return found == types_.end() ? kNoObjects : found->second;
}

const ir::Value* RegistryStore::find(std::string_view type, std::uint64_t id) const {
  const Objects& objects = all(type);
  const auto found = objects.find(id);
  return found == objects.end() ? nullptr : &found->second;
}

void RegistryStore::put(const std::string& type, std::uint64_t id, ir::Value object) {
  ++generation_;
  ir::Value& stored = types_[type][id];
  if (!stored.is_null()) index(type, id, stored, false);
  stored = std::move(object);
  index(type, id, stored, true);
  storage_->put(storage_key(type, id), stored);
}

void RegistryStore::remove(const std::string& type, std::uint64_t id) {
  const auto objects = types_.find(type);
  if (objects == types_.end()) return;
  const auto found = objects->second.find(id);
  if (found == objects->second.end()) return;
  ++generation_;
  index(type, id, found->second, false);
  objects->second.erase(found);
  storage_->remove(storage_key(type, id));
}

std::uint64_t RegistryStore::next_id(const std::string& type) {
  const bool is_counted =
      std::find(kCountedTypes.begin(), kCountedTypes.end(), type) != kCountedTypes.end();
  const bool from_zero =
      std::find(kCountedFromZero.begin(), kCountedFromZero.end(), type) != kCountedFromZero.end();
  if (is_counted || from_zero || type.find('/') != std::string::npos) {
    std::uint64_t& counter = counters_[type];
    if (counter == 0 && is_counted) counter = 1;
    const std::uint64_t id = counter++;
    storage_->put("n/" + type, counter);
    return id;
  }
  // Milliseconds in the upper bits, so that ids ascend with time: twelve letters, as the real ones.
  const std::uint64_t now = static_cast<std::uint64_t>(clock_->wall_ms()) << 18U;
  last_time_id_ = std::max(now, last_time_id_ + 16);
  return last_time_id_;
}

std::string RegistryStore::address_key(std::string_view local_part, std::uint64_t domain) {
  return "email\n" + std::to_string(domain) + "\n" + std::string(local_part);
}

std::vector<RegistryStore::Key> RegistryStore::keys_of(std::string_view type,
                                                       const ir::Value& object) {
  std::vector<Key> keys;
  if (type == "x:Account" || type == "x:MailingList") {
    const auto add = [&keys](const ir::Value& name, const ir::Value& domain) {
      const auto number = parse_id(domain.string_or("a"));
      keys.push_back({"email", address_key(name.string_or(""), number.value_or(0))});
    };
    add(object["name"], object["domainId"]);
    for (const auto& [position, alias] : object["aliases"].members())
      add(alias["name"], alias["domainId"]);
    return keys;
  }
  for (const UniqueProperties& each : kUnique) {
    if (each.type != type || type.empty()) continue;
    std::string text(type);
    for (const std::string_view property : each.properties) {
      if (property.empty()) continue;
      text += '\n';
      text += object[property].is_string() ? std::string(object[property].string_or(""))
                                           : ir::write_json(object[property]);
    }
    keys.push_back({std::string(each.properties[0]), std::move(text)});
  }
  return keys;
}

const KeyOwner* RegistryStore::owner_of(const std::string& key) const {
  const auto found = keys_.find(key);
  return found == keys_.end() ? nullptr : &found->second;
}

std::optional<std::uint64_t> RegistryStore::domain_by_name(std::string_view name) const {
  const auto found = domains_.find(std::string(name));
  if (found == domains_.end()) return std::nullopt;
  return found->second;
}

void RegistryStore::index(std::string_view type, std::uint64_t id, const ir::Value& object,
                          bool is_added) {
  for (const Key& key : keys_of(type, object)) {
    if (is_added) {
      keys_[key.text] = {std::string(type), id};
    } else if (const auto found = keys_.find(key.text);
               found != keys_.end() && found->second.id == id && found->second.type == type) {
      keys_.erase(found);
    }
  }
  if (type != "x:Domain") return;
  std::vector<std::string> names = {std::string(object["name"].string_or(""))};
  for (const auto& [alias, is_member] : object["aliases"].members()) names.push_back(alias);
  for (const std::string& name : names) {
    if (is_added) {
      domains_.emplace(name, id);
      continue;
    }
    const auto [begin, end] = domains_.equal_range(name);
    for (auto it = begin; it != end; ++it) {
      if (it->second != id) continue;
      domains_.erase(it);
      break;
    }
  }
}

}  // namespace plan::rehearsal
