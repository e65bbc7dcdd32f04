// Prevents: a target that relays for everybody. The server takes the expression without a word
// (reference/stalwart-admin.md 5.10).
#include <fmt/format.h>

#include <algorithm>

#include "compiler/check/graph_view.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

bool is_always_true(std::string_view text) {
  const std::string_view bare = trim(text);
  return bare == "true" || bare == "1";
}

}  // namespace

void open_relay(const GraphView& view, Sink& sink) {
  for (const TargetWrite& write : view.writes()) {
    if (write.object != "MtaStageRcpt") continue;
    const ir::Value& relaying = write.set["allowRelaying"];
    bool is_open = is_always_true(relaying["else"].string_or(""));
    const auto look = [&](const ir::Value& branch) {
      is_open = is_open || (is_always_true(branch["if"].string_or("")) &&
                            is_always_true(branch["then"].string_or("")));
    };
    for (const auto& [number, branch] : relaying["match"].members()) look(branch);
    for (const ir::Value& branch : relaying["match"].items()) look(branch);
    if (!is_open) continue;
    sink.report(Kind::open_relay, view.graph().origin(write.step),
                fmt::format("`{}` lets everybody relay through the target",
                            printable(view.graph().id(write.step), 160)))
        .label("`MtaStageRcpt.allowRelaying` is true for strangers")
        .help(
            "name who may: `else: \"!is_empty(authenticated_as)\"`, and a branch with the source's "
            "`remote_ip`")
        .help("for migrating domains it is not needed: `Domain.allowRelaying` is asked for those");
  }
}

}  // namespace plan::check::rules
