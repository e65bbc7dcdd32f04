// Prevents: passwords that nobody can use. While `Authentication.directoryId` names a directory,
// the target takes no password for any account, and asks the directory at every login
// (reference/stalwart-admin.md 5.3).
#include <fmt/format.h>

#include <algorithm>

#include "compiler/check/graph_view.h"
#include "compiler/check/rules.h"

namespace plan::check::rules {

void directory_written(const GraphView& view, Sink& sink) {
  const std::vector<Account>& accounts = view.migration().accounts;
  const auto with_password = static_cast<std::size_t>(
      std::count_if(accounts.begin(), accounts.end(),
                    [](const Account& account) { return account.has_password; }));
  if (with_password == 0) return;
  for (const TargetWrite& write : view.writes()) {
    if (write.object != "Authentication" || write.set["directoryId"].is_null()) continue;
    report_write(view, write, Kind::password_lockout,
                 fmt::format("lets a directory decide about every login, while the plan brings the "
                             "passwords of {}",
                             counted(with_password, "account", "accounts")),
                 sink)
        .label("the target refuses a password for any account as long as this is set")
        .help(
            "do it when everybody has moved, or name the accounts under `without_password`: the "
            "directory has theirs");
  }
}

}  // namespace plan::check::rules
