#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/diagnostic.h"
#include "compiler/syntax/limits.h"

namespace plan::syntax {

/// An entry of a mapping or an item of a list, by its lines, that cannot be read as YAML.
struct BrokenPart {
  std::uint32_t begin = 0;    ///< of its first line, in the file
  std::uint32_t end = 0;      ///< of its last line, behind it
  std::uint32_t at = 0;       ///< where it begins in its first line
  bool is_item = false;       ///< its line begins with the `-` of a list
  std::uint32_t key_end = 0;  ///< behind the key of an entry; `at`: nobody can tell the key
  std::string key = {};
  bool is_alone = false;  ///< nothing is missing without it
};

/// Which parts of a text are to blame when it cannot be read as a whole: it is cut by its
/// indentation, down to the smallest entry or item that fails by itself, and each is reported.
/// Nothing when no part fails by itself. `text` stands in the file behind `skipped` bytes. Linear:
/// what can be read is read at most twice on each level, and there are at most so many levels.
[[nodiscard]] std::vector<BrokenPart> broken_yaml_parts(std::string_view text,
                                                        std::uint32_t skipped, FileId file,
                                                        Sink& sink, const TreeLimits& limits);

}  // namespace plan::syntax
