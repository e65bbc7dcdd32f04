// Prevents: a catch-all that a module gives to a migrating domain while accounts are still on the
// source. It comes before the relay and swallows their mail (reference/split-delivery.md 4 and 8
// rule 4).
#include <fmt/format.h>

#include <algorithm>

#include "compiler/check/graph_view.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void catch_all_written(const GraphView& view, Sink& sink) {
  const std::vector<Named>& domains = view.plan().domains;
  for (const TargetWrite& write : view.writes()) {
    if (write.object != "Domain" || view.graph().stage(write.step) == ir::Stage::finalize) continue;
    const std::string_view address = write.set["catchAllAddress"].string_or("");
    const std::string domain = lower_ascii(write.match["name"].string_or(""));
    if (address.empty() || std::none_of(domains.begin(), domains.end(),
                                        [&](const Named& one) { return one.text == domain; }))
      continue;
    report_write(view, write, Kind::catch_all,
                 fmt::format("lets `{}` take all mail for unknown addresses of `{}`",
                             printable(address, 120), printable(domain, 120)),
                 sink)
        .label("it would get the mail of everybody who has not moved yet")
        .help("write it in stage finalize, behind `finalize/domains`, when everybody has moved");
  }
}

}  // namespace plan::check::rules
