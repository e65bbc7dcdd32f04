// Prevents: a last copy that is not the last, because somebody still writes: a client, the user at
// the source's own door, or the mail that arrives (design.md section 6).
#include <fmt/format.h>

#include <array>
#include <set>
#include <utility>

#include "compiler/check/graph_view.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void delta_without_hold(const GraphView& view, Sink& sink) {
  using ir::StepKind;
  constexpr std::array<std::pair<StepKind, std::string_view>, 3> kHolds = {{
      {StepKind::proxy_hold, "clients of the proxies still write"},
      {StepKind::postfix_hold, "mail still arrives at the source"},
      {StepKind::dovecot_deny, "the source's own door is still open"},
  }};
  const ir::StepGraph& graph = view.graph();
  // A procedure that moves mail only, without clients, has nobody to hold.
  if (view.of_kind(StepKind::proxy_release).empty()) return;
  std::set<std::pair<const ir::StepShape*, StepKind>> said;
  for (const ir::StepId delta : view.of_kind(StepKind::archive_delta)) {
    for (const auto& [hold, why] : kHolds) {
      if (said.contains({&graph.shape(delta), hold}) || view.follows_in_row(delta, hold)) continue;
      said.insert({&graph.shape(delta), hold});
      sink.report(Kind::delta_without_hold, graph.origin(delta),
                  fmt::format("the last copy `{}` is made before `{}`",
                              printable(graph.id(delta), 160), info(hold).name))
          .label(std::string(why))
          .help(fmt::format("let it wait for the account's step of kind `{}`", info(hold).name));
    }
  }
}

}  // namespace plan::check::rules
