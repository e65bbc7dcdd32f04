// Says which accounts cannot log in at the source. Beside Dovecot they move with their mail, stay
// locked on the target, and go on receiving (reference/sources.md 2). A Stalwart 0.15 lets its
// master user in only where the account itself may log in (reference/stalwart-v015-api.md 4 and
// 5.5), so that nothing of such an account can be read.
#include <fmt/format.h>

#include <map>
#include <string_view>

#include "compiler/check/kind_of_source.h"
#include "compiler/check/rules.h"

namespace plan::check::rules {

namespace {

void report(const Migration& migration, const Examples& examples, Sink& sink) {
  auto said = sink.report(
      Kind::account_disabled, examples.first,
      fmt::format("{} log in at the source: {}",
                  counted(examples.count, "account cannot", "accounts cannot"), examples.text()));
  if (!is_from_stalwart(migration.plan)) {
    said.label("moves with its mail, stays locked, and receives mail")
        .help("leave out with `accounts: {except: [...]}` who is not to move");
    return;
  }
  said.severity(Severity::error)
      .label("the old server refuses its master user here too: nothing could be copied")
      .help(
          "let it log in there until it has moved, with a password that nobody knows: take "
          "`authenticate` out of its `disabledPermissions`, or give it the role `user`; then run "
          "`plan fetch`")
      .help("or leave it where it is with `accounts: {except: [...]}`");
}

}  // namespace

void account_disabled(const Migration& migration, Sink& sink) {
  const Apart apart(migration.plan, {Kind::account_disabled});
  std::map<std::string_view, Examples> disabled;
  for (const Account& account : migration.accounts) {
    const facts::LockAccount& lock = *account.lock;
    if (!lock.is_enabled) disabled[apart.of(lock.address)].add(lock.address, lock.span);
  }
  for (const auto& [place, examples] : disabled) report(migration, examples, sink);
}

}  // namespace plan::check::rules
