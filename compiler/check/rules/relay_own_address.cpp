// Prevents: a relay route to an address of the target itself: messages turn in a circle until they
// have too many hops and bounce (reference/split-delivery.md 8 rule 6).
#include <fmt/format.h>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void relay_own_address(const Migration& migration, Sink& sink) {
  const Plan& plan = migration.plan;
  const auto compare = [&](const Named& a, std::string_view what_a, const Named& b,
                           std::string_view what_b, std::string_view why) {
    if (a.text.empty() || !equals_ignoring_case(a.text, b.text)) return;
    sink.report(
            Kind::relay_own_address, b.span,
            fmt::format("{} and {} have one address, `{}`", what_a, what_b, printable(a.text, 80)))
        .label(std::string(why))
        .note(a.span, fmt::format("{} is here", what_a))
        .help("each of them needs an address of its own, also when they run on one machine");
  };
  compare(plan.source_address, "source", plan.target_address, "target",
          "mail between the two would turn in a circle");
  compare(plan.proxy, "proxy", plan.source_address, "source",
          "the proxy could not listen on the ports of the source");
  compare(plan.proxy, "proxy", plan.target_address, "target",
          "the proxy could not listen on the ports of the target");
  compare(plan.public_name, "the public name", plan.source_address, "source",
          "this name moves to the proxies at the cutover");
  compare(plan.public_name, "the public name", plan.target_address, "target",
          "this name moves to the proxies at the cutover");
}

}  // namespace plan::check::rules
