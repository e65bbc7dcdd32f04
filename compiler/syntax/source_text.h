#pragma once
#include <optional>
#include <string_view>

#include "compiler/source/diagnostic.h"
#include "compiler/syntax/limits.h"

namespace plan::syntax {

/// The text of a source file behind its byte-order mark.
struct SourceText {
  std::string_view text = {};
  std::uint32_t skipped = 0;  ///< bytes of the mark
};

/// Whether a front end may read the file at all: size, UTF-8, no control characters (which are
/// reported as `syntax_kind`). Nothing when one was reported.
[[nodiscard]] std::optional<SourceText> readable_text(const SourceSet& sources, FileId file,
                                                      Kind syntax_kind, Sink& sink,
                                                      const TreeLimits& limits);

}  // namespace plan::syntax
