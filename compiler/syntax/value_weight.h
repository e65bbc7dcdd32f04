#pragma once
#include <cstddef>

#include "compiler/ir/value.h"

namespace plan::syntax {

/// Bytes of memory that a value takes, roughly: what an expression may make is bounded by it.
[[nodiscard]] std::size_t weight_of(const ir::Value& value);

/// What all the values may weigh that one expression takes from names and makes of them.
constexpr std::size_t kExpressionWeightMax = std::size_t{32} << 20U;
/// The same of all that is kept: the `let`s and inputs of all modules, and all arguments that do
/// not depend on a row.
constexpr std::size_t kValuesWeightMax = std::size_t{128} << 20U;

}  // namespace plan::syntax
