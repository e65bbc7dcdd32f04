#pragma once
#include <cstddef>
#include <set>
#include <string>
#include <string_view>

namespace plan {

/// Keys that the mapping around `at` has already, but for the one that begins there: in YAML by
/// indentation, or by the brace that is open on the line, in the plan language by the brace that is
/// open. The text may be half written.
[[nodiscard]] std::set<std::string> keys_beside(std::string_view text, std::size_t at,
                                                bool is_language);

}  // namespace plan
