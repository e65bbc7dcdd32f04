#include "tests/support/repository.h"

namespace plan::test {

std::filesystem::path repository() { return PLAN_REPOSITORY; }

}  // namespace plan::test
