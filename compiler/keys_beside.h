#pragma once
#include <cstddef>
#include <set>
#include <string>
#include <string_view>

namespace plan {

/// Keys that the mapping of YAML around `at` has already, but for the one that begins there: by
/// indentation, or by the brace that is open on the line. The text may be half written.
[[nodiscard]] std::set<std::string> keys_beside(std::string_view text, std::size_t at);

}  // namespace plan
