// Prevents: users of a protocol that the target does not serve: their program cannot log in once
// they have moved (reference/stalwart-admin.md 9 row 24).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "compiler/check/listeners.h"
#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void protocol_not_at_target(const Migration& migration, Sink& sink) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kProtocols = {
      {{"imap", "imap"}, {"pop3", "pop3"}, {"sieve", "manageSieve"}}};
  const ir::Value& served = setting(migration, "source.protocols");
  const std::vector<Listener> listeners = listeners_of_target(migration);
  if (!served.is_string() || listeners.empty()) return;
  for (const std::string_view word : split(served.as_string(), ' ')) {
    for (const auto& names : kProtocols) {
      const std::string_view at_source = names.first;
      const std::string_view at_target = names.second;
      if (trim(word) != at_source) continue;
      if (std::any_of(listeners.begin(), listeners.end(),
                      [&](const Listener& listener) { return listener.protocol == at_target; }))
        continue;
      sink.report(
              Kind::protocol_not_at_target, migration.plan.place("target"),
              fmt::format("the source serves `{}`, the target has no listener for it", at_source))
          .label("who uses it cannot log in any more once he has moved")
          .help(fmt::format("let std/listener make one of protocol `{}`", at_target));
    }
  }
}

}  // namespace plan::check::rules
