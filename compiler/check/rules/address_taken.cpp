// Says that the target has an address already: either an earlier run made it, or somebody else's
// account would get the mail of ours. Driver and diff tell the two apart; here is only a warning.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void address_taken(const Migration& migration, Sink& sink) {
  const std::vector<std::string>& taken = migration.lock->target_addresses;
  if (taken.empty()) return;
  const Apart apart(migration.plan, {Kind::address_taken});
  std::map<std::string_view, Examples> found;
  const auto look = [&](const std::string& address, const auto& owner) {
    if (std::binary_search(taken.begin(), taken.end(), address))
      found[apart.of(owner.address)].add(address, owner.span);
  };
  for (const Account& account : migration.accounts) {
    look(account.lock->address, *account.lock);
    for (const std::string& alias : account.lock->aliases) look(alias, *account.lock);
  }
  for (const MailList& list : migration.lists) look(list.lock->address, *list.lock);
  for (const auto& [place, examples] : found) {
    sink.report(Kind::address_taken, examples.first,
                fmt::format("{} on the target already: {}",
                            counted(examples.count, "address of this plan is",
                                    "addresses of this plan are"),
                            examples.text()))
        .label("the first of them")
        .help(
            "that is so after an earlier run; if it is not, look at who has them before you apply");
  }
}

}  // namespace plan::check::rules
