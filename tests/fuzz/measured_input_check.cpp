// Whether an input that costs too much is found (tests/suite.py): a target for measured_input.cpp
// that does what its input says.
#include <time.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <thread>

namespace {

constexpr double kSeconds = 1.3;

void calculate() {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  };
  const double begin = now();
  while (now() - begin < kSeconds) {
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static bool is_first = true;
  const std::string_view what(reinterpret_cast<const char*>(data), size);
  if (what == "busy") calculate();
  if (what == "busy in a thread") std::thread(calculate).join();
  if (what == "busy once" && is_first) calculate();
  if (what == "asleep") std::this_thread::sleep_for(std::chrono::duration<double>(kSeconds));
  if (!what.empty()) is_first = false;
  return 0;
}
