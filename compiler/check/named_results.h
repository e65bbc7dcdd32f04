#pragma once
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/check/plan.h"
#include "compiler/ir/value.h"

namespace plan::check {

/// What an expression of the target can give, as far as it is written in it.
struct NamedResults {
  std::vector<std::string> texts = {};  ///< `'relay'`, also inside `if_then(...)`: relay
  /// Namespaces whose values it gives: `key_get('routes', rcpt)`.
  std::vector<std::string> namespaces = {};
};

/// Of the `else` and every `then`. What cannot be read is left out: the schema's check reports it.
[[nodiscard]] NamedResults named_results(const ir::Value& expression);

/// Every namespace that a part of the expression asks by `key_exists` or `key_get`, conditions too.
[[nodiscard]] std::vector<std::string> namespaces_asked(const ir::Value& expression);

/// Names of the target that the lock has as a list of texts (`target.MtaRoute.name`).
struct TargetNames {
  bool is_measured = false;
  std::set<std::string, std::less<>> names = {};
};
[[nodiscard]] TargetNames target_names(const Migration& migration, const char* setting);

}  // namespace plan::check
