// Prevents: mail that waits for ever. The source keeps what it has for a held account until its own
// map sends it to the target; when the procedure ends without that, Postfix bounces it after days
// (reference/split-delivery.md 4 and 9.2: only "in the set, forwarded" is the end of a move).
#include <fmt/format.h>

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/check/given_texts.h"
#include "compiler/check/graph_view.h"
#include "compiler/check/next_hop.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

using ir::StepId;
using ir::StepKind;

/// What the source does with the mail instead of sending it; empty: it sends it.
std::string_view kept_how(std::string_view next_hop) {
  switch (kind_of_transport(next_hop_of(next_hop))) {
    case TransportKind::keeps:
      return "it waits or is lost at the source";
    case TransportKind::delivers:
      return "it is delivered at the source, where nobody looks for it any more";
    case TransportKind::sends:
    case TransportKind::unknown:  // said as `leads-elsewhere`
      return {};
  }
  return {};
}

/// An old Stalwart looks into the lists that its settings name, and into no other.
void look_at_lists(const GraphView& view, Sink& sink) {
  const ir::StepGraph& graph = view.graph();
  std::map<std::string, StepId, std::less<>> read;
  for (const StepId step : view.of_kind(StepKind::source_settings)) {
    const ir::Value list = graph.argument(step, "list");
    if (!list.string_or("").empty()) read.emplace(list.string_or(""), step);
  }
  for (const auto& [step, list] : given_texts(view, StepKind::source_forward, "list")) {
    if (read.contains(list)) continue;
    auto report =
        report_step(view, step, Kind::mail_flow,
                    fmt::format("forwards nothing: the old server does not read the list `{}`",
                                printable(list, 120)),
                    sink);
    report.label("what it holds goes on waiting");
    std::vector<std::string_view> names;
    for (const auto& [name, reader] : read) names.push_back(name);
    if (const auto near = nearest(list, names))
      report.note(graph.origin(read.find(*near)->second),
                  fmt::format("it reads `{}` by this step", printable(*near, 120)));
    report.help(
        "name one list in it and in the step of kind `source.settings` whose route leads to the "
        "target");
  }
}

}  // namespace

void forward_missing(const GraphView& view, Sink& sink) {
  const ir::StepGraph& graph = view.graph();
  std::set<const ir::StepShape*> seen;
  const auto look = [&](StepKind hold, StepKind forward, std::string_view server) {
    for (const StepId step : view.of_kind(hold)) {
      if (!seen.insert(&graph.shape(step)).second || !view.has_in_row(step, StepKind::admin_keys) ||
          view.has_in_row(step, forward))
        continue;
      report_step(view, step, Kind::mail_flow,
                  "holds mail at the source, and no step sends it to the target", sink)
          .label(fmt::format("it waits until {} gives up and bounces it", server))
          .help(fmt::format("add a step of kind `{}` for the account behind `admin.keys`",
                            info(forward).name));
    }
  };
  look(StepKind::postfix_hold, StepKind::postfix_forward, "Postfix");
  look(StepKind::source_hold, StepKind::source_forward, "the old server");
  const auto look_at_hop = [&](StepKind forward, std::string_view remedy) {
    for (const auto& [step, next_hop] : given_texts(view, forward, "next_hop")) {
      const std::string_view how = kept_how(next_hop);
      if (how.empty() || !seen.insert(&graph.shape(step)).second) continue;
      report_step(view, step, Kind::mail_flow,
                  fmt::format("sends the account's mail to `{}`, which is no other machine",
                              printable(next_hop, 120)),
                  sink)
          .label(std::string(how))
          .help(std::string(remedy));
    }
  };
  look_at_hop(StepKind::postfix_forward, "write `smtp:[ADDRESS]:25` with the target's address");
  look_at_hop(StepKind::source_forward, "write `smtp:[NAME]:25` with the target's host name");
  look_at_lists(view, sink);
}

}  // namespace plan::check::rules
