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

/// A plan whose list of accounts has become a file of its own.
struct MovedAccounts {
  Formatted plan = {};    ///< no text: nothing was moved
  std::string csv = {};   ///< the file: a header, then one address a line, with its comment
  std::size_t count = 0;  ///< addresses in it
};

/// Writes a plan again with `accounts: {from: {csv: PATH}}` in place of the list that stands there,
/// which is read several times faster. Comments of addresses become a column of their own. Not
/// lossless with expressions among the addresses (`is_lossy`). A plan without such a list is
/// wrong-type, at the place where it would stand.
[[nodiscard]] MovedAccounts move_accounts(const SourceSet& sources, FileId file, Language to,
                                          const std::string& path, Sink& sink,
                                          const TreeLimits& limits = {});

/// Same values, keys and tags, in whatever order, quotes and layout.
[[nodiscard]] bool mean_the_same(const Node& left, const Node& right);

}  // namespace plan::syntax
