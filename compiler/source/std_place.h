#pragma once
#include <string_view>

#include "compiler/source/source_set.h"
#include "compiler/source/span.h"

namespace plan {

/// What the name of a module begins with that is a part of plan.
inline constexpr std::string_view kStd = "std/";

/// Does it stand in the text of such a module? What is wrong there the operator cannot mend.
[[nodiscard]] inline bool is_of_std(const SourceSet& sources, Span place) {
  return place.is_known() && sources.name(place.file).starts_with(kStd);
}

}  // namespace plan
