#pragma once
#include <cstddef>
#include <map>
#include <optional>
#include <string>
#include <string_view>

namespace plan::flow {

/// Longer texts are not looked at, and not made.
inline constexpr std::size_t kTextBytesMax = 256;

/// What captures are compared with, by their number.
using Groups = std::map<std::size_t, std::string>;

/// A text that a regular expression finds; nothing for what is not a plain one (no look-ahead, no
/// named classes). Whether it does the matcher has to say. A group for which `groups` has a text
/// has that one.
[[nodiscard]] std::optional<std::string> text_for_pattern(std::string_view pattern,
                                                          const Groups* groups = nullptr);

}  // namespace plan::flow
