// Says which domain stands for another one at the source. It moves as single aliases: an address
// that is made later has no twin (reference/sources.md 4, stalwart-admin.md 5.2).
#include <fmt/format.h>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void domain_alias_at_source(const Migration& migration, Sink& sink) {
  const ir::Value& aliases = setting(migration, "source.domain_aliases");
  for (const Named& domain : migration.plan.domains) {
    std::string_view to = aliases["@" + domain.text].string_or("");
    if (to.empty()) continue;
    if (to.starts_with('@')) to.remove_prefix(1);
    sink.report(Kind::domain_alias_at_source, domain.span,
                fmt::format("at the source `{}` stands for `{}`", printable(domain.text, 120),
                            printable(to, 120)))
        .label("it moves as one alias for each address that exists now")
        .help(fmt::format("when everybody has moved, make `{}` an alias of the domain `{}` on the "
                          "target in their place",
                          printable(domain.text, 120), printable(to, 120)));
  }
}

}  // namespace plan::check::rules
