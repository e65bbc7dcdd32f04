// Prevents: sub-addresses that the target does not know. Postfix takes any characters as the
// delimiter, the target `+` (reference/sources.md 4). A procedure of std gives no domain a rule of
// its own for them; tag_rule_of_domain looks at what another one does.
#include <string_view>

#include "compiler/check/other_delimiter.h"
#include "compiler/check/rules.h"

namespace plan::check::rules {

void recipient_delimiter(const Migration& migration, Sink& sink) {
  const std::string_view delimiters = other_delimiters(migration);
  if (!delimiters.empty() && migration.plan.use.text.starts_with("std/"))
    report_other_delimiters(migration, delimiters, sink);
}

}  // namespace plan::check::rules
