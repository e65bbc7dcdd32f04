#pragma once
#include <optional>

#include "compiler/ir/value.h"
#include "compiler/source/diagnostic.h"
#include "compiler/syntax/expression.h"
#include "compiler/syntax/tree.h"
#include "compiler/syntax/value_type.h"

namespace plan::syntax {

/// The value that a part of a tree stands for: expressions evaluated (their types checked first),
/// `!secret` as a reference. Reports what is wrong with it, also other tags; nothing then.
[[nodiscard]] std::optional<ir::Value> value_of_tree(const Node& node, const Scope& scope,
                                                     const TypeScope& types,
                                                     const SourceSet& sources, Sink& sink);

}  // namespace plan::syntax
