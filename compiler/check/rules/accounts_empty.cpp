// Prevents: a plan that does everything but move somebody, because of a wrong path or domain.
#include "compiler/check/misspelt_domains.h"
#include "compiler/check/rules.h"

namespace plan::check::rules {

void accounts_empty(const Migration& migration, Sink& sink) {
  if (migration.plan.is_partial) return;
  if (!migration.accounts.empty()) return;
  // The rule domain-without-owner says which domain is misspelt: its accounts may be all.
  if (!misspelt_domains(migration.plan, *migration.lock).empty()) return;
  sink.report(Kind::accounts_empty,
              migration.plan.accounts_span.is_known() ? migration.plan.accounts_span
                                                      : migration.plan.span,
              "no account of the source moves")
      .label(
          counted(migration.lock->accounts.size(), "account in the lock", "accounts in the lock"))
      .help(
          "look at `domains`, `from` and `except`; if the source has new accounts, run `plan "
          "fetch`");
}

}  // namespace plan::check::rules
