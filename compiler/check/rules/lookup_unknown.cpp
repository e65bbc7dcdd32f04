// Says that an expression asks a lookup that nobody fills, while the plan fills one of nearly that
// name. An unknown lookup is no error: `key_exists` is false for everything
// (reference/split-delivery.md 2). Names that are like none of the plan's are left alone: they may
// be lists of the target, which are too large to be listed.
#include <fmt/format.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/check/named_results.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

bool is_lookup(std::string_view object) {
  return object == "MemoryLookupKey" || object == "MemoryLookupKeyValue" ||
         object == "StoreLookup" || object == "HttpLookup";
}

/// The namespaces that steps fill, and a step that does.
std::map<std::string, ir::StepId, std::less<>> filled(const GraphView& view) {
  std::map<std::string, ir::StepId, std::less<>> names;
  for (const TargetWrite& write : view.writes()) {
    if (is_lookup(write.object)) names.emplace(write.match["namespace"].string_or(""), write.step);
  }
  std::set<const ir::StepShape*> seen;
  for (const ir::StepId step : view.of_kind(ir::StepKind::admin_keys)) {
    if (seen.insert(&view.graph().shape(step)).second)
      names.emplace(view.graph().argument(step, "namespace").string_or(""), step);
  }
  names.erase("");
  return names;
}

}  // namespace

void lookup_unknown(const GraphView& view, Sink& sink) {
  const auto known = filled(view);
  std::vector<std::string_view> candidates;
  for (const auto& [name, step] : known) candidates.push_back(name);
  for (const TargetWrite& write : view.writes()) {
    std::set<std::string> said;
    for (const auto& [member, value] : write.set.members()) {
      if (!value.is_map() || !value["else"].is_string()) continue;
      for (const std::string& name : namespaces_asked(value)) {
        if (known.contains(name) || !said.insert(name).second) continue;
        const auto near = nearest(name, candidates);
        if (!near) continue;
        report_write(view, write, Kind::lookup_unknown,
                     fmt::format("asks the lookup `{}`, which no step fills", printable(name, 60)),
                     sink)
            .label(fmt::format("did you mean `{}`?", printable(*near, 60)))
            .note(view.graph().origin(known.find(*near)->second),
                  fmt::format("this step fills `{}`", printable(*near, 60)))
            .help("write one namespace in both");
      }
    }
  }
}

}  // namespace plan::check::rules
