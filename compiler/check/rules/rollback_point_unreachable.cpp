// Prevents: a rollback point that the plan promises and that cannot be gone back to when it is
// asked for: no step marks it, or a step that nothing undoes stands between.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/check/graph_view.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

using ir::StepId;
using ir::StepKind;

/// Does anything change behind the point? Without that there is nothing to go back over.
bool is_needed(const ir::StepGraph& graph, std::string_view point) {
  const ir::Stage first = point == "before-finalize" ? ir::Stage::finalize : ir::Stage::cutover;
  return std::any_of(graph.shapes().begin(), graph.shapes().end(), [&](const auto& shape) {
    return shape.stage >= first && info(shape.kind).effect != ir::StepEffect::read;
  });
}

}  // namespace

void rollback_point_unreachable(const GraphView& view, Sink& sink) {
  const ir::StepGraph& graph = view.graph();
  const std::span<const StepId> marks = view.of_kind(StepKind::mark_rollback_point);
  std::vector<StepId> irreversible;
  for (const ir::StepShape& shape : graph.shapes()) {
    if (info(shape.kind).undo != ir::UndoPolicy::irreversible) continue;
    for (const StepId step : view.of_kind(shape.kind)) {
      // The last stage says itself that there is no way back behind it.
      if (graph.stage(step) < ir::Stage::finalize) irreversible.push_back(step);
    }
  }
  for (const Named& point : view.plan().rollback_points) {
    if (point.text == "each-account") continue;  // not a mark: the moves themselves are undone
    const auto mark = std::find_if(marks.begin(), marks.end(), [&](StepId step) {
      return graph.arguments(step)["point"].string_or("") == point.text;
    });
    if (mark == marks.end()) {
      if (!is_needed(graph, point.text)) continue;
      sink.report(Kind::rollback_point_unreachable, point.span,
                  fmt::format("no step marks the rollback point `{}`", printable(point.text, 60)))
          .label("`plan rollback --to` could never reach it")
          .help("leave it out, or let the procedure mark it with a step `mark.rollback-point`");
      continue;
    }
    for (const StepId step : irreversible) {
      if (!view.needs_of(step)[ir::index(*mark)]) continue;
      sink.report(Kind::rollback_point_unreachable, point.span,
                  fmt::format("`{}` cannot be reached any more once `{}` is done",
                              printable(point.text, 60), graph.id(step)))
          .note(graph.origin(step),
                fmt::format("nothing undoes it: {}", info(graph.kind(step)).summary))
          .help("move the step to stage finalize, or the point behind it");
    }
  }
}

}  // namespace plan::check::rules
