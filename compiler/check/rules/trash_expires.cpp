// Says that the target empties Trash and Junk by the time a message came there, which for all
// imported mail is the time of the import (reference/stalwart-admin.md 5.13).
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void trash_expires(const Migration& migration, Sink& sink) {
  const ir::Value& after = setting(migration, "target.DataRetention.expungeTrashAfter");
  if (!after.is_integer() || after.as_integer() <= 0) return;
  constexpr std::array<std::string_view, 7> kNames = {
      "Trash", "Junk", "Spam", "Deleted Items", "Deleted Messages", "Junk Email", "Junk E-mail"};
  Examples examples;
  for (const Account& account : migration.accounts) {
    const std::vector<std::string>& mailboxes = account.lock->mailboxes;
    const bool has_one =
        std::any_of(mailboxes.begin(), mailboxes.end(), [&](const std::string& mailbox) {
          return std::any_of(kNames.begin(), kNames.end(), [&](std::string_view name) {
            return equals_ignoring_case(mailbox, name);
          });
        });
    if (has_one) examples.add(account.lock->address, account.lock->span);
  }
  if (examples.count == 0) return;
  sink.report(
          Kind::trash_expires, migration.plan.place("target"),
          fmt::format("the target deletes what lies in Trash and Junk for {}; {} such a mailbox: "
                      "{}",
                      show_duration_ms(static_cast<std::uint64_t>(after.as_integer())),
                      counted(examples.count, "account has", "accounts have"), examples.text()))
      .label("imported mail counts from the day of the import, whatever its date")
      .help(
          "set `DataRetention.expungeTrashAfter` to what the source does, or to null, and run "
          "`plan fetch`");
}

}  // namespace plan::check::rules
