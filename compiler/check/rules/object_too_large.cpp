// Says that a step writes an object which the target may refuse for its size. It keeps 200,000
// bytes of one object after compression (reference/stalwart-admin.md 2.2); how far a text shrinks
// there cannot be told before.
#include <fmt/format.h>

#include <set>

#include "compiler/check/graph_view.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

// What does not shrink at all was seen to fit up to about here.
constexpr std::size_t kFitsForCertain = 199'000;

}  // namespace

void object_too_large(const GraphView& view, Sink& sink) {
  std::set<const ir::StepShape*> said;
  for (const TargetWrite& write : view.writes()) {
    // The number of a list's recipients says more: list-too-large.
    if (write.object == "MailingList") continue;
    const std::size_t bytes = ir::canonical_json(write.set).size();
    if (bytes <= kFitsForCertain || !said.insert(&view.graph().shape(write.step)).second) continue;
    report_write(view, write, Kind::object_too_large,
                 fmt::format("writes {} bytes into one {}", show_count(bytes), write.object), sink)
        .label("the target refuses what has more than 200,000 bytes after its compression")
        .help(write.object == "MtaOutboundStrategy"
                  ? "move the domains by several plans, one after the other"
                  : "write less into one object; what repeats itself a lot may fit, try it on a "
                    "server of your own");
  }
}

}  // namespace plan::check::rules
