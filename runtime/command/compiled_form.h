#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/compile.h"

namespace plan::command {

/// A compilation that gave a graph, as bytes: all of it but the texts of its sources, which are
/// read anyway to see whether they are still the same. The form belongs to one build of the program
/// (kinds are numbers) and is never read by another (compile_cache.h).
[[nodiscard]] std::string write_compiled(const CompileResult& compiled);

/// Reads it back; nothing when the bytes are not what write_compiled wrote. Whatever they are,
/// every number in them is checked and the graph is built and frozen like a compiled one.
/// `source_count` is the number of files that places may point into; `sources` of the result stays
/// empty.
[[nodiscard]] std::optional<CompileResult> read_compiled(std::string_view bytes,
                                                         std::size_t source_count);

}  // namespace plan::command
