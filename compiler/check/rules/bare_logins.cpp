// Says that users may log in without their domain at the source. The proxies know whole addresses
// only: a bare name goes to the source for ever, whose door is closed after the move
// (reference/migration-proxy.md 17.2, 17.3).
#include <fmt/format.h>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void bare_logins(const Migration& migration, Sink& sink) {
  const std::string_view realm = setting(migration, "source.auth_default_realm").string_or("");
  if (realm.empty()) return;
  sink.report(Kind::bare_logins, migration.plan.place("source"),
              fmt::format("at the source users may log in without `@{}`", printable(realm, 120)))
      .label("the bare name is refused once the account has moved")
      .help(
          "find them in the source's log (`doveadm log find`), and let them change the "
          "login in their programs to the whole address before their wave");
}

}  // namespace plan::check::rules
