#pragma once
#include "compiler/ir/value.h"
#include "compiler/syntax/expression.h"

namespace plan::lower {

// What a step that is switched off asks for may not be there: an input without a value, a row, a
// fact that was not fetched. That is no mistake; what the step says itself is judged as ever.

/// Nothing, or what stands for it: an empty text, list or map, and zero.
[[nodiscard]] bool is_absent(const ir::Value& value);

/// Does what this comes to rest on a name, or a member of one, that has no value? A literal has
/// one, also as what `default` falls back to.
[[nodiscard]] bool asks_of_absent(const syntax::Template& text, const syntax::Scope& scope);

}  // namespace plan::lower
