// Says which domain has a catch-all at the source. It is not carried over: on the target it would
// swallow the mail of everybody who has not moved (reference/split-delivery.md 8 rule 4).
#include <fmt/format.h>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void catch_all_at_source(const Migration& migration, Sink& sink) {
  const ir::Value& catch_alls = setting(migration, "source.catch_alls");
  for (const Named& domain : migration.plan.domains) {
    const ir::Value& members = catch_alls["@" + domain.text];
    if (members.size() == 0) continue;
    std::string words;
    for (const ir::Value& member : members.items())
      words +=
          fmt::format("{}`{}`", words.empty() ? "" : ", ", printable(member.string_or(""), 120));
    sink.report(Kind::catch_all_at_source, domain.span,
                fmt::format("at the source mail for unknown addresses of `{}` goes to {}",
                            printable(domain.text, 120), words))
        .label("from finalize on the target refuses such mail")
        .help(
            fmt::format("when everybody has moved, set `catchAllAddress` of `{}` on the target; it "
                        "takes one address, for several make a list",
                        printable(domain.text, 120)));
  }
}

}  // namespace plan::check::rules
