// Prevents: an account that is the target's while its last mail is still on the way there.
#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

namespace {
constexpr std::size_t kEarlyShownMax = 8;
}  // namespace

void flip_before_delta(const GraphView& view, Sink& sink) {
  using ir::StepKind;
  const ir::StepGraph& graph = view.graph();
  std::set<const ir::StepShape*> said;
  std::vector<ir::StepId> early;
  for (const StepKind flip :
       {StepKind::admin_keys, StepKind::postfix_forward, StepKind::source_forward,
        StepKind::admin_account_open, StepKind::proxy_release}) {
    for (const ir::StepId step : view.of_kind(flip)) {
      if (said.contains(&graph.shape(step)) || view.follows_in_row(step, StepKind::archive_delta))
        continue;
      said.insert(&graph.shape(step));
      early.push_back(step);
    }
  }
  if (early.empty()) return;
  // One order that is wrong makes all of them early.
  auto report =
      sink.report(Kind::flip_before_delta, graph.origin(early.front()),
                  fmt::format("`{}` gives the account to the target before its last copy is made",
                              printable(graph.id(early.front()), 160)));
  report.label("what came since the copy would be missing");
  for (std::size_t i = 1; i < std::min(early.size(), kEarlyShownMax); ++i)
    report.note(graph.origin(early[i]),
                fmt::format("so does `{}`", printable(graph.id(early[i]), 160)));
  report.help(early.size() == 1
                  ? "let it wait for the account's step of kind `archive.delta`"
                  : "let each of them, or a step that all of them wait for, wait for the account's "
                    "step of kind `archive.delta`");
}

}  // namespace plan::check::rules
