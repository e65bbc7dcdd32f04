// Prevents: two listeners at one port. The target takes both when they are written, and after its
// restart only one of them answers, or each of them now and then
// (reference/stalwart-admin.md 5.12).
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/check/listeners.h"
#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

namespace {

struct Made {
  std::string name = {};
  std::string address = {};
  ir::StepId step = {};
};

void compare_with_steps(const GraphView& view, const TargetWrite& write, const Bound& bound,
                        std::vector<Made>& made, Sink& sink) {
  const ir::StepGraph& graph = view.graph();
  const std::string_view name = write.match["name"].string_or("");
  for (const Made& other : made) {
    if (other.name == name || !is_same_door(bound.address, other.address)) continue;
    report_write(view, write, Kind::listener_bound_twice,
                 fmt::format("binds port {} of the target, and so does `{}`", bound.port,
                             printable(graph.id(other.step), 160)),
                 sink)
        .label("two listeners, one port")
        .note(graph.origin(other.step), "the other one")
        .help("give each a port of its own");
    break;
  }
  made.push_back({std::string(name), std::string(bound.address), write.step});
}

/// Does a step that is in time destroy the target's listener of this name?
bool is_destroyed(const GraphView& view, const TargetWrite& write, std::string_view name) {
  const ir::StepGraph& graph = view.graph();
  const auto destroys = view.of_kind(ir::StepKind::admin_destroy);
  return std::any_of(destroys.begin(), destroys.end(), [&](ir::StepId step) {
    // The type is of the shape: finalize destroys a key for each address.
    return object_type(graph.shape(step).arguments["object"].string_or("")) == "NetworkListener" &&
           graph.stage(step) <= graph.stage(write.step) &&
           graph.argument(step, "match")["name"].string_or("") == name;
  });
}

void compare_with_target(const GraphView& view, const TargetWrite& write, const Bound& bound,
                         Sink& sink) {
  const std::string_view protocol = write.set["protocol"].string_or("smtp");
  for (const ir::Value& there : setting(view.migration(), "target.NetworkListener.bind").items()) {
    const std::string_view other = there["protocol"].string_or("");
    const std::string_view name = there["name"].string_or("");
    if (there["port"].integer_or(0) != bound.port ||
        !is_same_door(bound.address, there["address"].string_or("")))
      continue;
    // Without a name only another protocol is another listener for certain.
    if (name.empty() ? other == protocol : name == write.match["name"].string_or("")) continue;
    if (!name.empty() && is_destroyed(view, write, name)) continue;
    report_write(
        view, write, Kind::listener_bound_twice,
        fmt::format("binds port {} of the target, where {} listens for `{}` already", bound.port,
                    name.empty() ? std::string("it") : fmt::format("`{}`", printable(name, 60)),
                    printable(other, 40)),
        sink)
        .label(fmt::format("for `{}`", printable(protocol, 40)))
        .help("give it a port of its own, or use the name of the one that is there");
    break;
  }
}

}  // namespace

void listener_bound_twice(const GraphView& view, Sink& sink) {
  std::map<std::int64_t, std::vector<Made>> made;
  for (const TargetWrite& write : view.writes()) {
    if (write.object != "NetworkListener" || !write.is_upsert) continue;
    for (const Bound& bound : bind_change(write.set).opened) {
      compare_with_steps(view, write, bound, made[bound.port], sink);
      compare_with_target(view, write, bound, sink);
    }
  }
}

}  // namespace plan::check::rules
