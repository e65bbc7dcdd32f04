// Prevents: a domain that the target does not take. It wants a known public suffix or one of a few
// private ones (reference/stalwart-admin.md 1.7).
#include <fmt/format.h>

#include <array>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void domain_refused(const Migration& migration, Sink& sink) {
  // Reserved by RFC 2606 and RFC 7686, on no list of public suffixes, and not among those that the
  // target takes without one (test, localhost, local, internal, lan, home, corp, ...).
  constexpr std::array<std::string_view, 3> kRefused = {"example", "invalid", "onion"};
  for (const Named& domain : migration.plan.domains) {
    const std::string_view suffix =
        std::string_view(domain.text).substr(domain.text.rfind('.') + 1);
    for (const std::string_view refused : kRefused) {
      if (suffix != refused) continue;
      sink.report(Kind::domain_refused, domain.span,
                  fmt::format("the target takes no domain below `.{}`", suffix))
          .label("creating the domain would be refused")
          .help("for a trial use a domain below `.test`");
    }
  }
}

}  // namespace plan::check::rules
