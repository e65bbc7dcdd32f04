#pragma once
#include <optional>
#include <vector>

#include "compiler/source/diagnostic.h"
#include "compiler/syntax/limits.h"
#include "compiler/syntax/tree.h"

namespace plan::syntax {

struct SoundPart {
  std::optional<Node> tree = {};
  bool is_damaged = false;          ///< something was left out of the tree
  std::vector<Span> left_out = {};  ///< where that stands, in the order of the file
};

/// Reads either front end's file like `read_source`. Where its syntax is broken, what is broken is
/// left out and the rest is read, so that what else is wrong can be said in the same run: of the
/// plan language the statements (entries of the file itself), of YAML the smallest entries and
/// items that fail by themselves, and whole steps. For each one left out the tree has a null that
/// is `is_left_out` and stands inside `left_out`: an item, or an entry under the key that its line
/// begins with, in the file itself under "" when that cannot be told. What is reported there
/// follows from what is left out. No tree when the rest cannot be read either. Linear time.
[[nodiscard]] SoundPart read_sound_part(const SourceSet& sources, FileId file, Sink& sink,
                                        const TreeLimits& limits = {});

}  // namespace plan::syntax
