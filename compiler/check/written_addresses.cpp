#include "compiler/check/written_addresses.h"

#include <map>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"

namespace plan::check {
namespace {

class Reader {
 public:
  explicit Reader(const GraphView& view) {
    for (const TargetWrite& write : view.writes()) {
      if (write.object == "Domain" && write.match["name"].is_string())
        domains_.emplace(view.graph().id(write.step), write.match["name"].as_string());
    }
  }

  void take(const TargetWrite& write, std::vector<WrittenAddress>& addresses) const {
    const ir::Value& name = member(write, "name");
    const ir::Value& domain = member(write, "domainId");
    WrittenAddress address;
    address.write = &write;
    address.object = write.object + " " +
                     (write.match.is_map() ? ir::canonical_json(write.match) : std::string());
    const std::string_view found_by = trim(write.match["emailAddress"].string_or(""));
    const std::size_t at = found_by.rfind('@');
    if (!name.string_or("").empty()) {
      put_domain(domain, address);
      address.local = lower_ascii(name.as_string());
      address.is_given =
          write.is_upsert || !write.set["name"].is_null() || !write.set["domainId"].is_null();
      if (address.is_domain_known) address.own = address.text();
      addresses.push_back(address);
    } else if (at != std::string_view::npos) {
      address.local = lower_ascii(found_by.substr(0, at));
      address.domain = lower_ascii(found_by.substr(at + 1));
      address.is_domain_known = true;
      address.is_given = write.is_upsert;
      address.own = address.text();
      addresses.push_back(address);
    }
    address.is_alias = true;
    address.is_given = true;
    const auto take_alias = [&](const ir::Value& alias) {
      if (alias["name"].string_or("").empty()) return;
      put_domain(alias["domainId"], address);
      address.local = lower_ascii(alias["name"].as_string());
      addresses.push_back(address);
    };
    for (const auto& [number, alias] : write.set["aliases"].members()) take_alias(alias);
    for (const ir::Value& alias : write.set["aliases"].items()) take_alias(alias);
  }

 private:
  static const ir::Value& member(const TargetWrite& write, const char* name) {
    return write.set[name].is_null() ? write.match[name] : write.set[name];
  }

  void put_domain(const ir::Value& id, WrittenAddress& address) const {
    address.is_domain_known = false;
    if (id.is_output()) {
      const auto found = domains_.find(id.as_output().step);
      address.is_domain_known = found != domains_.end();
      address.domain = address.is_domain_known ? lower_ascii(found->second) : id.as_output().step;
      return;
    }
    address.domain = std::string(id.string_or(""));
  }

  std::map<std::string, std::string> domains_ = {};  ///< by the step that makes it
};

/// A step that finds an object by its address writes the one that others find by name and domain.
void join_objects(std::vector<WrittenAddress>& addresses) {
  const auto is_found_by_address = [](const WrittenAddress& one) {
    return one.write->match["emailAddress"].is_string();
  };
  std::map<std::string, std::string> objects;  // by type and address
  const auto key_of = [](const WrittenAddress& one) { return one.write->object + " " + one.own; };
  for (const WrittenAddress& one : addresses) {
    if (!one.is_alias && !one.own.empty() && !is_found_by_address(one))
      objects.emplace(key_of(one), one.object);
  }
  for (WrittenAddress& one : addresses) {
    if (one.own.empty() || !is_found_by_address(one)) continue;
    const auto known = objects.find(key_of(one));
    if (known != objects.end()) one.object = known->second;
  }
}

}  // namespace

std::vector<WrittenAddress> written_addresses(const GraphView& view) {
  std::vector<WrittenAddress> addresses;
  const Reader reader(view);
  for (const TargetWrite& write : view.writes()) {
    if (write.object == "Account" || write.object == "MailingList") reader.take(write, addresses);
  }
  join_objects(addresses);
  return addresses;
}

}  // namespace plan::check
