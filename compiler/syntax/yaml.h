#pragma once
#include <optional>
#include <string_view>

#include "compiler/source/diagnostic.h"
#include "compiler/syntax/limits.h"
#include "compiler/syntax/tree.h"

namespace plan::syntax {

/// Reads one YAML document (YAML 1.2 as yaml-cpp reads it, without aliases, anchors, merge keys and
/// several documents: a plan means what stands in it). Hostile input costs linear time and memory.
/// Reports file-too-large, file-empty, not-utf8, yaml-*, duplicate-key; nothing when the text could
/// not be read to its end, otherwise the tree, possibly with errors reported. Of a text that is no
/// YAML each entry or item that fails by itself is reported (yaml_recovery.h).
[[nodiscard]] std::optional<Node> read_yaml(const SourceSet& sources, FileId file, Sink& sink,
                                            const TreeLimits& limits = {});

/// The same of whole lines of a file that begin at `offset` in it, as a document of their own.
[[nodiscard]] std::optional<Node> read_yaml_lines(std::string_view lines, std::uint32_t offset,
                                                  FileId file, Sink& sink,
                                                  const TreeLimits& limits);

constexpr std::string_view kOpenQuote = "this quote is never closed";
constexpr std::string_view kYamlRemedy =
    "look at the indentation, and put quotes around text with `: `, ` #`, or a bracket in front";

}  // namespace plan::syntax
