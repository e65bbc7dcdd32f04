#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/observation.h"
#include "compiler/ir/value.h"
#include "compiler/source/result.h"

namespace plan::server::stalwart {

/// A required text argument of a step. Errors: argument-missing.
[[nodiscard]] Result<std::string> text_argument(const ir::Value& arguments, std::string_view name);
/// A list of texts, in lower case, without duplicates; missing is empty.
[[nodiscard]] std::vector<std::string> address_arguments(const ir::Value& arguments,
                                                         std::string_view name);
/// "`aliases[1]` is X, wanted Y" for the first few.
[[nodiscard]] std::string show_differences(const std::vector<ir::Difference>& differences);
/// An observation for what cannot be seen before earlier steps ran.
[[nodiscard]] ir::Observation unknowable(std::string remark);

}  // namespace plan::server::stalwart
