// Prevents: a domain that two objects claim. The target does not look at aliases of domains
// (reference/stalwart-admin.md 5.1), so mail would go to whichever it finds first.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void domain_with_two_owners(const Migration& migration, Sink& sink) {
  std::map<std::string_view, Span> seen;
  for (const Named& domain : migration.plan.domains) {
    const auto [entry, is_new] = seen.emplace(domain.text, domain.span);
    if (!is_new) {
      sink.report(Kind::domain_with_two_owners, domain.span,
                  fmt::format("domain `{}` stands here twice", printable(domain.text, 120)))
          .note(entry->second, "it stands here first")
          .help("take one of the two out");
      continue;
    }
    if (migration.lock == nullptr) continue;
    for (const facts::LockDomain& other : migration.lock->target_domains) {
      if (other.name == domain.text) continue;
      if (std::find(other.aliases.begin(), other.aliases.end(), domain.text) == other.aliases.end())
        continue;
      sink.report(Kind::domain_with_two_owners, domain.span,
                  fmt::format("domain `{}` is an alias of `{}` on the target",
                              printable(domain.text, 120), printable(other.name, 120)))
          .note(other.span, "seen by `plan fetch`")
          .help("take the alias away on the target, or migrate the domain as that alias");
    }
  }
}

}  // namespace plan::check::rules
