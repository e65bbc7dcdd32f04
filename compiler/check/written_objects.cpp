#include "compiler/check/written_objects.h"

#include <algorithm>
#include <array>

#include "compiler/ir/json.h"

namespace plan::check {
namespace {

struct Named {
  std::string_view member = {};
  std::string_view type = {};
};

/// Members that hold ids, in whatever object they stand.
constexpr std::array<Named, 15> kReferences = {{{"acmeProviderId", "AcmeProvider"},
                                                {"defaultAdminRoleIds", "Role"},
                                                {"defaultCertificateId", "Certificate"},
                                                {"defaultDomainId", "Domain"},
                                                {"defaultGroupRoleIds", "Role"},
                                                {"defaultTenantRoleIds", "Role"},
                                                {"defaultUserRoleIds", "Role"},
                                                {"directoryId", "Directory"},
                                                {"dnsServerId", "DnsServer"},
                                                {"domainId", "Domain"},
                                                {"listenerIds", "NetworkListener"},
                                                {"memberGroupIds", "Account"},
                                                {"memberTenantId", "Tenant"},
                                                {"queueId", "MtaVirtualQueue"},
                                                {"roleIds", "Role"}}};

const Named* named(std::string_view member) {
  const auto found = std::find_if(kReferences.begin(), kReferences.end(),
                                  [&](const Named& known) { return known.member == member; });
  return found == kReferences.end() ? nullptr : &*found;
}

std::string key_of(std::string_view type, const ir::Value& match) {
  return std::string(type) + "\n" + (match.is_map() ? ir::canonical_json(match) : std::string());
}

std::string_view type_of(std::string_view object) { return object.substr(0, object.find('/')); }

void take(const Named& reference, const ir::Value& value, std::vector<Reference>& references) {
  const auto take_one = [&](const ir::Value& id) {
    if (id.is_output()) {
      references.push_back({reference.member, reference.type, id.as_output().step, {}});
    } else if (id.is_string()) {
      references.push_back({reference.member, reference.type, {}, id.as_string()});
    }
  };
  take_one(value);
  for (const ir::Value& id : value.items()) take_one(id);
  for (const auto& [id, is_member] : value.members())
    references.push_back({reference.member, reference.type, {}, id});
}

void collect(const ir::Value& value, std::vector<Reference>& references) {
  for (const ir::Value& item : value.items()) collect(item, references);
  for (const auto& [name, member] : value.members()) {
    if (const Named* reference = named(name); reference != nullptr)
      take(*reference, member, references);
    else
      collect(member, references);
  }
}

}  // namespace

const ir::Value& WrittenObject::member(std::string_view member) const {
  static const ir::Value kNone;
  for (auto write = writes.rbegin(); write != writes.rend(); ++write) {
    const ir::Value& value = (*write)->set[member];
    if (!value.is_null()) return value;
  }
  return match.is_map() ? match[member] : kNone;
}

std::string WrittenObject::name() const {
  for (const char* member : {"name", "description"}) {
    if (match.is_map() && match[member].is_string()) return match[member].as_string();
  }
  return type;
}

WrittenObjects::WrittenObjects(const GraphView& view) {
  const std::vector<std::size_t> places = places_in_order(view.graph());
  std::vector<const TargetWrite*> writes;
  writes.reserve(view.writes().size());
  for (const TargetWrite& write : view.writes()) writes.push_back(&write);
  std::stable_sort(writes.begin(), writes.end(), [&](const auto* left, const auto* right) {
    return places[ir::index(left->step)] < places[ir::index(right->step)];
  });
  for (const TargetWrite* write : writes) {
    const std::string_view type = type_of(write->object);
    const auto [entry, is_new] = by_match_.emplace(key_of(type, write->match), objects_.size());
    if (is_new) objects_.push_back({std::string(type), write->match, {}, false});
    WrittenObject& object = objects_[entry->second];
    object.writes.push_back(write);
    object.is_made = object.is_made || write->is_upsert;
    by_step_.emplace(view.graph().id(write->step), entry->second);
  }
}

const WrittenObject* WrittenObjects::by_step(std::string_view step) const {
  const auto found = by_step_.find(step);
  return found == by_step_.end() ? nullptr : &objects_[found->second];
}

const WrittenObject* WrittenObjects::find(std::string_view type, const ir::Value& match) const {
  const auto found = by_match_.find(key_of(type_of(type), match));
  return found == by_match_.end() ? nullptr : &objects_[found->second];
}

std::vector<Reference> references_in(const ir::Value& value) {
  std::vector<Reference> references;
  collect(value, references);
  return references;
}

std::vector<Reference> references_of(const TargetWrite& write) {
  std::vector<Reference> references = references_in(write.set);
  collect(write.match, references);
  return references;
}

std::vector<std::size_t> places_in_order(const ir::StepGraph& graph) {
  std::vector<std::size_t> places(graph.size());
  for (std::size_t i = 0; i < graph.order().size(); ++i) places[ir::index(graph.order()[i])] = i;
  return places;
}

}  // namespace plan::check
