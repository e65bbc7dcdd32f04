// Prevents: a login that is cut in two. Dovecot takes what stands in front of the first separator
// for the account, and the rest for a master user, so plan gets to no such mailbox (the same trap
// as reference/migration-proxy.md 4.3). The proxies cut no name that they know whole. Of the
// target, whose separator is `%` (reference/stalwart-admin.md 3.9), nobody has seen how it reads
// two.
#include <fmt/format.h>

#include <array>
#include <map>
#include <string_view>
#include <utility>

#include "compiler/check/kind_of_source.h"
#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

struct Cut {
  std::string_view separator = {};
  std::string_view label = {};
  Severity severity = Severity::warning;
};

/// Who cuts names, the worst first: of one account the first is told.
std::array<Cut, 2> cuts_of(const Plan& plan) {
  const ir::Value& master = plan.source["master_user"];
  const bool is_dovecot = master.is_map() && !is_from_stalwart(plan);
  return {{{is_dovecot ? master["separator"].string_or("*") : std::string_view(),
            "the source takes what is in front of it for the account: plan cannot open its mailbox",
            Severity::error},
           {"%",
            "the target may take what is in front of it for the account, and refuse who logs in"}}};
}

bool has_in_a_name(const facts::LockAccount& account, std::string_view separator) {
  return !separator.empty() && (account.address.find(separator) != std::string::npos ||
                                account.login.find(separator) != std::string::npos);
}

}  // namespace

void separator_in_name(const Migration& migration, Sink& sink) {
  const std::array<Cut, 2> cuts = cuts_of(migration.plan);
  const Apart apart(migration.plan, {Kind::local_part_refused});
  std::map<std::pair<std::size_t, std::string_view>, Examples> found;
  for (const Account& account : migration.accounts) {
    for (std::size_t i = 0; i < cuts.size(); ++i) {
      if (!has_in_a_name(*account.lock, cuts[i].separator)) continue;
      found[{i, apart.of(account.lock->address)}].add(account.lock->address, account.lock->span);
      break;
    }
  }
  for (const auto& [where, accounts] : found) {
    const Cut& cut = cuts[where.first];
    sink.report(Kind::local_part_refused, accounts.first,
                fmt::format("{} `{}` in its login, which begins the name of a master user: {}",
                            counted(accounts.count, "account has", "accounts have"),
                            printable(cut.separator, 4), accounts.text()))
        .severity(cut.severity)
        .label(std::string(cut.label))
        .help(
            "rename it at the source and run `plan fetch`, or leave it out with `except`; where it "
            "is the source's, another `auth_master_user_separator` there helps as well");
  }
}

}  // namespace plan::check::rules
