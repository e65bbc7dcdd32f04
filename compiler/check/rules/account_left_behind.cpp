// Says who stays behind in a domain that moves. Until finalize the target hands mail for them to
// the source; from then on it refuses unknown addresses.
#include <fmt/format.h>

#include <unordered_set>

#include "compiler/check/rules.h"

namespace plan::check::rules {

void account_left_behind(const Migration& migration, Sink& sink) {
  // Where nobody moves, accounts-empty says so.
  if (migration.plan.is_partial || migration.accounts.empty()) return;
  if (!migration.plan.has_account_list && migration.plan.except.empty()) return;
  std::unordered_set<std::string_view> domains;
  for (const Named& domain : migration.plan.domains) domains.insert(domain.text);
  Examples examples;
  // What moves stands in the order of the lock: who is not the next one of them stays.
  const auto look = [&](const auto& all, const auto& moving) {
    auto next = moving.begin();
    for (const auto& one : all) {
      if (next != moving.end() && next->lock == &one)
        ++next;
      else if (domains.contains(domain_of(one.address)))
        examples.add(one.address, one.span);
    }
  };
  look(migration.lock->accounts, migration.accounts);
  look(migration.lock->lists, migration.lists);
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
