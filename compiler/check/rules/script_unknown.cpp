// Prevents: a stage of the target that names a Sieve script which is not there or not active. The
// target takes the name as it is and runs nothing (reference/stalwart-admin.md 5.15, 5.1).
#include <fmt/format.h>

#include <set>
#include <string>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/check/named_results.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void script_unknown(const GraphView& view, Sink& sink) {
  std::set<std::string, std::less<>> written;
  for (const TargetWrite& write : view.writes()) {
    if (write.object == "SieveSystemScript" && write.is_upsert)
      written.emplace(write.match["name"].string_or(""));
  }
  const TargetNames known = target_names(view.migration(), "target.SieveSystemScript.name");
  std::vector<std::string_view> candidates(written.begin(), written.end());
  candidates.insert(candidates.end(), known.names.begin(), known.names.end());
  for (const TargetWrite& write : view.writes()) {
    if (!write.object.starts_with("MtaStage")) continue;
    for (const std::string& name : named_results(write.set["script"]).texts) {
      if (written.contains(name) || known.names.contains(name)) continue;
      auto report = report_write(
          view, write, Kind::script_unknown,
          fmt::format("names the Sieve script `{}`, and {}", printable(name, 60),
                      known.is_measured ? "the target has no active one of that name"
                                        : "nobody has looked whether the target has it"),
          sink);
      if (!known.is_measured) report.severity(Severity::warning);
      const auto near = nearest(name, candidates);
      report
          .label(near ? fmt::format("did you mean `{}`?", *near)
                      : "the target would run nothing, without a word")
          .help(
              "upsert the SieveSystemScript in the procedure, with `isActive: true`, or run `plan "
              "fetch` when it is on the target");
    }
  }
}

}  // namespace plan::check::rules
