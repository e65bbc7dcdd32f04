#pragma once
// What the target does to a client by its address alone: throttles and bounds of a session
// (reference/split-delivery.md 5).
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "compiler/ir/value.h"

namespace plan::check {

/// What an expression of the target gives for mail that comes from `ip`; nothing when it asks for
/// more than the address, or cannot be read.
[[nodiscard]] std::optional<ir::Value> value_for(const ir::Value& expression,
                                                 std::string_view object, std::string_view property,
                                                 const std::string& ip);

/// Does a throttle with this condition count mail that comes from `ip`? Nothing: at times.
[[nodiscard]] std::optional<bool> counts(const ir::Value& match, const std::string& ip);

/// Does a throttle that there is let these addresses pass when this is written to it: is it
/// switched off, lets it more pass than anybody sends, or does it count none of them?
[[nodiscard]] bool lifts_throttle(const ir::Value& set, std::span<const std::string> ips);

/// Does this switch a throttle on, or give it a rate that somebody meets?
[[nodiscard]] bool limits_by_throttle(const ir::Value& set);

}  // namespace plan::check
