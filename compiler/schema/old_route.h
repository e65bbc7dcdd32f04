#pragma once
#include <string_view>

#include "compiler/ir/value.h"
#include "compiler/schema/mta_expression.h"
#include "compiler/source/result.h"

namespace plan::schema {

/// The setting of a Stalwart 0.13 to 0.15 whose rules say where mail goes.
inline constexpr std::string_view kOldRoute = "queue.strategy.route";

/// What these rules may name.
[[nodiscard]] const MtaContext& old_route_context();

/// The rules of a block that a step writes (`if` with its `then`, any number of them, and an
/// `else`), as the target would have them. Errors: bad-expression, with the part and the offset.
[[nodiscard]] Result<MtaContainer> parse_old_route(const ir::Value& block);

}  // namespace plan::schema
