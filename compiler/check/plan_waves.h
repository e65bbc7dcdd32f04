#pragma once
#include "compiler/check/fields.h"
#include "compiler/check/plan.h"

namespace plan::check {

/// Reads `waves` of a plan; without them everybody moves in one. Which accounts their addresses
/// are is told when the plan is resolved.
void read_waves(Plan& plan, FieldReader& reader, Sink& sink);

}  // namespace plan::check
