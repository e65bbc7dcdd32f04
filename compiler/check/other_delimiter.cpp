#include "compiler/check/other_delimiter.h"

#include <fmt/format.h>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check {

std::string_view other_delimiters(const Migration& migration) {
  const std::string_view delimiters =
      rules::setting(migration, "source.recipient_delimiter").string_or("");
  return delimiters.find_first_not_of('+') == std::string_view::npos ? std::string_view()
                                                                     : delimiters;
}

void report_other_delimiters(const Migration& migration, std::string_view delimiters, Sink& sink) {
  sink.report(Kind::recipient_delimiter, migration.plan.place("source"),
              fmt::format("at the source `{}` begins the tag of an address, on the target only `+`",
                          printable(delimiters, 20)))
      .label("mail to other sub-addresses bounces once the account has moved")
      .help(
          "give the domain a rule of its own on the target before the first wave: "
          "`Domain.subAddressing` of type Custom");
}

}  // namespace plan::check
