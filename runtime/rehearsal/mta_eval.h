#pragma once
#include <map>
#include <string>
#include <string_view>

#include "compiler/ir/value.h"
#include "runtime/rehearsal/world.h"

namespace plan::rehearsal {

/// What an expression's variables are now.
using MtaFacts = std::map<std::string, ir::Value, std::less<>>;

/// Evaluates the live expression `property` of a singleton with the compiler's own evaluator. Null
/// when the type has none or it does not evaluate (the server's weak parser takes texts that ours
/// refuses: they misbehave there, here they are as if absent). The lock is held.
[[nodiscard]] ir::Value evaluate_live(const World& world, std::string_view type,
                                      std::string_view property, const MtaFacts& facts);
/// The same for an expression in hand; `structure` and `property` name its context.
[[nodiscard]] ir::Value evaluate_expression(const World& world, const ir::Value& expression,
                                            std::string_view structure, std::string_view property,
                                            const MtaFacts& facts);
[[nodiscard]] bool holds(const ir::Value& value);
[[nodiscard]] std::int64_t number_or(const ir::Value& value, std::int64_t fallback);

}  // namespace plan::rehearsal
