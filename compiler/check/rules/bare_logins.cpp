// Says that users may log in without their domain at the source. The proxies know whole addresses
// only: a bare name goes to the source for ever, whose door is closed after the move
// (reference/migration-proxy.md 17.2, 17.3).
#include <fmt/format.h>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

namespace {

/// Accounts of a Stalwart 0.15 whose login is no address, or another one.
void other_logins(const Migration& migration, Sink& sink) {
  const ir::Value& names = setting(migration, "source.login_names");
  const auto count = static_cast<std::size_t>(names["count"].integer_or(0));
  if (count == 0) return;
  std::string words;
  for (const auto& [address, login] : names["first"].members()) {
    words += fmt::format("{}`{}` is `{}`", words.empty() ? "" : ", ",
                         printable(login.string_or(""), 120), printable(address, 120));
  }
  if (count > names["first"].size())
    words += fmt::format(" and {} more", show_count(count - names["first"].size()));
  sink.report(Kind::bare_logins, migration.plan.place("source"),
              fmt::format("{} another name at the source than the address on the target: {}",
                          counted(count, "account logs in with", "accounts log in with"), words))
      .label("the old name is refused once the account has moved")
      .help(
          "give each principal its address as its name at the old server, or tell its user to "
          "change the login to the address before the move");
}

}  // namespace

void bare_logins(const Migration& migration, Sink& sink) {
  other_logins(migration, sink);
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
