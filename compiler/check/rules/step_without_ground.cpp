// Prevents: a step that finds nothing to work on, in the middle of the night and for every account:
// a mapping that is committed and was never prepared, a last copy of what was never copied.
#include <fmt/format.h>

#include <array>
#include <set>

#include "compiler/check/graph_view.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

using ir::StepKind;

struct Ground {
  StepKind step = {};
  StepKind needs = {};
  std::string_view otherwise = {};
};

constexpr std::array<Ground, 5> kGrounds = {{
    {StepKind::proxy_release, StepKind::proxy_prepare, "the proxies have no mapping to commit"},
    {StepKind::archive_delta, StepKind::archive_copy,
     "the whole mailbox would be copied while everybody waits"},
    {StepKind::archive_sweep, StepKind::archive_copy, "there is no archive to compare with"},
    {StepKind::admin_account_open, StepKind::admin_account, "there is no account to open"},
    {StepKind::admin_account_refresh, StepKind::admin_account, "there is no account to change"},
}};

}  // namespace

void step_without_ground(const GraphView& view, Sink& sink) {
  const ir::StepGraph& graph = view.graph();
  for (const Ground& ground : kGrounds) {
    std::set<const ir::StepShape*> said;
    for (const ir::StepId step : view.of_kind(ground.step)) {
      if (view.follows_in_row(step, ground.needs) || !said.insert(&graph.shape(step)).second)
        continue;
      report_step(view, step, Kind::procedure_broken,
                  fmt::format("has no step of kind `{}` of the same account before it",
                              info(ground.needs).name),
                  sink)
          .label(std::string(ground.otherwise))
          .help("add one and let this step wait for it (`after`), as std/account-move does");
    }
  }
}

}  // namespace plan::check::rules
