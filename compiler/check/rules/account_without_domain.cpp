// Prevents: accounts that stay behind because the source knows them by a bare name. The target
// names accounts by their whole address (reference/migration-proxy.md 17.3).
#include <fmt/format.h>

#include "compiler/check/kind_of_source.h"
#include "compiler/check/rules.h"

namespace plan::check::rules {

void account_without_domain(const Migration& migration, Sink& sink) {
  Examples examples;
  for (const facts::LockAccount& account : migration.lock->accounts) {
    if (account.address.find('@') == std::string::npos) examples.add(account.address, account.span);
  }
  if (examples.count == 0) return;
  auto report = sink.report(Kind::account_without_domain, examples.first,
                            fmt::format("{} no domain: {}",
                                        counted(examples.count, "account of the source has",
                                                "accounts of the source have"),
                                        examples.text()));
  report.label("the target names accounts by their whole address");
  if (is_from_stalwart(migration.plan)) {
    report.help("give the principal an address at the old server and run `plan fetch`")
        .help("or remove it there if nobody reads it");
    return;
  }
  report.help("set `auth_default_realm` at the source to their domain and run `plan fetch`")
      .help("or leave them out of the users file if nobody reads them");
}

}  // namespace plan::check::rules
