// Prevents: a catch-all on the target comes before the relay to the source and swallows the mail of
// every account that has not moved (reference/split-delivery.md 4 and 8 rule 4).
#include <fmt/format.h>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void catch_all(const Migration& migration, Sink& sink) {
  for (const Named& domain : migration.plan.domains) {
    for (const facts::LockDomain& other : migration.lock->target_domains) {
      if (other.name != domain.text || other.catch_all.empty()) continue;
      sink.report(Kind::catch_all, domain.span,
                  fmt::format("on the target all mail for unknown addresses of `{}` goes to `{}`",
                              printable(domain.text, 120), printable(other.catch_all, 120)))
          .label("it would get the mail of everybody who has not moved yet")
          .note(other.span, "seen by `plan fetch`")
          .help(
              "take the catch-all away on the target, run `plan fetch`, and set it again after the "
              "migration");
    }
  }
}

}  // namespace plan::check::rules
