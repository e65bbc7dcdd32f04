// Prevents: the end before everybody has moved: unknown addresses are refused again while accounts
// are still on the source.
#include <fmt/format.h>

#include "compiler/check/graph_view.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

using ir::StepEffect;
using ir::StepId;
using ir::StepKind;

bool is_end_of_move(StepKind kind) {
  return kind == StepKind::proxy_release || kind == StepKind::archive_sweep ||
         kind == StepKind::queue_flush || kind == StepKind::admin_list;
}

}  // namespace

void finalize_before_last_wave(const GraphView& view, Sink& sink) {
  const ir::StepGraph& graph = view.graph();
  // Only the first steps of the end are looked at: the others wait for them.
  std::vector<bool> is_behind_end(graph.size());
  std::vector<StepId> first;
  for (const StepId step : graph.order()) {
    bool is_behind = false;
    for (const StepId earlier : graph.after(step))
      is_behind = is_behind || is_behind_end[ir::index(earlier)];
    const StepEffect effect = info(graph.kind(step)).effect;
    const bool is_end = graph.stage(step) == ir::Stage::finalize && effect != StepEffect::read;
    if (is_end && !is_behind) first.push_back(step);
    is_behind_end[ir::index(step)] = is_behind || is_end;
  }
  constexpr std::size_t kFirstMax = 8;
  for (std::size_t i = 0; i < first.size() && i < kFirstMax; ++i) {
    const std::vector<bool> needs = view.needs_of(first[i]);
    for (std::size_t s = 0; s < graph.size(); ++s) {
      const auto step = static_cast<StepId>(s);
      if (needs[s] || graph.stage(step) != ir::Stage::waves || !is_end_of_move(graph.kind(step)))
        continue;
      sink.report(Kind::finalize_before_last_wave, graph.origin(first[i]),
                  fmt::format("`{}` does not wait for `{}`", graph.id(first[i]),
                              printable(graph.id(step), 160)))
          .label("the migration would end before everybody has moved")
          .note(graph.origin(step), "this is a part of the last wave's moves")
          .help("let it wait for the last step of every account and list (`after`)");
      break;
    }
  }
}

}  // namespace plan::check::rules
