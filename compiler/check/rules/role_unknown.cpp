// Prevents: an id of a role that is not there. One account with such an id turns a whole call into
// `serverUnavailable`, and what was made before it in the call is not reported
// (reference/stalwart-admin.md 0a, 3.4).
#include <fmt/format.h>

#include <map>
#include <set>
#include <string>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/check/rules.h"
#include "compiler/check/written_objects.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void role_unknown(const GraphView& view, Sink& sink) {
  const ir::Value& roles = setting(view.migration(), "target.Role.roleIds");
  std::map<std::string, std::string, std::less<>> by_description;
  std::set<std::string, std::less<>> ids;
  for (const ir::Value& role : roles.items()) {
    ids.emplace(role["id"].string_or(""));
    by_description.emplace(role["description"].string_or(""), role["id"].string_or(""));
  }
  const auto look = [&](ir::StepId step, const std::vector<Reference>& references) {
    std::set<std::string> said;
    for (const Reference& reference : references) {
      if (reference.type != "Role" || !reference.step.empty() || ids.contains(reference.id) ||
          !said.insert(reference.id).second)
        continue;
      const auto named = by_description.find(reference.id);
      auto report =
          sink.report(Kind::role_unknown, view.graph().origin(step),
                      fmt::format("`{}` gives the role `{}` (`{}`), and {}",
                                  printable(view.graph().id(step), 160),
                                  printable(reference.id, 80), reference.member,
                                  roles.is_list() ? "the target has none of that id"
                                                  : "nobody has looked whether the target has it"));
      if (!roles.is_list()) report.severity(Severity::warning);
      report.label("one unknown role makes the target fail a whole call");
      if (named != by_description.end())
        report.help(fmt::format("the role of that description has the id `{}`",
                                printable(named->second, 80)));
      report.help(
          "upsert the role in the procedure and take its id: `!output \"STEP id\"`; ids of roles "
          "that are there come with `plan fetch`");
    }
  };
  for (const TargetWrite& write : view.writes()) look(write.step, references_of(write));
  // All accounts of one shape have the same roles, unless their row says otherwise.
  std::set<std::string> said;
  for (const ir::StepId step : view.of_kind(ir::StepKind::admin_account)) {
    const ir::StepShape& shape = view.graph().shape(step);
    if (shape.arguments["roles"].is_null()) continue;
    const ir::Value given = view.graph().argument(step, "roles");
    if (said.insert(shape.id_pattern + ir::canonical_json(given)).second)
      look(step, references_in(given));
  }
}

}  // namespace plan::check::rules
