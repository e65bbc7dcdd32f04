// Prevents: a relay whose address is a loopback one is a permanent failure on the target, every
// message to an account that has not moved bounces (reference/stalwart-admin.md 5.8,
// split-delivery.md 8 rule 6).
#include <fmt/format.h>

#include "compiler/check/names.h"
#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void relay_loopback(const Migration& migration, Sink& sink) {
  const auto look = [&](const Named& address, std::string_view what, std::string_view why) {
    if (address.text.empty() || !is_loopback(address.text)) return;
    const bool is_any = address.text.find_first_not_of("0.:[]") == std::string::npos;
    sink.report(Kind::relay_loopback, address.span,
                fmt::format("{} is `{}`, {}", what, printable(address.text, 80),
                            is_any ? "which is no machine's address and leads each one to itself"
                                   : "a loopback address"))
        .label(std::string(why))
        .help(
            "give the machine an address that others can reach, also when both servers run on one "
            "machine");
  };
  look(migration.plan.source_address, "the source",
       "the target refuses to relay there and bounces the mail");
  look(migration.plan.target_address, "the target", "the source would deliver to itself");
  look(migration.plan.proxy, "the proxy", "clients cannot reach it");
}

}  // namespace plan::check::rules
