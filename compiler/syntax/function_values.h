#pragma once
#include <optional>

#include "compiler/ir/value.h"
#include "compiler/source/diagnostic.h"
#include "compiler/syntax/expression.h"
#include "compiler/syntax/value_type.h"

namespace plan::syntax {

/// What the function of a call gives for these arguments, whose number fits. Reports
/// expression-type; nothing then. Total: every argument has a value or a problem.
[[nodiscard]] std::optional<ir::Value> apply_function(const Expression& call, ir::List arguments,
                                                      Sink& sink);

/// "`lower` takes 1 argument, here are 2".
[[nodiscard]] std::string wrong_arity(const FunctionInfo& function, std::size_t count);

}  // namespace plan::syntax
