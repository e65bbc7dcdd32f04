#pragma once
#include <string_view>

namespace plan {

/// Prints the place and the reason of a broken assumption of ours and ends the process with exit
/// code 70. The journal is written ahead of every effect, so stopping anywhere is safe.
[[noreturn]] void stop_with_bug(const char* file, int line, const char* condition,
                                std::string_view why);

}  // namespace plan

/// For what only a bug of ours can break; never for input of the outside. On in every build.
#define PLAN_CHECK(condition, why) \
  ((condition) ? static_cast<void>(0) : ::plan::stop_with_bug(__FILE__, __LINE__, #condition, why))
