// Stands in front of every fuzz target (cmake/tests.cmake): no input costs more than a second of
// the processor. libFuzzer itself only has the clock on the wall, which runs on while others have
// the processor, and keeps of slow inputs those that are slower than all before.
#include <time.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>

/// The target: its LLVMFuzzerTestOneInput is compiled under this name.
extern "C" int plan_fuzz_input(const std::uint8_t* data, std::size_t size);

namespace {

constexpr double kSecondsMax = 1;
/// An input costs what the cheapest of so many runs does: the first one pays for what is made only
/// once, and others on the same machine make each of them dearer.
constexpr int kRunsMax = 3;

/// Of all threads of this process.
double processor_seconds() {
  timespec time{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  double least = 0;
  for (int run = 0; run < kRunsMax; ++run) {
    const double begin = processor_seconds();
    const int result = plan_fuzz_input(data, size);
    const double spent = processor_seconds() - begin;
    least = run == 0 ? spent : std::min(least, spent);
    if (least <= kSecondsMax) return result;
  }
  std::fprintf(stderr,
               "an input of %zu bytes costs %.2f s of processor time, at most %.0f s is right\n",
               size, least, kSecondsMax);
  std::abort();  // libFuzzer keeps the input
}
