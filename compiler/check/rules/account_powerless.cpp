// Prevents: an account or group that can do nothing. Permissions that replace those of the roles
// are all that is left, and a list of roles may be empty; the target takes both
// (reference/stalwart-admin.md 5.3, 5.5).
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "compiler/check/graph_view.h"

namespace plan::check::rules {
namespace {

bool has(const std::vector<std::string_view>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// What the object could not do any more; empty: it can.
std::string lacking(const TargetWrite& write) {
  const ir::Value& permissions = write.set["permissions"];
  const bool is_user =
      write.set["@type"].string_or(write.match["@type"].string_or("User")) != "Group";
  if (permissions["@type"].string_or("") == "Replace") {
    const auto enabled = members_of(permissions["enabledPermissions"]);
    if (is_user && !has(enabled, "authenticate")) return "`authenticate`: nobody can log in";
    if (!has(enabled, "emailReceive")) return "`emailReceive`: its mail bounces";
    return {};
  }
  const ir::Value& roles = write.set["roles"];
  if (roles["@type"].string_or("") == "Custom" && roles["roleIds"].size() == 0 &&
      permissions["enabledPermissions"].size() == 0)
    return "any role";
  return {};
}

}  // namespace

void account_powerless(const GraphView& view, Sink& sink) {
  for (const TargetWrite& write : view.writes()) {
    if (write.object != "Account") continue;
    const std::string what = lacking(write);
    if (what.empty()) continue;
    report_write(view, write, Kind::account_powerless, "leaves an account without " + what, sink)
        .label("the target takes it without a word")
        .help(
            "`Merge` adds to what the roles allow, `Inherit` leaves it to them; with `Replace` "
            "name "
            "every permission that is needed");
  }
}

}  // namespace plan::check::rules
