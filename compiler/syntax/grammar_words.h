#pragma once
#include <string_view>

namespace plan::syntax {

/// The name of the rule that a text without its closing quote misses: reported as such.
constexpr std::string_view kTextEnd = "the closing quote";

}  // namespace plan::syntax
