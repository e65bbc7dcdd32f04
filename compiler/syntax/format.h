#pragma once
#include <optional>
#include <string>

#include "compiler/source/diagnostic.h"
#include "compiler/syntax/comments.h"
#include "compiler/syntax/limits.h"
#include "compiler/syntax/tree.h"

namespace plan::syntax {

struct FormatOptions {
  std::size_t width_columns = 120;
};

/// Writes a tree in either language. Reading the result gives a tree that means the same
/// (`mean_the_same`). Without the text it was read from: no comments, no layout to keep.
[[nodiscard]] std::string write_tree(const Node& tree, Language to,
                                     const FormatOptions& options = {});

/// A file, written again.
struct Formatted {
  std::optional<std::string> text = {};
  /// What was written would not mean the same or lacks a comment: there is no text then.
  bool is_lossy = false;
};

/// Reads a file (by its name, read_source) and writes it in `to`: indentation, quotes and blanks in
/// one style, comments and empty lines where they were. Writing the result again changes nothing.
/// No text when a problem was reported.
[[nodiscard]] Formatted format_source(const SourceSet& sources, FileId file, Language to,
                                      Sink& sink, const TreeLimits& limits = {},
                                      const FormatOptions& options = {});

/// Same values, keys and tags, in whatever order, quotes and layout.
[[nodiscard]] bool mean_the_same(const Node& left, const Node& right);

}  // namespace plan::syntax
