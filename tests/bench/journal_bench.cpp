// links: engine
// Durable records of the journal a second, with the disk this runs on: one writer (a sync each), 8
// and 32 writers that share commits. The limit beside it, measured in the same run on the same
// disk: how often 4 KiB can be written to the end of a file and synced.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <thread>
#include <vector>

#include "runtime/engine/journal.h"

namespace {

using plan::engine::Entry;

/// Records a second: each thread announces and finishes steps, as the engine's workers do.
double measure(plan::engine::Journal& journal, std::size_t threads, std::size_t steps,
               const std::string& prefix) {
  const auto begun = std::chrono::steady_clock::now();
  std::vector<std::thread> workers;
  for (std::size_t t = 0; t < threads; ++t) {
    workers.emplace_back([&, t] {
      for (std::size_t i = 0; i < steps; ++i) {
        const std::string step = fmt::format("{}/account/{}/{}", prefix, t, i);
        const bool is_written =
            journal.write({plan::engine::Intent{step, "a@example.org", "digest", "key", 1,
                                                plan::ir::Value::map({{"on", false}})}}) &&
            journal.write({plan::engine::Done{step, plan::ir::Value::map({{"id", "x"}}), false}});
        if (!is_written) std::abort();
      }
    });
  }
  for (std::thread& worker : workers) worker.join();
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  return static_cast<double>(2 * threads * steps) / took.count();
}

/// Appends of 4 KiB a second, each durable before the next.
double synced_appends(const std::string& path) {
  const int file = ::open(path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
  const std::vector<char> page(4096, 'x');
  constexpr int kAppends = 500;
  const auto begun = std::chrono::steady_clock::now();
  for (int i = 0; i < kAppends; ++i) {
    if (::write(file, page.data(), page.size()) != static_cast<ssize_t>(page.size()) ||
        ::fdatasync(file) != 0)
      std::abort();
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  ::close(file);
  return kAppends / took.count();
}

void say(std::size_t writers, double value, double limit, double goal) {
  std::puts(
      fmt::format(
          R"({{"figure":"journal-records-{}-writer{}","value":{:.0f},"unit":"records/s","better":"higher","peer":"synced appends of 4 KiB","peer_value":{:.0f},"ratio":{:.2f},"goal":{}}})",
          writers, writers == 1 ? "" : "s", value, limit, value / limit, goal)
          .c_str());
}

}  // namespace

int main() {
  const std::filesystem::path folder =
      std::filesystem::temp_directory_path() / fmt::format("plan-journal-bench-{}", ::getpid());
  std::filesystem::create_directories(folder);
  plan::ir::StepGraph graph;
  if (graph.freeze()) return 1;
  {
    auto journal = plan::engine::open_journal((folder / "journal.sqlite").string());
    if (!journal) {
      std::fprintf(stderr, "%s\n", journal.error().to_line().c_str());
      return 1;
    }
    if (!(*journal)->begin_run(
            {.run_id = "bench", .graph_digest = plan::engine::graph_digest(graph)}, graph))
      return 1;
    const double limit = synced_appends((folder / "appended").string());
    // Goals are ratios: a record costs one sync or little more, and 8 writers share each sync.
    say(1, measure(**journal, 1, 1000, "one"), limit, 0.5);
    say(8, measure(**journal, 8, 500, "of8"), limit, 2);
    say(32, measure(**journal, 32, 500, "of32"), limit, 6);
  }
  std::filesystem::remove_all(folder);
  return 0;
}
