// Says which domain has a catch-all at the source. It is not carried over: on the target it would
// swallow the mail of everybody who has not moved (reference/split-delivery.md 8 rule 4).
#include <fmt/format.h>

#include <algorithm>

#include "compiler/check/kind_of_source.h"
#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

namespace {

bool moves_one_of(const Migration& migration, const ir::Value& members) {
  return std::any_of(migration.accounts.begin(), migration.accounts.end(), [&](const Account& one) {
    return std::any_of(
        members.items().begin(), members.items().end(),
        [&](const ir::Value& member) { return member.string_or("") == one.lock->address; });
  });
}

}  // namespace

void catch_all_at_source(const Migration& migration, Sink& sink) {
  const ir::Value& catch_alls = setting(migration, "source.catch_alls");
  for (const Named& domain : migration.plan.domains) {
    const ir::Value& members = catch_alls["@" + domain.text];
    if (members.size() == 0) continue;
    std::string words;
    for (const ir::Value& member : members.items())
      words +=
          fmt::format("{}`{}`", words.empty() ? "" : ", ", printable(member.string_or(""), 120));
    auto report =
        sink.report(Kind::catch_all_at_source, domain.span,
                    fmt::format("at the source mail for unknown addresses of `{}` goes to {}",
                                printable(domain.text, 120), words));
    if (is_from_stalwart(migration.plan) && moves_one_of(migration, members)) {
      // Its route is asked for the address that nobody has, which is in no list.
      report.severity(Severity::error)
          .label(
              "it goes on into the old mailbox when that one has moved, and nobody reads it there")
          .help(fmt::format(
              "take `@{}` from its addresses at the old server before the move, and run "
              "`plan fetch`; or leave the account where it is (`except`)",
              printable(domain.text, 120)));
      continue;
    }
    report.label("from finalize on the target refuses such mail")
        .help(
            fmt::format("when everybody has moved, set `catchAllAddress` of `{}` on the target; it "
                        "takes one address, for several make a list",
                        printable(domain.text, 120)));
  }
}

}  // namespace plan::check::rules
