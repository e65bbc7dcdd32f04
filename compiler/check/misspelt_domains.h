#pragma once
#include <map>
#include <string_view>

#include "compiler/check/plan.h"
#include "compiler/facts/lock.h"

namespace plan::check {

/// Domains of the source that the author meant by others: by the one that is meant, the one that
/// `domains` names in its place, for which the source does not deliver. That its accounts do not
/// move only follows from the spelling.
[[nodiscard]] std::map<std::string_view, std::string_view> misspelt_domains(
    const Plan& plan, const facts::Lock& lock);

}  // namespace plan::check
