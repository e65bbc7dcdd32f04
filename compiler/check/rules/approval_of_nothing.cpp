// Prevents: an approval that nobody can give, because the wave that it waits for is not in the
// plan, or because it names none. The run would stop there for good.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void approval_of_nothing(const GraphView& view, Sink& sink) {
  const ir::StepGraph& graph = view.graph();
  std::vector<std::string_view> waves;
  for (const ir::WaveInfo& wave : graph.waves()) waves.push_back(wave.name);
  std::set<const ir::StepShape*> said;
  for (const ir::StepId step : view.of_kind(ir::StepKind::approval)) {
    const ir::Value wave = graph.argument(step, "wave");
    const ir::Value stage = graph.argument(step, "stage");
    if (wave.is_output() || stage.is_output()) continue;
    const std::string_view name = wave.string_or("");
    const bool is_known = std::find(waves.begin(), waves.end(), name) != waves.end();
    if (wave.is_string() ? is_known : stage.is_string()) continue;
    if (!said.insert(&graph.shape(step)).second) continue;
    auto report =
        report_step(view, step, Kind::procedure_broken,
                    wave.is_string() ? fmt::format("waits for the approval of a wave `{}`, which "
                                                   "the plan does not have",
                                                   printable(name, 80))
                                     : std::string("waits for an approval of nothing"),
                    sink);
    report.help("give it a `wave` of the plan, or a `stage`");
    if (!wave.is_string()) continue;
    if (const auto near = nearest(name, waves))
      report.label(fmt::format("did you mean `{}`?", *near));
  }
}

}  // namespace plan::check::rules
