// Says that mail of a moved account may stay at the source: what waits in its queue since the hold,
// and what a session that was open still brought to the old mailbox (reference/split-delivery.md 8
// rules 2 and 7, and 9.2: list and flush again until no entry names the account).
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <set>

#include "compiler/check/graph_view.h"
#include "compiler/check/kind_of_source.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

// As in `move: {sweep_apart: ...}`, which takes no less.
constexpr std::int64_t kApartLeastMs = 60'000;

}  // namespace

void stragglers_unswept(const GraphView& view, Sink& sink) {
  using ir::StepId;
  using ir::StepKind;
  const ir::StepGraph& graph = view.graph();
  const StepKind forward = steps_of_source(view.plan()).forward;
  std::set<const ir::StepShape*> seen;
  for (const StepId step : view.of_kind(forward)) {
    if (!view.has_in_row(step, StepKind::proxy_release) || !seen.insert(&graph.shape(step)).second)
      continue;
    if (!view.has_in_row(step, StepKind::queue_flush))
      report_step(view, step, Kind::stragglers_unswept,
                  "forwards the account's mail, and no step sends what has waited", sink)
          .label("it comes when the source tries it again, an hour later or more")
          .help("add a step of kind `queue.flush` for the account behind its `proxy.release`");
    if (!view.has_in_row(step, StepKind::archive_sweep))
      report_step(view, step, Kind::stragglers_unswept,
                  "forwards the account's mail, and no step looks at the old mailbox again", sink)
          .label("what still came there would be lost with the source")
          .help("add a step of kind `archive.sweep` for the account behind its `queue.flush`");
  }
  for (const StepId step : view.of_kind(StepKind::archive_sweep)) {
    if (!view.has_in_row(step, forward) || !seen.insert(&graph.shape(step)).second) continue;
    const ir::Value apart = graph.argument(step, "apart_ms");
    if (apart.is_integer() && apart.integer_or(0) < kApartLeastMs)
      report_step(view, step, Kind::stragglers_unswept,
                  fmt::format("looks at the old mailbox a second time after {}",
                              show_duration_ms(static_cast<std::uint64_t>(
                                  std::max<std::int64_t>(0, apart.integer_or(0))))),
                  sink)
          .label("what a queue tries again comes a minute later at the soonest")
          .help("write `apart_ms = move.sweep_apart`");
    if (!view.follows_in_row(step, forward)) {
      report_step(view, step, Kind::stragglers_unswept,
                  "looks at the old mailbox while mail still goes there", sink)
          .label("what comes behind it is carried over by no step")
          .help(fmt::format("let it wait for the account's steps of kind `{}` and `queue.flush`",
                            info(forward).name));
    } else if (view.has_in_row(step, StepKind::queue_flush) &&
               !view.follows_in_row(step, StepKind::queue_flush)) {
      report_step(view, step, Kind::stragglers_unswept,
                  "looks at the old mailbox before the queues are flushed", sink)
          .label("what waits there is not in it yet")
          .help("let it wait for the account's step of kind `queue.flush`");
    }
  }
}

}  // namespace plan::check::rules
