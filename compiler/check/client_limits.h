#pragma once
// What the target does to a client by its address alone: throttles and bounds of a session
// (reference/split-delivery.md 5).
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/step_graph.h"
#include "compiler/ir/value.h"

namespace plan::check {

/// What an expression of the target gives for mail that comes from `ip`; nothing when it asks for
/// more than the address, or cannot be read.
[[nodiscard]] std::optional<ir::Value> value_for(const ir::Value& expression,
                                                 std::string_view object, std::string_view property,
                                                 const std::string& ip);

/// What becomes of mail by a bound or a check that the target is told, as far as it hangs on that
/// alone.
enum class Taken : std::uint8_t {
  all,      ///< all that the source has taken
  perhaps,  ///< nobody can tell
  not_all,  ///< some is refused for sure
};
/// Of what comes from `ip`: by `MtaStageData.maxMessageSize` and `maxReceivedHeaders`, and by
/// `SenderAuth.spfFromVerify`; `perhaps` of every other property. `message_max`: the largest
/// message that the source takes, 0 where nobody has measured it or it takes all.
[[nodiscard]] Taken taken_from(const std::string& ip, const ir::Value& expression,
                               std::string_view object, std::string_view property,
                               double message_max);

/// Steps whose settings are in use when `step` runs, whatever the engine's order: both are needed,
/// and so is a reload behind them. One bit a step.
[[nodiscard]] std::vector<bool> loaded_before(const ir::StepGraph& graph, ir::StepId step);

/// Does a throttle with this condition count mail that comes from `ip`? Nothing: at times.
[[nodiscard]] std::optional<bool> counts(const ir::Value& match, const std::string& ip);

/// Does a throttle that there is let these addresses pass when this is written to it: is it
/// switched off, lets it more pass than anybody sends, or does it count none of them?
[[nodiscard]] bool lifts_throttle(const ir::Value& set, std::span<const std::string> ips);

/// Does this switch a throttle on, or give it a rate that somebody meets?
[[nodiscard]] bool limits_by_throttle(const ir::Value& set);

}  // namespace plan::check
