#pragma once
#include <optional>

#include "compiler/source/diagnostic.h"
#include "compiler/syntax/limits.h"
#include "compiler/syntax/tree.h"

namespace plan::syntax {

/// Reads one YAML document (YAML 1.2 as yaml-cpp reads it, without aliases, anchors, merge keys and
/// several documents: a plan means what stands in it). Hostile input costs linear time and memory.
/// Reports file-too-large, file-empty, not-utf8, yaml-*, duplicate-key; nothing when the text could
/// not be read to its end, otherwise the tree, possibly with errors reported.
[[nodiscard]] std::optional<Node> read_yaml(const SourceSet& sources, FileId file, Sink& sink,
                                            const TreeLimits& limits = {});

}  // namespace plan::syntax
