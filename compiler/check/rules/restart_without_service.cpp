// Prevents: a restart of the target that plan has no way to do: found when everything in front of
// it has been written.
#include "compiler/check/graph_view.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void restart_without_service(const GraphView& view, Sink& sink) {
  const Plan& plan = view.plan();
  const auto restarts = view.of_kind(ir::StepKind::service_restart);
  if (restarts.empty() || plan.target["service"].is_map()) return;
  const ir::StepGraph& graph = view.graph();
  sink.report(Kind::restart_without_service, plan.place("target"),
              "a step restarts the target, and `target` does not say how")
      .label("`service` is missing")
      .note(graph.origin(restarts.front()), "this step does")
      .help(
          "`service: {unit: stalwart.service}`, `{container: stalwart}` or `{stop: [...], start: "
          "[...], running: [...]}`, and `hosts: {target: ...}` when plan runs elsewhere. To do it "
          "by hand leave the module out, write the listeners before the migration, restart the "
          "target there (`systemctl restart stalwart`, `docker restart CONTAINER`) and run `plan "
          "fetch`");
}

}  // namespace plan::check::rules
