// Says that accounts are held for longer: a source without QRESYNC cannot tell what changed, so
// every message's flags are looked at again while the clients wait (design.md section 6).
#include <fmt/format.h>

#include <algorithm>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void source_without_qresync(const Migration& migration, Sink& sink) {
  const auto found = migration.lock->capabilities.find("source.imap");
  if (found == migration.lock->capabilities.end() || found->second.empty()) return;
  if (std::any_of(found->second.begin(), found->second.end(),
                  [](const std::string& name) { return equals_ignoring_case(name, "QRESYNC"); }))
    return;
  std::uint64_t most = 0;
  std::string_view who;
  for (const Account& account : migration.accounts) {
    const auto messages =
        migration.facts == nullptr
            ? std::nullopt
            : migration.facts->count(fmt::format("account/{}/messages", account.lock->address));
    if (messages && *messages > most) {
      most = *messages;
      who = account.lock->address;
    }
  }
  auto report = sink.report(
      Kind::source_without_qresync, migration.plan.place("source"),
      most == 0 ? std::string("the source has no QRESYNC")
                : fmt::format("the source has no QRESYNC, and `{}` has {}", printable(who, 120),
                              counted(most, "message", "messages")));
  // One that cannot be read was reported.
  const ir::Value& bound = migration.plan.move["hold_bound"];
  const std::string bound_words =
      bound.is_integer()
          ? fmt::format(", which is bound to {}",
                        show_duration_ms(static_cast<std::uint64_t>(bound.integer_or(0))))
          : std::string();
  report.label("the flags of every message are read again in the hold" + bound_words)
      .help("rehearse the largest account, and raise `move: {hold_bound: ...}` if it needs longer");
}

}  // namespace plan::check::rules
