#pragma once
#include <cstddef>
#include <string>
#include <string_view>

namespace plan::diff {

/// A text for a terminal whose lines fit: a long one is broken at blanks, and what is left of it
/// stands deeper than its beginning. Codes of colour take no room. A word that is wider than the
/// terminal stays whole, so that it can be copied.
[[nodiscard]] std::string wrapped(std::string_view text, std::size_t width_columns);

}  // namespace plan::diff
