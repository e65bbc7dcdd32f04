#include "compiler/schema/top_level.h"

#include <algorithm>
#include <array>
#include <unordered_set>

#include "compiler/source/text.h"

namespace plan::schema {
namespace {

constexpr std::string_view kTopLevels =
#include "compiler/schema/top_levels.def"
    ;

const std::unordered_set<std::string_view>& known() {
  static const std::unordered_set<std::string_view> kKnown = [] {
    std::unordered_set<std::string_view> words;
    for (const std::string_view word : split(kTopLevels, ' ')) {
      if (!word.empty()) words.insert(word);
    }
    for (const std::string_view word : split(kInnerTopLevels, ',')) words.insert(trim(word));
    words.insert("onion");  // no domain of the root zone, and on the public list (RFC 7686)
    return words;
  }();
  return kKnown;
}

}  // namespace

TopLevel top_level_of(std::string_view domain) {
  const std::size_t dot = domain.rfind('.');
  const std::string_view top = dot == std::string_view::npos ? domain : domain.substr(dot + 1);
  constexpr std::array<std::string_view, 3> kReserved = {"example", "invalid", "alt"};
  if (std::find(kReserved.begin(), kReserved.end(), top) != kReserved.end())
    return TopLevel::refused;
  return known().contains(top) ? TopLevel::known : TopLevel::unknown;
}

}  // namespace plan::schema
