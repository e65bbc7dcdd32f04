#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/schema/mta_expression.h"
#include "compiler/schema/mta_result.h"

namespace plan::schema {

/// One thing wrong with an `x:Expression` container (reference/stalwart-admin.md 6.1).
struct ExpressionProblem {
  std::string part = {};     ///< "else", "match.0.if", "match.0.then"
  std::uint32_t offset = 0;  ///< byte in that text
  std::string message = {};
  std::string nearest = {};
  bool is_refused_by_server = true;  ///< false: the server takes it and it misbehaves later
};

/// The variables and constants of an expression in property `property` of struct `structure` (6.4).
[[nodiscard]] const MtaContext& context_of(std::string_view structure, std::string_view property);

/// Checks `{"match": {"0": {"if", "then"}}, "else"}`; `match` may be a list, as plans write it.
/// Shape errors that the type check reports already are not repeated. The types of results are
/// looked at where `wanted` says what they must be.
[[nodiscard]] std::vector<ExpressionProblem> check_container(
    const ir::Value& container, const MtaContext& context, MtaResult wanted = MtaResult::anything);

}  // namespace plan::schema
