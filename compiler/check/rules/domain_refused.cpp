// Prevents: a domain that the target does not take. It wants a known public suffix or one of a few
// private ones (reference/stalwart-admin.md 1.7).
#include <fmt/format.h>

#include <algorithm>

#include "compiler/check/rules.h"
#include "compiler/schema/top_level.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

bool has_domain(const Migration& migration, std::string_view name) {
  if (migration.lock == nullptr) return false;
  const auto& domains = migration.lock->target_domains;
  return std::any_of(domains.begin(), domains.end(),
                     [&](const facts::LockDomain& domain) { return domain.name == name; });
}

}  // namespace

void domain_refused(const Migration& migration, Sink& sink) {
  for (const Named& domain : migration.plan.domains) {
    const schema::TopLevel top = schema::top_level_of(domain.text);
    if (top == schema::TopLevel::known || has_domain(migration, domain.text)) continue;
    const std::string_view suffix =
        std::string_view(domain.text).substr(domain.text.rfind('.') + 1);
    if (top == schema::TopLevel::refused) {
      sink.report(Kind::domain_refused, domain.span,
                  fmt::format("the target takes no domain below `.{}`", suffix))
          .label("creating the domain would be refused")
          .help("for a trial use a domain below `.test`");
      continue;
    }
    sink.report(Kind::domain_refused, domain.span,
                fmt::format("`.{}` was no top-level domain on {}, and the target takes none that "
                            "it does not know",
                            printable(suffix, 70), schema::kTopLevelsAsOf))
        .severity(Severity::warning)
        .label("creating the domain would be refused")
        .help(fmt::format(
            "give its accounts addresses of another domain at the source, let `domains` name that "
            "one and run `plan fetch`; besides those of the public list the target takes {}. If it "
            "is newer than that day, silence this with that as the reason",
            schema::kInnerTopLevels));
  }
}

}  // namespace plan::check::rules
