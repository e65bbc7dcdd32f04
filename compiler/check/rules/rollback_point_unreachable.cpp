// Prevents: a rollback point that the plan promises and that cannot be gone back to when it is
// asked for: no step marks it, or a step that nothing undoes stands between. Marks whose name
// cannot be said, or that have one name, are refused too.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

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

/// Why `plan rollback --to` could not name it.
std::string why_not_point(const ir::Value& point) {
  if (!point.is_string()) return "the name of a rollback point is a text";
  const std::string& name = point.as_string();  // not empty: arguments were judged
  if (printable(name, SIZE_MAX) != name)
    return fmt::format("`{}` has a character that cannot be seen", printable(name, 60));
  return {};
}

void report_marks(const ir::StepGraph& graph, std::span<const StepId> marks, Sink& sink) {
  std::map<std::string, StepId> first;
  std::set<std::pair<const ir::StepShape*, const ir::StepShape*>> told;
  for (const StepId step : marks) {
    const ir::Value point = graph.arguments(step)["point"];
    if (const std::string why = why_not_point(point); !why.empty()) {
      sink.report(Kind::bad_value, graph.origin(step), why)
          .help("write a name that `plan rollback --to` can be given");
      continue;
    }
    const auto [known, is_new] = first.emplace(point.as_string(), step);
    // Once for each two steps of the text, however many rows they have.
    const ir::StepShape& shape = graph.shape(known->second);
    if (is_new || !told.emplace(&graph.shape(step), &shape).second) continue;
    const bool is_of_rows = &graph.shape(step) == &shape;
    sink.report(Kind::duplicate_name, graph.origin(step),
                fmt::format("`{}` marks the rollback point `{}`, and so does `{}`",
                            printable(graph.id(step), 120), printable(known->first, 60),
                            printable(graph.id(known->second), 120)))
        .note(graph.origin(known->second),
              is_of_rows ? "the step is there once for each row" : "it is marked here first")
        .help(is_of_rows
                  ? "which of them `plan rollback --to` means cannot be told: write the row's name "
                    "into it, as in `point = \"moved-${account.address}\"`"
                  : "which of them `plan rollback --to` means cannot be told: give each its own "
                    "name");
  }
}

/// What the last stage does for good has its point in front of it: `before-finalize` behind that,
/// or beside it, leads back to nothing.
void look_at_end(const GraphView& view, const Named& point, StepId mark, Sink& sink) {
  if (point.text != "before-finalize") return;
  const ir::StepGraph& graph = view.graph();
  std::set<const ir::StepShape*> seen;
  for (const ir::StepShape& shape : graph.shapes()) {
    if (info(shape.kind).undo != ir::UndoPolicy::irreversible || shape.stage != ir::Stage::finalize)
      continue;
    for (const StepId step : view.of_kind(shape.kind)) {
      if (graph.stage(step) != ir::Stage::finalize || view.needs_of(step)[ir::index(mark)] ||
          !seen.insert(&graph.shape(step)).second)
        continue;
      sink.report(Kind::rollback_point_unreachable, point.span,
                  fmt::format("`{}` does not stand before `{}`", printable(point.text, 60),
                              printable(graph.id(step), 160)))
          .label("`plan rollback --to` could not go back over it")
          .note(graph.origin(step),
                fmt::format("nothing undoes it: {}", info(graph.kind(step)).summary))
          .help("let the step wait for the one that marks the point (`after`)");
    }
  }
}

}  // namespace

void rollback_point_unreachable(const GraphView& view, Sink& sink) {
  const ir::StepGraph& graph = view.graph();
  const std::span<const StepId> marks = view.of_kind(StepKind::mark_rollback_point);
  report_marks(graph, marks, sink);
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
    look_at_end(view, point, *mark, sink);
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
