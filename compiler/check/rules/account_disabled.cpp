// Says which accounts cannot log in at the source. Beside Dovecot they move with their mail, stay
// locked on the target, and go on receiving (reference/sources.md 2). A Stalwart 0.15 lets its
// master user in only where the account itself may log in (reference/stalwart-v015-api.md 4 and
// 5.5), so that nothing of such an account can be read.
#include <fmt/format.h>

#include "compiler/check/kind_of_source.h"
#include "compiler/check/rules.h"

namespace plan::check::rules {

void account_disabled(const Migration& migration, Sink& sink) {
  Examples examples;
  for (const Account& account : migration.accounts) {
    if (!account.lock->is_enabled) examples.add(account.lock->address, account.lock->span);
  }
  if (examples.count == 0) return;
  auto report = sink.report(
      Kind::account_disabled, examples.first,
      fmt::format("{} log in at the source: {}",
                  counted(examples.count, "account cannot", "accounts cannot"), examples.text()));
  if (!is_from_stalwart(migration.plan)) {
    report.label("moves with its mail, stays locked, and receives mail")
        .help("leave out with `accounts: {except: [...]}` who is not to move");
    return;
  }
  report.severity(Severity::error)
      .label("the old server refuses its master user here too: nothing could be copied")
      .help(
          "let it log in there until it has moved, with a password that nobody knows: take "
          "`authenticate` out of its `disabledPermissions`, or give it the role `user`; then run "
          "`plan fetch`")
      .help("or leave it where it is with `accounts: {except: [...]}`");
}

}  // namespace plan::check::rules
