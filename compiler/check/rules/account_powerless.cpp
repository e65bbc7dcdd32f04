// Prevents: an account or group that can do nothing. Permissions that replace those of the roles
// are all that is left, and a list of roles may be empty; the target takes both
// (reference/stalwart-admin.md 5.3, 5.5).
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/ir/row_values.h"

namespace plan::check::rules {
namespace {

bool has(const std::vector<std::string_view>& names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// Roles of its own, and none of them.
bool are_none(const ir::Value& roles) {
  const ir::Value& ids = roles["roleIds"];
  return roles["@type"].string_or("") == "Custom" && !ids.is_output() && ids.size() == 0;
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
  if (are_none(write.set["roles"]) && permissions["enabledPermissions"].size() == 0)
    return "any role";
  return {};
}

/// The step that makes an account gives no permissions beside the roles.
void look_at_roles(const GraphView& view, Sink& sink) {
  const ir::StepGraph& graph = view.graph();
  std::set<const ir::StepShape*> done;
  for (const ir::StepId step : view.of_kind(ir::StepKind::admin_account)) {
    const ir::StepShape& shape = graph.shape(step);
    if (done.contains(&shape)) continue;
    // The same for all of a shape, unless a module computes it from the row.
    if (!ir::is_of_row(shape.arguments["roles"])) done.insert(&shape);
    if (!are_none(graph.argument(step, "roles"))) continue;
    done.insert(&shape);
    report_step(view, step, Kind::account_powerless, "makes an account without any role", sink)
        .label("the target takes it without a word, and bounces the account's mail")
        .help(
            "leave `roles` out for the role of users, or name one: `roles = { \"@type\" = "
            "\"User\" }`");
  }
}

/// An account is made closed, and its user's door at the source is shut: somebody has to open it.
void look_at_moves(const GraphView& view, Sink& sink) {
  using ir::StepKind;
  const ir::StepGraph& graph = view.graph();
  std::set<const ir::StepShape*> said;
  for (const ir::StepId step : view.of_kind(StepKind::admin_account)) {
    if (!view.has_in_row(step, StepKind::proxy_release) ||
        view.has_in_row(step, StepKind::admin_account_open) || said.contains(&graph.shape(step)))
      continue;
    // Who was locked out at the source stays so.
    const Migration& migration = view.migration();
    const std::int64_t index = migration.account_with(graph.row_name(graph.row(step)));
    if (index >= 0 && !migration.accounts[static_cast<std::size_t>(index)].lock->is_enabled)
      continue;
    said.insert(&graph.shape(step));
    report_step(view, step, Kind::account_powerless,
                "makes an account that is closed, and no step opens it", sink)
        .label("its user could log in neither here nor at the source")
        .help("add a step of kind `admin.account-open` in front of the account's `proxy.release`");
  }
}

/// Whoever has a password at the source brings it along, by the step that makes the account or by
/// the one that refreshes it in the hold.
void look_at_passwords(const GraphView& view, Sink& sink) {
  using ir::StepKind;
  const ir::StepGraph& graph = view.graph();
  const std::vector<Account>& accounts = view.migration().accounts;
  std::set<ir::RowId> refreshed;
  bool is_known = false;
  std::set<const ir::StepShape*> said;
  const ir::StepShape* with = nullptr;
  for (const ir::StepId step : view.of_kind(StepKind::admin_account)) {
    const ir::StepShape& shape = graph.shape(step);
    if (&shape == with) continue;
    if (!shape.arguments["password"].is_null()) with = &shape;
    if (with == &shape || said.contains(&shape) || !view.has_in_row(step, StepKind::proxy_release))
      continue;
    const std::int64_t index = view.migration().account_with(graph.row_name(graph.row(step)));
    if (index < 0) continue;
    const Account& account = accounts[static_cast<std::size_t>(index)];
    if (!account.has_password || !account.lock->is_enabled || account.lock->hash_scheme == "NONE")
      continue;
    if (!is_known) {
      for (const ir::StepId refresh : view.of_kind(StepKind::admin_account_refresh)) {
        if (!graph.shape(refresh).arguments["password"].is_null())
          refreshed.insert(graph.row(refresh));
      }
      is_known = true;
    }
    if (refreshed.contains(graph.row(step))) continue;
    said.insert(&shape);
    report_step(view, step, Kind::account_powerless,
                "makes an account without the password that it has at the source", sink)
        .label("the target would refuse its user")
        .help(
            "write `password = account.password` and `password_scheme = account.password_scheme`; "
            "who shall have none is named in `accounts: {without_password: [...]}`");
  }
}

}  // namespace

void account_powerless(const GraphView& view, Sink& sink) {
  look_at_roles(view, sink);
  look_at_moves(view, sink);
  look_at_passwords(view, sink);
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
