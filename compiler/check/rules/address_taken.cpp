// Says that the target has an address already: either an earlier run made it, or somebody else's
// account would get the mail of ours. Driver and diff tell the two apart; here is only a warning.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void address_taken(const Migration& migration, Sink& sink) {
  const std::vector<std::string>& taken = migration.lock->target_addresses;
  if (taken.empty()) return;
  Examples examples;
  const auto look = [&](const std::string& address, Span span) {
    if (std::binary_search(taken.begin(), taken.end(), address)) examples.add(address, span);
  };
  for (const Account& account : migration.accounts) {
    look(account.lock->address, account.lock->span);
    for (const std::string& alias : account.lock->aliases) look(alias, account.lock->span);
  }
  for (const MailList& list : migration.lists) look(list.lock->address, list.lock->span);
  if (examples.count == 0) return;
  sink.report(Kind::address_taken, examples.first,
              fmt::format(
                  "{} on the target already: {}",
                  counted(examples.count, "address of this plan is", "addresses of this plan are"),
                  examples.text()))
      .label("the first of them")
      .help("that is so after an earlier run; if it is not, look at who has them before you apply");
}

}  // namespace plan::check::rules
