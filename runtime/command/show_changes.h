#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "compiler/diff/change.h"
#include "compiler/source/result.h"
#include "runtime/command/command_table.h"

namespace plan::command {

/// What of a change set is shown to a person; a document for programs has everything.
struct ShowOptions {
  bool is_all = false;                     ///< nothing is folded
  std::vector<std::string> accounts = {};  ///< all steps of these
  std::string path = {};                   ///< only what lies below (diff::below); empty: all
};

/// `--all`, `--account` and `--path` of a command line.
[[nodiscard]] ShowOptions show_options(const Invocation& invocation);

/// What show_changes needs of a change set to show it so.
[[nodiscard]] diff::Detail detail_for(std::string_view format, const ShowOptions& options = {});

/// Prints a change set as text, markdown, json or html to stdout. Errors: nothing-of-that-name for
/// an account or a path that is not in it.
[[nodiscard]] Outcome show_changes(diff::ChangeSet whole, std::string_view format,
                                   const ShowOptions& options = {});

}  // namespace plan::command
