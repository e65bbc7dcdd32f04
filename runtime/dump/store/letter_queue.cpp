#include "runtime/dump/store/letter_queue.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <optional>
#include <thread>

namespace plan::dump {

Outcome for_each_letter(const std::vector<char>& letters, unsigned parallel,
                        const std::function<Outcome(char)>& work) {
  std::atomic<std::size_t> next{0};
  std::atomic<bool> has_failed{false};
  std::mutex mutex;
  std::optional<Error> first;
  const auto run = [&] {
    while (!has_failed) {
      const std::size_t index = next++;
      if (index >= letters.size()) return;
      const Outcome outcome = work(letters[index]);
      if (outcome) continue;
      has_failed = true;
      const std::scoped_lock lock(mutex);
      if (!first) first = outcome.error();
    }
  };
  const std::size_t count = std::min<std::size_t>(std::max(1U, parallel), letters.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 1; i < count; ++i) threads.emplace_back(run);
  run();
  for (std::thread& thread : threads) thread.join();
  if (first) return *first;
  return {};
}

}  // namespace plan::dump
