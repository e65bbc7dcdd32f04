// Prevents: a step for Dovecot or Postfix at a Stalwart, or the other way round. Its driver would
// find no such server in the night, and the proof has no place for what it does to mail.
#include <fmt/format.h>

#include <set>

#include "compiler/check/graph_view.h"
#include "compiler/check/kind_of_source.h"

namespace plan::check::rules {

void step_of_another_source(const GraphView& view, Sink& sink) {
  using ir::StepId;
  using ir::StepKind;
  const ir::StepGraph& graph = view.graph();
  const bool is_stalwart = is_from_stalwart(view.plan());
  std::set<const ir::StepShape*> seen;
  for (const ir::StepKindInfo& kind : ir::all_step_kinds()) {
    // `source.settings` says itself which server it writes to.
    const bool is_of_other =
        is_stalwart ? kind.name.starts_with("dovecot.") || kind.name.starts_with("postfix.")
                    : kind.name.starts_with("source.") && kind.kind != StepKind::source_settings;
    if (!is_of_other) continue;
    for (const StepId step : view.of_kind(kind.kind)) {
      if (!seen.insert(&graph.shape(step)).second) continue;
      report_step(view, step, Kind::procedure_broken,
                  fmt::format("is of kind `{}`, and the source is {}", kind.name,
                              is_stalwart ? "a Stalwart" : "no Stalwart"),
                  sink)
          .label("it would find no server that it is for")
          .help(is_stalwart ? "kinds for a Stalwart are `source.listener`, `source.hold`, "
                              "`source.freeze`, `source.forward`, `source.settings`"
                            : "kinds for Dovecot and Postfix begin with `dovecot.` and `postfix.`; "
                              "an old Stalwart is named in `source.stalwart`");
    }
  }
}

}  // namespace plan::check::rules
