// Prevents the most expensive mistake of all: a hash that the target does not recognise becomes the
// password itself. Nobody can log in, except whoever has the file (reference/sources.md 1.1).
#include <fmt/format.h>

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "compiler/check/kind_of_source.h"
#include "compiler/check/rules.h"
#include "compiler/facts/password_form.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void password_lockout(const Migration& migration, Sink& sink) {
  const Apart apart(migration.plan, {Kind::password_rewritten, Kind::password_lockout});
  std::map<std::pair<std::string_view, std::string_view>, Examples> by_scheme;
  for (const Account& account : migration.accounts) {
    const facts::LockAccount& lock = *account.lock;
    if (!account.has_password || lock.hash_scheme.empty()) continue;
    by_scheme[{lock.hash_scheme, apart.of(lock.address)}].add(lock.address, lock.span);
  }
  for (const auto& [scheme_and_place, examples] : by_scheme) {
    const std::string_view scheme = scheme_and_place.first;
    const facts::PasswordForm form = facts::password_form(scheme);
    const std::string who = counted(examples.count, "account has", "accounts have");
    switch (form.verdict) {
      case facts::PasswordVerdict::keep:
        break;
      case facts::PasswordVerdict::rewrite:
      case facts::PasswordVerdict::hash:
        sink.report(Kind::password_rewritten, examples.first,
                    fmt::format("{} a hash of form `{}`: {}", who, printable(scheme, 60),
                                examples.text()))
            .label(fmt::format("the target gets {}", form.words));
        break;
      case facts::PasswordVerdict::refuse:
      case facts::PasswordVerdict::unknown:
        sink.report(Kind::password_lockout, examples.first,
                    fmt::format("{} a hash of form `{}`, which does not work on the target: {}",
                                who, printable(scheme, 60), examples.text()))
            .label(std::string(form.words))
            .help(is_from_stalwart(migration.plan)
                      ? "set a new password for them at the source, then run `plan fetch`"
                      : "set a new password for them at the source with `doveadm pw -s "
                        "SHA512-CRYPT`, then run `plan fetch`")
            .help(
                "or name them under `accounts: {without_password: [...]}`: they move without one, "
                "and you set it on the target");
        break;
    }
  }
}

}  // namespace plan::check::rules
