#include "compiler/source/check.h"

#include <cstdio>
#include <cstdlib>

namespace plan {

void stop_with_bug(const char* file, int line, const char* condition, std::string_view why) {
  std::fprintf(
      stderr,
      "this is a bug in plan: %s:%d: %s does not hold: %.*s\n"
      "nothing is lost: the journal was written before each effect; run the same command again\n",
      file, line, condition, static_cast<int>(why.size()), why.data());
  std::fflush(nullptr);
  std::_Exit(70);
}

}  // namespace plan
