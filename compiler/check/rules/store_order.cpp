// Prevents: a store that is dumped, switched or started at the wrong moment by a procedure of the
// author's own: a dump beside a server that writes, a server that starts on a store which nothing
// filled, or on the old one behind the dump; and a server that is stopped before anybody has looked
// whether the rest can be done (reference/stalwart-store.md 12, 1, 4 to 6, 9, 10, 12 and 13).

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

using ir::StepId;
using ir::StepKind;

/// Does one of `kind` have to be done before `step`?
bool waits_for(const GraphView& view, StepId step, StepKind kind) {
  const std::vector<bool> needs = view.needs_of(step);
  const auto earlier = view.of_kind(kind);
  return std::any_of(earlier.begin(), earlier.end(),
                     [&](StepId one) { return needs[ir::index(one)]; });
}

/// The new store is filled from one dump, which has to be there and to be whole.
void look_at_folder(const GraphView& view, StepId import, Sink& sink) {
  const ir::StepGraph& graph = view.graph();
  const ir::Value given = graph.argument(import, "folder");
  const std::string_view folder = given.string_or("");
  bool is_there = false;
  std::string parts;
  for (const StepId dump : view.of_kind(StepKind::dump_export)) {
    if (graph.argument(dump, "folder") != given) continue;
    is_there = true;
    const ir::Value subspaces = graph.argument(dump, "subspaces");
    for (const ir::Value& part : subspaces.items())
      parts += fmt::format("{}`{}`", parts.empty() ? "" : ", ", printable(part.string_or(""), 40));
  }
  if (is_there && parts.empty()) return;
  report_step(view, import, Kind::dump_without_data,
              is_there ? fmt::format("fills the new store from a dump of {} only", parts)
                       : fmt::format("fills the new store from `{}`, which no step writes",
                                     printable(folder, 120)),
              sink)
      .label("the server would erase data, or not start, on what is missing")
      .help("name the folder of the dump that holds everything (`store.folder`)");
}

bool has_item(const ir::Value& list, const ir::Value& wanted) {
  return std::any_of(list.items().begin(), list.items().end(),
                     [&](const ir::Value& one) { return one == wanted; });
}

/// A look that leaves out what a later step does finds nothing wrong with that.
void look_at_check(const GraphView& view, StepId check, Sink& sink) {
  const ir::StepGraph& graph = view.graph();
  const auto say = [&](std::string_view what, std::string_view help) {
    report_step(view, check, Kind::not_measured, what, sink)
        .severity(Severity::error)
        .label("what does not fit there would be found when nobody is served")
        .help(std::string(help));
  };
  const ir::Value folders = graph.argument(check, "folders");
  for (const StepId dump : view.of_kind(StepKind::dump_export)) {
    const ir::Value folder = graph.argument(dump, "folder");
    if (has_item(folders, folder)) continue;
    say(fmt::format("does not look at `{}`, where `{}` writes",
                    printable(folder.string_or(""), 120), printable(graph.id(dump), 120)),
        "write `folders = store.folders`");
    break;
  }
  for (const StepId import : view.of_kind(StepKind::dump_import)) {
    if (!graph.argument(check, "is_moved").bool_or(false))
      say(fmt::format("does not look at the new store, which `{}` fills",
                      printable(graph.id(import), 120)),
          "write `is_moved = store.is_moved`");
    const ir::Value by = graph.argument(import, "by");
    if (graph.argument(check, "by") != by)
      say(fmt::format("looks for another program than `{}`, which `{}` fills the new store by",
                      printable(by.string_or(""), 40), printable(graph.id(import), 120)),
          "write `by = store.by`");
    break;
  }
}

/// What can be looked at while everybody is still served is looked at then.
void look_before_stop(const GraphView& view, Sink& sink) {
  for (const StepId check : view.of_kind(StepKind::store_check)) look_at_check(view, check, sink);
  for (const StepId stop : view.of_kind(StepKind::service_stop)) {
    if (waits_for(view, stop, StepKind::store_check)) continue;
    report_step(view, stop, Kind::not_measured,
                "stops the server before anybody has looked whether the rest can be done", sink)
        .severity(Severity::error)
        .label("a program, a store or a disk that does not fit is found when nobody is served")
        .help("let it wait for a step of kind `store.check`, as std/store-move does");
    break;
  }
}

}  // namespace

void store_order(const GraphView& view, Sink& sink) {
  const Plan& plan = view.plan();
  if (!plan.is_of_store) return;
  look_before_stop(view, sink);
  for (const StepId dump : view.of_kind(StepKind::dump_export)) {
    if (waits_for(view, dump, StepKind::service_stop)) continue;
    report_step(view, dump, Kind::dump_server_running, "does not wait until the server is stopped",
                sink)
        .label("what is written meanwhile is in one part of it and not in another")
        .help("let it wait for a step of kind `service.stop`");
    break;
  }
  for (const StepId import : view.of_kind(StepKind::dump_import)) {
    look_at_folder(view, import, sink);
    if (waits_for(view, import, StepKind::dump_export)) continue;
    report_step(view, import, Kind::dump_without_data, "fills the new store before there is a dump",
                sink)
        .label("the server would erase data, or not start, on what is missing")
        .help("let it wait for the steps of kind `dump.export`");
  }
  for (const StepId change : view.of_kind(StepKind::store_switch)) {
    if (waits_for(view, change, StepKind::dump_import)) continue;
    report_step(view, change, Kind::dump_without_data,
                "gives the server a store that nothing has filled yet", sink)
        .label("it would erase data, or not start, on what is missing")
        .help("let it wait for a step of kind `dump.import`");
  }
  const auto starts = view.of_kind(StepKind::service_start);
  for (const StepId start : starts) {
    if (!plan.store.is_moved || waits_for(view, start, StepKind::store_switch)) continue;
    report_step(view, start, Kind::dump_server_running,
                "starts the server on the old store behind the dump", sink)
        .label("what it takes in from here on is not in the new one")
        .help("let it wait for a step of kind `store.switch`");
  }
  const auto stops = view.of_kind(StepKind::service_stop);
  if (starts.empty() && !stops.empty()) {
    report_step(view, stops.front(), Kind::start_not_proved,
                "stops the server, and no step starts it again", sink)
        .label("it stays down when the plan is done")
        .help("add a step of kind `service.start` to stage finalize");
  }
}

}  // namespace plan::check::rules
