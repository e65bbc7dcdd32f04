#pragma once
#include <string_view>

#include "compiler/check/plan.h"
#include "compiler/source/diagnostic.h"

namespace plan::check {

/// What begins the tag of an address at the source, when it is not `+` alone; else empty.
[[nodiscard]] std::string_view other_delimiters(const Migration& migration);

/// Says that the target knows only `+` (`recipient-delimiter`).
void report_other_delimiters(const Migration& migration, std::string_view delimiters, Sink& sink);

}  // namespace plan::check
