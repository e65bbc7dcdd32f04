// Prevents: an account that is the target's while its last mail is still on the way there.
#include <fmt/format.h>

#include <array>
#include <set>

#include "compiler/check/graph_view.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void flip_before_delta(const GraphView& view, Sink& sink) {
  using ir::StepKind;
  const ir::StepGraph& graph = view.graph();
  std::set<const ir::StepShape*> said;
  for (const StepKind flip :
       {StepKind::admin_keys, StepKind::postfix_forward, StepKind::source_forward,
        StepKind::admin_account_open, StepKind::proxy_release}) {
    for (const ir::StepId step : view.of_kind(flip)) {
      if (said.contains(&graph.shape(step)) || view.follows_in_row(step, StepKind::archive_delta))
        continue;
      said.insert(&graph.shape(step));
      sink.report(Kind::flip_before_delta, graph.origin(step),
                  fmt::format("`{}` gives the account to the target before its last copy is made",
                              printable(graph.id(step), 160)))
          .label("what came since the copy would be missing")
          .help("let it wait for the account's step of kind `archive.delta`");
    }
  }
}

}  // namespace plan::check::rules
