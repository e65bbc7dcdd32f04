#pragma once
#include <ctime>

namespace plan::test {

/// What `call` costs this thread's processor: other load on the machine does not count.
template <class Call>
[[nodiscard]] double processor_seconds(const Call& call) {
  const auto now = [] {
    timespec time{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
  };
  const double begin = now();
  call();
  return now() - begin;
}

}  // namespace plan::test
