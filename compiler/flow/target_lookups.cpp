#include "compiler/flow/target_lookups.h"

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plan::flow {
namespace {

using Answer = std::optional<ir::Value>;

/// The text that an argument is; `made` keeps what is none.
[[nodiscard]] const std::string& text_at(const std::vector<ir::Value>& arguments, std::size_t i,
                                         std::string& made) {
  if (i < arguments.size() && arguments[i].is_string()) return arguments[i].as_string();
  if (i < arguments.size()) made = schema::text_of(arguments[i]);
  return made;
}

}  // namespace

decltype(schema::MtaEnvironment::call) lookups_of(const Asking& asking) {
  return [&asking](std::string_view name, const std::vector<ir::Value>& arguments) -> Answer {
    const Target& target = asking.world.target;
    std::string made_first;
    const std::string& first = text_at(arguments, 0, made_first);
    if (name == "is_local_domain") {
      const bool is_known = target.domains.contains(first);
      if (!is_known && asks_for_others(asking, Question::Kind::domain, {}, first)) return {};
      return ir::Value(is_known);
    }
    // Compared exactly: the caller lower-cases, or a sender's capitals take the mail elsewhere.
    if (name == "is_local_address") {
      const bool is_known = target.accounts.contains(first) || target.aliases.contains(first) ||
                            target.lists.contains(first);
      if (!is_known && asks_for_others(asking, Question::Kind::account, {}, first)) return {};
      return ir::Value(is_known);
    }
    if (name != "key_get" && name != "key_exists") return {};
    std::string made_key;
    const std::string& key = text_at(arguments, 1, made_key);
    const auto map = target.key_values.find(first);
    if (map != target.key_values.end()) {
      if (const auto value = map->second.find(key); value != map->second.end())
        return name == "key_get" ? ir::Value(value->second) : ir::Value(true);
    }
    if (name == "key_exists") {
      const auto set = target.keys.find(first);
      if (set != target.keys.end()) {
        if (set->second.contains(key)) return ir::Value(true);
        const std::size_t at = key.rfind('@');
        if (at != std::string::npos && set->second.contains("*" + key.substr(at)))
          return ir::Value(true);
      }
    }
    if (target.own_sets.contains(first) || asks_for_others(asking, Question::Kind::key, first, key))
      return {};
    // An unknown name is no error.
    return name == "key_get" ? ir::Value("") : ir::Value(false);
  };
}

}  // namespace plan::flow
