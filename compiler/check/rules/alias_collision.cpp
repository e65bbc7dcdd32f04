// Prevents: one address that two objects claim. Users, lists and all their aliases share one space
// on the target (reference/stalwart-admin.md 5.1): the second create fails in the middle of a wave.
#include <fmt/format.h>

#include <unordered_map>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void alias_collision(const Migration& migration, Sink& sink) {
  struct Owner {
    std::string_view name = {};
    std::string_view what = {};
    Span span = {};
  };
  const auto owner = [](const Account& account) {
    return Owner{account.lock->address, "account", account.lock->span};
  };
  const auto report = [&](std::string_view address, const Owner& first, const Owner& second) {
    sink.report(Kind::alias_collision, second.span,
                fmt::format("address `{}` belongs to {} `{}` and to {} `{}`",
                            printable(address, 120), first.what, printable(first.name, 120),
                            second.what, printable(second.name, 120)))
        .note(first.span, "the first one")
        .help(
            "decide at the source who has the address, then run `plan fetch`; an address with two "
            "readers is a list");
  };
  // The migration knows who of the accounts has an address; only lists have to be added to that.
  const auto account_with = [&](std::string_view address) -> const Account* {
    const std::int64_t found = migration.account_with(address);
    return found < 0 ? nullptr : &migration.accounts[static_cast<std::size_t>(found)];
  };
  std::unordered_map<std::string_view, Owner> lists;
  for (const MailList& list : migration.lists) {
    const std::string_view address = list.lock->address;
    const Owner own{address, "list", list.lock->span};
    const Account* account = account_with(address);
    if (account != nullptr && account->lock->address == address) {
      report(address, owner(*account), own);
    } else if (const auto [entry, is_new] = lists.emplace(address, own); !is_new) {
      report(address, entry->second, own);
    }
  }
  for (const Account& account : migration.accounts) {
    const std::vector<std::string>& aliases = account.lock->aliases;
    for (std::size_t i = 0; i < aliases.size(); ++i) {
      const std::string& alias = aliases[i];
      const Account* first = account_with(alias);
      if (first == nullptr) continue;
      const bool is_main = first->lock->address == alias;
      const auto list = is_main ? lists.end() : lists.find(alias);
      if (list != lists.end())
        report(alias, list->second, owner(account));
      else if (is_main || first != &account || (i > 0 && alias == aliases[i - 1]))
        report(alias, owner(*first), owner(account));
    }
  }
}

}  // namespace plan::check::rules
