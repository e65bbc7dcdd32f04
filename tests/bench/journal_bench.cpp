// links: engine
// Durable records of the journal a second, with the disk this runs on: one writer (a sync each), 8
// and 32 writers that share commits. The peer of the shared commit is one writer of the same
// journal.
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

void say(const std::string& figure, double value, double peer) {
  const bool has_peer = peer > 0;
  std::puts(
      fmt::format(
          R"({{"figure":"{}","value":{:.0f},"unit":"records/s","better":"higher","peer":{},"peer_value":{},"ratio":{},"goal":{}}})",
          figure, value, has_peer ? "\"one writer\"" : "null",
          has_peer ? fmt::format("{:.0f}", peer) : "null",
          has_peer ? fmt::format("{:.2f}", value / peer) : "null",
          has_peer ? "\"ratio 2 with 8 writers\"" : "\"none: the disk decides\"")
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
    const double one = measure(**journal, 1, 1000, "one");
    say("journal-records-1-writer", one, 0);
    for (const std::size_t threads : {std::size_t{8}, std::size_t{32}}) {
      say(fmt::format("journal-records-{}-writers", threads),
          measure(**journal, threads, 500, fmt::format("of{}", threads)), one);
    }
  }
  std::filesystem::remove_all(folder);
  return 0;
}
