// Prevents: sub-addresses that the target does not know. Postfix takes any characters as the
// delimiter, the target `+` (reference/sources.md 4).
#include <fmt/format.h>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void recipient_delimiter(const Migration& migration, Sink& sink) {
  const std::string_view delimiters =
      setting(migration, "source.recipient_delimiter").string_or("");
  if (delimiters.find_first_not_of('+') == std::string_view::npos) return;
  sink.report(Kind::recipient_delimiter, migration.plan.place("source"),
              fmt::format("at the source `{}` begins the tag of an address, on the target only `+`",
                          printable(delimiters, 20)))
      .label("mail to other sub-addresses bounces once the account has moved")
      .help(
          "give the domain a rule of its own on the target before the first wave: "
          "`Domain.subAddressing` of type Custom");
}

}  // namespace plan::check::rules
