#pragma once
#include "compiler/ir/value.h"

namespace plan::ir {

/// A secret, or a list or map with one anywhere in it.
[[nodiscard]] bool holds_secret(const Value& value);

}  // namespace plan::ir
