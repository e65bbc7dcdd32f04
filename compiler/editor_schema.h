#pragma once
#include <optional>
#include <string>
#include <vector>

#include "compiler/editor.h"
#include "compiler/editor_cursor.h"
#include "compiler/schema/schema.h"

namespace plan {

/// Completions that only the target's schema knows; false: the place is none of its own.
[[nodiscard]] bool add_from_schema(const EditorCursor& cursor, const schema::Schema& schema,
                                   std::vector<Completion>& into);
/// A type behind `object`, or a property inside `match` and `set`, as Markdown.
[[nodiscard]] std::optional<std::string> hover_from_schema(const EditorCursor& cursor,
                                                           const schema::Schema& schema);

}  // namespace plan
