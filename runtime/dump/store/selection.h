#pragma once
#include <string>
#include <vector>

#include "compiler/source/result.h"

namespace plan::dump {

/// Letters in ascending order, each once.
struct SelectedLetters {
  std::vector<char> letters = {};
  std::vector<std::string> notes = {};  ///< what a person should know about what was named
};

/// What was named by letters, names or families; all that a whole export has when nothing is named,
/// or `all`. Error: unknown-subspace.
[[nodiscard]] Result<SelectedLetters> select_letters(const std::vector<std::string>& named,
                                                     std::uint32_t schema);

}  // namespace plan::dump
