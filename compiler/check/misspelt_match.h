#pragma once
#include <string_view>

#include "compiler/ir/value.h"

namespace plan::schema {
class Schema;
}

namespace plan::check {

/// Has `match` a member that the type does not have? Its author meant one that it has, and the
/// check of the values says so. Nothing is misspelt where nobody has fetched the target's types.
[[nodiscard]] bool is_misspelt_match(const schema::Schema* schema, std::string_view object,
                                     const ir::Value& match);

}  // namespace plan::check
