// Prevents: users whose program cannot log in any more: by a protocol that the target does not
// serve (reference/stalwart-admin.md 9 row 24), or in a way that the proxies do not have: they
// route by the name, which PLAIN and LOGIN carry, and hand the password on (published guide, opaque
// tokens).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "compiler/check/listeners.h"
#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

void look_at_mechanisms(const Migration& migration, Sink& sink) {
  const std::string_view measured = setting(migration, "source.auth_mechanisms").string_or("");
  std::string others;
  for (const std::string_view word : split(measured, ' ')) {
    const std::string_view name = trim(word);
    if (name.empty() || equals_ignoring_case(name, "plain") || equals_ignoring_case(name, "login"))
      continue;
    others += fmt::format("{}`{}`", others.empty() ? "" : ", ", printable(name, 40));
  }
  if (others.empty()) return;
  sink.report(Kind::protocol_not_at_target, migration.plan.place("source"),
              fmt::format("users may log in at the source by {}, and the proxies take `plain` and "
                          "`login` only",
                          others))
      .label("a program that is set to it is refused from the cutover on")
      .help(
          "find them in the source's log (`method=` in the lines of its logins), and let them "
          "choose the normal password under TLS in their programs before the cutover; if there are "
          "none, silence this with that as the reason");
}

}  // namespace

void protocol_not_at_target(const Migration& migration, Sink& sink) {
  look_at_mechanisms(migration, sink);
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
