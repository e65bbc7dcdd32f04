// Says which aliases are switched off at the source. On the target a disabled alias is not local:
// mail to it goes back to the source, which bounces it (reference/split-delivery.md 4).
#include <fmt/format.h>

#include <map>
#include <string>
#include <string_view>

#include "compiler/check/rules.h"

namespace plan::check::rules {

void disabled_alias(const Migration& migration, Sink& sink) {
  const Apart apart(migration.plan, {Kind::disabled_alias});
  std::map<std::string_view, Examples> disabled;
  for (const Account& account : migration.accounts) {
    for (const std::string& alias : account.lock->disabled_aliases)
      disabled[apart.of(account.lock->address)].add(alias, account.lock->span);
  }
  for (const auto& [place, examples] : disabled) {
    sink.report(Kind::disabled_alias, examples.first,
                fmt::format("{} switched off at the source and not carried over: {}",
                            counted(examples.count, "alias is", "aliases are"), examples.text()))
        .label("the first of them")
        .help("switch on at the source what you want to keep, and run `plan fetch`");
  }
}

}  // namespace plan::check::rules
