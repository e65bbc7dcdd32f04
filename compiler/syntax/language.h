#pragma once
#include <optional>
#include <string>

#include "compiler/source/diagnostic.h"
#include "compiler/syntax/limits.h"
#include "compiler/syntax/tree.h"

namespace plan::syntax {

/// Reads a file of the plan language (docs/language.md) onto the tree that YAML gives: `key =
/// value` and `key {...}` are entries, `use`, `input`, `let` and `step` statements the entries
/// `use`, `inputs`, `let` and `steps`, a bare expression the scalar `${expression}`. Linear time,
/// memory below 100 bytes for each byte of the text. Reports language-syntax (each mistake at its
/// place, the reader goes on at the next entry), language-bound, duplicate-key, file-*, not-utf8;
/// nothing then.
[[nodiscard]] std::optional<Node> read_language(const SourceSet& sources, FileId file, Sink& sink,
                                                const TreeLimits& limits = {});

/// The grammar, written out from the rules that parse: one rule a line, for docs/language.md.
[[nodiscard]] std::string grammar_text();

/// Is this the name of a file of the plan language (`.plan`)? Everything else is YAML.
[[nodiscard]] bool is_language_file(std::string_view name);

/// Reads either front end's file, by its name.
[[nodiscard]] std::optional<Node> read_source(const SourceSet& sources, FileId file, Sink& sink,
                                              const TreeLimits& limits = {});

}  // namespace plan::syntax
