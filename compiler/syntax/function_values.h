#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

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

/// Where the member stands that an expression looks for: behind the point, or all of an index.
[[nodiscard]] Span member_span(const Expression& expression, std::string_view key);

/// Reports a name that none of these is; `is_member`: behind a point or in brackets.
void report_unknown_name(Span span, std::string_view word, bool is_member,
                         const std::vector<std::string_view>& known, Sink& sink);

}  // namespace plan::syntax
