#pragma once
#include <string_view>

#include "compiler/diff/change.h"
#include "compiler/source/result.h"

namespace plan::command {

/// Prints a change set as text, markdown, json or html to stdout. `is_all`: no account is folded
/// away.
[[nodiscard]] Outcome show_changes(const diff::ChangeSet& changes, std::string_view format,
                                   bool is_all);

}  // namespace plan::command
