#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace plan {

/// A text from outside as HTML shows it, in an element or an attribute: printable() first, cut at
/// `bytes_max`, and no character that HTML reads as its own.
[[nodiscard]] std::string html_text(std::string_view text, std::size_t bytes_max);

}  // namespace plan
