#pragma once
#include "compiler/flow/asking.h"
#include "compiler/schema/mta_expression.h"

namespace plan::flow {

/// What the target answers when its route expression asks it (`is_local_address`, `key_exists`,
/// ...). `asking` must outlive the result.
[[nodiscard]] decltype(schema::MtaEnvironment::call) lookups_of(const Asking& asking);

}  // namespace plan::flow
