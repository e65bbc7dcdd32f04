// Prevents: a relay route of a module's own that leads to a loopback address, which bounces every
// message, or back to the target (reference/stalwart-admin.md 5.8, split-delivery.md 8 rule 6).
#include <fmt/format.h>

#include "compiler/check/graph_view.h"
#include "compiler/check/names.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void relay_written(const GraphView& view, Sink& sink) {
  const Plan& plan = view.plan();
  for (const TargetWrite& write : view.writes()) {
    if (write.object != "MtaRoute" || !write.set["address"].is_string()) continue;
    const std::string& address = write.set["address"].as_string();
    if (is_loopback(address)) {
      report_write(view, write, Kind::relay_loopback,
                   fmt::format("relays to `{}`, a loopback address", printable(address, 80)), sink)
          .label("the target refuses to relay there and bounces the mail")
          .help("name the machine by an address that others can reach");
      continue;
    }
    const bool is_target = equals_ignoring_case(address, plan.target_address.text);
    if (!is_target && !equals_ignoring_case(address, plan.public_name.text)) continue;
    report_write(view, write, Kind::relay_own_address,
                 fmt::format("relays to `{}`, which is {}", printable(address, 80),
                             is_target ? "the target itself" : "the public name"),
                 sink)
        .label(is_target ? "mail would turn in a circle until it bounces"
                         : "from finalize on this name is the target itself: mail would turn in a "
                           "circle")
        .help("a route leads to another machine; for mail that stays there is `'local'`");
  }
}

}  // namespace plan::check::rules
