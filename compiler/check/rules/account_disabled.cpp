// Says which accounts cannot log in at the source. They move with their mail, stay locked on the
// target, and go on receiving (reference/sources.md 2).
#include <fmt/format.h>

#include "compiler/check/rules.h"

namespace plan::check::rules {

void account_disabled(const Migration& migration, Sink& sink) {
  Examples examples;
  for (const Account& account : migration.accounts) {
    if (!account.lock->is_enabled) examples.add(account.lock->address, account.lock->span);
  }
  if (examples.count == 0) return;
  sink.report(Kind::account_disabled, examples.first,
              fmt::format("{} log in at the source: {}",
                          counted(examples.count, "account cannot", "accounts cannot"),
                          examples.text()))
      .label("moves with its mail, stays locked, and receives mail")
      .help("leave out with `accounts: {except: [...]}` who is not to move");
}

}  // namespace plan::check::rules
