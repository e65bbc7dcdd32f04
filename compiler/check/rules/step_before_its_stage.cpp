// Prevents: a step of the author's own module that runs at the very beginning although it belongs
// to the cutover or to the waves: a stage is no order, only what a step waits for is
// (docs/language.md, Modules).
#include <fmt/format.h>

#include <cstdint>
#include <set>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

using ir::Stage;
using ir::StepId;

constexpr unsigned bit_of(Stage stage) { return 1U << static_cast<unsigned>(stage); }

bool changes(const ir::StepGraph& graph, StepId step) {
  return info(graph.kind(step)).effect != ir::StepEffect::read;
}

}  // namespace

void step_before_its_stage(const GraphView& view, Sink& sink) {
  const ir::StepGraph& graph = view.graph();
  // The stages whose changes stand before a step, whether it needs them or is only ordered so.
  std::vector<std::uint8_t> before(graph.size());
  unsigned all = 0;
  for (const StepId step : graph.order()) {
    unsigned stages = 0;
    for (const StepId earlier : graph.after(step)) {
      stages |= before[ir::index(earlier)];
      if (changes(graph, earlier)) stages |= bit_of(graph.stage(earlier));
    }
    before[ir::index(step)] = static_cast<std::uint8_t>(stages);
    if (changes(graph, step)) all |= bit_of(graph.stage(step));
  }
  std::set<const ir::StepShape*> said;
  for (const StepId step : graph.order()) {
    const Stage stage = graph.stage(step);
    if ((stage != Stage::cutover && stage != Stage::waves) || !changes(graph, step)) continue;
    const unsigned earlier = bit_of(stage) - 1;
    const unsigned seen = before[ir::index(step)];
    // What stands behind such a step is late or early with it, and is not reported again.
    if ((all & earlier) == 0 || (seen & (earlier | bit_of(stage))) != 0) continue;
    if (!said.insert(&graph.shape(step)).second) continue;
    sink.report(Kind::step_before_its_stage, graph.origin(step),
                fmt::format("`{}` of stage {} waits for nothing that was changed before",
                            printable(graph.id(step), 160), to_string(stage)))
        .label("it would run at the very beginning, before anything is prepared")
        .help(stage == Stage::cutover
                  ? "say what it stands behind: `after = [proxies/ready]`, or `[cutover/address]`"
                  : "say what it stands behind: `after = [wave/{}/approval]`, or a step of the "
                    "same account")
        .help("if it may run at the beginning, it is a step of stage `prepare`");
  }
}

}  // namespace plan::check::rules
