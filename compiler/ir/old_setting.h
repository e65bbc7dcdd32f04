#pragma once
#include <string>
#include <string_view>

#include "compiler/ir/value.h"

namespace plan::ir {

// What a step of kind `source.settings` may write at a Stalwart 0.13 to 0.15. The driver refuses
// the rest, and the compiler says so before the night.

/// Why this text is no key of a setting at all; empty when it is one.
[[nodiscard]] std::string why_not_old_key(std::string_view key);
/// Why this key may not be written; empty when it may.
[[nodiscard]] std::string why_not_old_setting(std::string_view key);
/// The same of the `rules` of an expression: an `if` with its `then`, any number of them, and an
/// `else`. What another step gives may be any of it: it is not known yet.
[[nodiscard]] std::string why_not_old_rules(const Value& rules);

}  // namespace plan::ir
