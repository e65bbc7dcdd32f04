#pragma once
#include <vector>

#include "compiler/check/fields.h"

namespace plan::check {

// The tables of the plan's blocks: what std/dovecot-postfix understands, and what its drivers get
// when the author says nothing.

[[nodiscard]] const std::vector<Field>& address_fields();
[[nodiscard]] const std::vector<Field>& host_fields();
[[nodiscard]] const std::vector<Field>& source_fields();
[[nodiscard]] const std::vector<Field>& target_fields();
[[nodiscard]] const std::vector<Field>& proxy_fields();
[[nodiscard]] const std::vector<Field>& move_fields();
[[nodiscard]] const std::vector<Field>& cutover_fields();
/// `stop_when` of a wave.
[[nodiscard]] const std::vector<Field>& stop_fields();

}  // namespace plan::check
