#pragma once
#include <optional>

#include "compiler/source/diagnostic.h"
#include "compiler/syntax/limits.h"
#include "compiler/syntax/tree.h"

namespace plan::syntax {

struct SoundPart {
  std::optional<Node> tree = {};
  bool is_damaged = false;  ///< something was left out of the tree
};

/// Reads either front end's file like `read_source`. Where its syntax is broken, the statements
/// (entries of the file itself) with the broken places are left out and the rest is read, so that
/// what else is wrong can be said in the same run. For each one left out the tree has an entry with
/// a null that is `is_left_out`, under the key that its line begins with, or under "" when that
/// cannot be told. No tree when the rest cannot be read either. Reads a file at most three times.
[[nodiscard]] SoundPart read_sound_part(const SourceSet& sources, FileId file, Sink& sink,
                                        const TreeLimits& limits = {});

}  // namespace plan::syntax
