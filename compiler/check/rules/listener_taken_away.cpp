// Prevents: a port of the target that a step closes while mail, the proxies or plan itself need it:
// its listener is destroyed, or bound elsewhere. Nothing is seen before the next start of the
// target, whoever makes it; from then on mail waits at the source and bounces in the end
// (reference/stalwart-admin.md 4.5, 5.12).
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "compiler/check/closed_ports.h"
#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

std::string help_for(const ClosedPort& closed) {
  constexpr std::string_view kStart =
      "the port closes at the target's next start, whoever makes it";
  if (!closed.is_destroyed)
    return fmt::format(
        "leave this listener as it is, and give one at another port a name of its own, as "
        "std/listener does; {}",
        kStart);
  if (!closed.needed_for.empty())
    return fmt::format("leave this step out, or let another listener have the port before it; {}",
                       kStart);
  return fmt::format(
      "leave this step out, or silence this with the reason why nobody uses the port; {}", kStart);
}

}  // namespace

void listener_taken_away(const GraphView& view, Sink& sink) {
  const bool is_measured = setting(view.migration(), "target.NetworkListener.bind").is_list();
  const std::vector<ClosedPort> all = closed_ports(view);
  for (const ClosedPort& closed : all) {
    if (closed.told_by != closed.step) continue;
    const bool is_needed = !closed.needed_for.empty();
    auto report =
        report_step(view, closed.step, Kind::target_port_closed,
                    fmt::format("closes port {} of the target, where {} for `{}`", closed.port,
                                closed.listener.empty()
                                    ? std::string("it listens")
                                    : fmt::format("`{}` listens", printable(closed.listener, 60)),
                                printable(closed.protocol, 40)),
                    sink);
    report.severity(is_needed && is_measured ? Severity::error : Severity::warning)
        .label(
            std::string(is_needed ? closed.needed_for : "who uses it is refused when he has moved"))
        .help(help_for(closed));
    const auto another = std::find_if(all.begin(), all.end(), [&](const ClosedPort& one) {
      return one.step != closed.step && one.told_by == closed.step && one.port == closed.port &&
             one.protocol == closed.protocol && one.listener == closed.listener;
    });
    if (another != all.end())
      report.note(view.graph().origin(another->step), "and so does this step");
  }
}

}  // namespace plan::check::rules
