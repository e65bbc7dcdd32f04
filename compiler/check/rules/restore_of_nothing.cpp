// Prevents: a `restore` of a step that is not in the plan, or that changes nothing. Nothing would
// be put back, and the step fails in the night, most often behind the last rollback point.
#include <fmt/format.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

constexpr std::size_t kNamesMax = 1'000;

}  // namespace

void restore_of_nothing(const GraphView& view, Sink& sink) {
  const ir::StepGraph& graph = view.graph();
  std::set<const ir::StepShape*> said;
  for (const ir::StepId step : view.of_kind(ir::StepKind::restore)) {
    const ir::Value of = graph.argument(step, "step");
    if (!of.is_string()) continue;  // not known before the night, or reported
    const auto restored = graph.find(of.as_string());
    const bool is_other = restored && *restored != step;
    if (is_other && info(graph.kind(*restored)).effect != ir::StepEffect::read) continue;
    if (!said.insert(&graph.shape(step)).second) continue;
    if (is_other) {
      const std::string_view kind = info(graph.kind(*restored)).name;
      sink.report(Kind::procedure_broken, view.place_of(step, "step"),
                  fmt::format(
                      "`{}` puts back what `{}` changes, and a step of kind `{}` changes nothing",
                      printable(graph.id(step), 160), printable(of.as_string(), 80), kind))
          .help(
              graph.kind(*restored) == ir::StepKind::mark_rollback_point
                  ? "name the step whose change goes back; to a rollback point the operator goes, "
                    "with `plan rollback --to NAME`"
                  : "name the step whose change goes back");
      continue;
    }
    auto report =
        sink.report(Kind::procedure_broken, view.place_of(step, "step"),
                    fmt::format("`{}` puts back what {}", printable(graph.id(step), 160),
                                restored ? std::string("it changes itself")
                                         : fmt::format("`{}` changes, and there is no such step",
                                                       printable(of.as_string(), 80))));
    report.help(
        "write the `id` of an earlier step in `step`, as `plan graph --format text` has it; one "
        "of a module that is used `as` a word begins with that word");
    if (restored) continue;
    // Those of one account look alike, and there may be a million of them.
    std::vector<std::string> ids;
    for (const ir::StepId other : graph.order()) {
      if (graph.row(other) == ir::RowId::none && ids.size() < kNamesMax)
        ids.push_back(graph.id(other));
    }
    if (const auto near =
            nearest(of.as_string(), std::vector<std::string_view>(ids.begin(), ids.end())))
      report.label(fmt::format("did you mean `{}`?", *near));
  }
}

}  // namespace plan::check::rules
