#include "compiler/flow/target_lookups.h"

namespace plan::flow {

decltype(schema::MtaEnvironment::call) lookups_of(const Target& target) {
  return [&target](std::string_view name,
                   const std::vector<ir::Value>& arguments) -> std::optional<ir::Value> {
    const std::string first = arguments.empty() ? "" : schema::text_of(arguments[0]);
    if (name == "is_local_domain") return ir::Value(target.domains.contains(first));
    // Compared exactly: the caller lower-cases, or a sender's capitals take the mail elsewhere.
    if (name == "is_local_address") {
      return ir::Value(target.accounts.contains(first) || target.aliases.contains(first) ||
                       target.lists.contains(first));
    }
    const std::string key = arguments.size() < 2 ? "" : schema::text_of(arguments[1]);
    const bool is_own_set = target.own_sets.contains(first);
    using Answer = std::optional<ir::Value>;
    if (name == "key_get") {
      const auto map = target.key_values.find(first);
      if (map != target.key_values.end()) {
        if (const auto value = map->second.find(key); value != map->second.end())
          return ir::Value(value->second);
      }
      return is_own_set ? Answer() : ir::Value("");
    }
    if (name == "key_exists") {
      if (const auto map = target.key_values.find(first);
          map != target.key_values.end() && map->second.contains(key))
        return ir::Value(true);
      const auto set = target.keys.find(first);
      // An unknown name is no error.
      if (set == target.keys.end()) return is_own_set ? Answer() : ir::Value(false);
      const std::size_t at = key.rfind('@');
      const bool is_glob = at != std::string::npos && set->second.contains("*" + key.substr(at));
      if (is_glob || set->second.contains(key)) return ir::Value(true);
      return is_own_set ? Answer() : ir::Value(false);
    }
    return std::nullopt;
  };
}

}  // namespace plan::flow
