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
  std::unordered_map<std::string_view, Owner> owners;
  owners.reserve(migration.accounts.size() * 2);
  const auto claim = [&](std::string_view address, const Owner& owner) {
    const auto [entry, is_new] = owners.emplace(address, owner);
    if (is_new) return;
    const Owner& first = entry->second;
    sink.report(Kind::alias_collision, owner.span,
                fmt::format("address `{}` belongs to {} `{}` and to {} `{}`",
                            printable(address, 120), first.what, printable(first.name, 120),
                            owner.what, printable(owner.name, 120)))
        .note(first.span, "the first one")
        .help(
            "decide at the source who has the address, then run `plan fetch`; an address with two "
            "readers is a list");
  };
  for (const Account& account : migration.accounts)
    claim(account.lock->address, {account.lock->address, "account", account.lock->span});
  for (const MailList& list : migration.lists)
    claim(list.lock->address, {list.lock->address, "list", list.lock->span});
  for (const Account& account : migration.accounts) {
    for (const std::string& alias : account.lock->aliases)
      claim(alias, {account.lock->address, "account", account.lock->span});
  }
}

}  // namespace plan::check::rules
