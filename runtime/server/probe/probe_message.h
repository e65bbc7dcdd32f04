#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace plan::server::probe {

/// A message of our own that proves a way of delivery (reference/split-delivery.md 9.8): null
/// sender, Auto-Submitted so that no vacation answers, an id that nothing else has.
struct ProbeMessage {
  std::string message_id = {};  ///< with angle brackets
  std::string text = {};        ///< header and body, CRLF
};

/// `entry` names the port it goes through ("source", "target"); `random` makes it unique.
[[nodiscard]] ProbeMessage make_probe(std::string_view account, std::string_view entry,
                                      std::string_view random, std::int64_t wall_ms);

/// 16 hex digits from the system's random source.
[[nodiscard]] std::string random_name();

}  // namespace plan::server::probe
