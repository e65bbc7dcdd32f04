// links: engine
// A journal that was copied badly or written by hand, as tests/fuzz/altered_file.h makes it: it is
// refused, or read and written to.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "compiler/source/check.h"
#include "runtime/engine/journal.h"
#include "tests/fuzz/altered_file.h"
#include "tests/fuzz/temporary_folder.h"

namespace {

using namespace plan;
using namespace plan::engine;

ir::StepGraph empty_graph() {
  ir::StepGraph graph;
  PLAN_CHECK(!graph.freeze(), "a graph of nothing is one");
  return graph;
}

/// Bytes of a journal with a run that was interrupted while an account was held.
std::string good_journal(const std::string& path) {
  {
    auto journal = open_journal(path);
    PLAN_CHECK(journal.has_value(), "a journal can be made");
    const ir::StepGraph graph = empty_graph();
    RunInfo run;
    run.run_id = "r1";
    run.plan_name = "p";
    run.graph_digest = graph_digest(graph);
    PLAN_CHECK((*journal)->begin_run(run, graph), "a run begins");
    const bool is_written =
        (*journal)
            ->write({HoldBegun{"a@example.org", 1000, "boot", 20'000, false},
                     Intent{"account/a@example.org/hold", "a@example.org", "d", "k", 1,
                            ir::Value::map({{"was", "on"}})}})
            .has_value() &&
        (*journal)
            ->write({Done{"account/a@example.org/hold", ir::Value::map({{"id", "x"}}), false}})
            .has_value() &&
        (*journal)->add_request({.kind = RequestKind::approve, .subject = "wave:rest"}).has_value();
    PLAN_CHECK(is_written, "and is written down");
  }
  return fuzz::file_bytes(path);
}

struct Place {
  fuzz::TemporaryFolder folder;
  std::string path = folder.path() + "/journal.sqlite";
  std::string good = good_journal(folder.path() + "/good.sqlite");
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Place place;
  const std::string bytes = fuzz::altered(place.good, {reinterpret_cast<const char*>(data), size});
  fuzz::write_database(place.path, bytes);
  auto opened = open_journal(place.path);
  PLAN_CHECK(opened || bytes != place.good, "a good journal opens");
  if (!opened) return 0;
  Journal& journal = **opened;
  if (const auto runs = journal.runs()) {
    for (const RunInfo& run : *runs) {
      static_cast<void>(to_string(run.state));
      static_cast<void>(journal.graph(run.graph_digest));
    }
  }
  static_cast<void>(journal.latest_run());
  static_cast<void>(journal.each_step(
      [](const StepRecord& record) { static_cast<void>(to_string(record.state)); }));
  static_cast<void>(journal.step("account/a@example.org/hold"));
  static_cast<void>(journal.holds());
  static_cast<void>(journal.each_history({}, [](const HistoryRecord&) { return true; }));
  static_cast<void>(journal.requests(0));
  static_cast<void>(journal.is_approved("wave:rest"));
  static_cast<void>(journal.write({HoldEnded{"a@example.org", true}}));
  return 0;
}
