// Prevents: two listeners at one port. The target takes both when they are written, and after its
// restart only one of them answers, or each of them now and then
// (reference/stalwart-admin.md 5.12).
#include <fmt/format.h>

#include <map>
#include <string>
#include <utility>

#include "compiler/check/graph_view.h"
#include "compiler/check/listeners.h"
#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void listener_bound_twice(const GraphView& view, Sink& sink) {
  const ir::StepGraph& graph = view.graph();
  struct Made {
    std::string name = {};
    ir::StepId step = {};
  };
  std::map<std::int64_t, Made> made;
  const ir::Value& there = setting(view.migration(), "target.NetworkListener.bind");
  for (const TargetWrite& write : view.writes()) {
    if (write.object != "NetworkListener" || !write.is_upsert) continue;
    const std::string name(write.match["name"].string_or(""));
    const std::string_view protocol = write.set["protocol"].string_or("smtp");
    for (const std::int64_t port : bound_ports(write.set["bind"])) {
      const auto [first, is_new] = made.emplace(port, Made{name, write.step});
      if (!is_new && first->second.name != name) {
        report_write(view, write, Kind::listener_bound_twice,
                     fmt::format("binds port {} of the target, and so does `{}`", port,
                                 printable(graph.id(first->second.step), 160)),
                     sink)
            .label("two listeners, one port")
            .note(graph.origin(first->second.step), "the other one")
            .help("give each a port of its own");
      }
      // The lock tells no names: another protocol is another listener for certain.
      for (const ir::Value& listener : there.items()) {
        const std::string_view other = listener["protocol"].string_or("");
        if (listener["port"].integer_or(0) != port || other == protocol) continue;
        report_write(view, write, Kind::listener_bound_twice,
                     fmt::format("binds port {} of the target, where it listens for `{}` already",
                                 port, printable(other, 40)),
                     sink)
            .label(fmt::format("for `{}`", printable(protocol, 40)))
            .help("give it a port of its own");
      }
    }
  }
}

}  // namespace plan::check::rules
