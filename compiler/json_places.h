#pragma once
#include <cstdint>
#include <string_view>
#include <vector>

namespace plan {

/// Where the parts of a JSON text stand: bytes in it. `inner` are the members of an object or the
/// items of a list, in their order, which is also the one of the `ir::Value` that was read.
struct JsonPlaces {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  std::uint32_t key_begin = 0;  ///< of a member: its name, with the quotes
  std::uint32_t key_end = 0;
  std::vector<JsonPlaces> inner = {};
};

/// Of a text that `ir::parse_json` has taken.
[[nodiscard]] JsonPlaces places_in_json(std::string_view text);

}  // namespace plan
