// Says who stays behind in a domain that moves. Until finalize the target hands mail for them to
// the source; from then on it refuses unknown addresses.
#include <fmt/format.h>

#include <unordered_set>

#include "compiler/check/rules.h"

namespace plan::check::rules {

void account_left_behind(const Migration& migration, Sink& sink) {
  if (migration.plan.is_partial) return;
  if (!migration.plan.has_account_list && migration.plan.except.empty()) return;
  std::unordered_set<std::string_view> domains;
  for (const Named& domain : migration.plan.domains) domains.insert(domain.text);
  std::unordered_set<std::string_view> moving;
  for (const Account& account : migration.accounts) moving.insert(account.lock->address);
  for (const MailList& list : migration.lists) moving.insert(list.lock->address);
  Examples examples;
  const auto look = [&](const std::string& address, Span span) {
    if (domains.contains(domain_of(address)) && !moving.contains(address))
      examples.add(address, span);
  };
  for (const facts::LockAccount& account : migration.lock->accounts)
    look(account.address, account.span);
  for (const facts::LockList& list : migration.lock->lists) look(list.address, list.span);
  if (examples.count == 0) return;
  sink.report(Kind::account_left_behind, accounts_place(migration.plan),
              fmt::format("{} in a domain that moves: {}",
                          counted(examples.count, "address stays behind", "addresses stay behind"),
                          examples.text()))
      .label("from finalize on the target refuses mail for them")
      .note(examples.first, "the first of them")
      .help(
          "let them move too, or make them aliases or lists on the target before you approve "
          "finalize");
}

}  // namespace plan::check::rules
