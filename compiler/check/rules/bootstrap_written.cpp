// Prevents: a second bootstrap of a server that is set up. It leaves two domains and two
// administrators (reference/stalwart-admin.md 0a, 4.2), and a target that was never set up answers
// no survey.
#include "compiler/check/graph_view.h"

namespace plan::check::rules {

void bootstrap_written(const GraphView& view, Sink& sink) {
  for (const TargetWrite& write : view.writes()) {
    if (write.object != "Bootstrap") continue;
    report_write(view, write, Kind::bootstrap_written, "sets up a target that is set up already",
                 sink)
        .label("it would leave two domains and two administrators")
        .help(
            "leave the step out: set the server up by hand, restart it, and run `plan fetch`; "
            "domains and settings are objects of their own");
  }
}

}  // namespace plan::check::rules
