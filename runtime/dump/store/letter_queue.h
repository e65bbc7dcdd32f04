#pragma once
#include <functional>
#include <vector>

#include "compiler/source/result.h"

namespace plan::dump {

/// Calls `work` for each letter, in order, on up to `parallel` threads. After the first error no
/// new letter is begun; that error is returned when all threads have ended.
[[nodiscard]] Outcome for_each_letter(const std::vector<char>& letters, unsigned parallel,
                                      const std::function<Outcome(char)>& work);

}  // namespace plan::dump
