// Prevents: a dump of a server that goes on writing. Subspaces are read one after another and
// without a common transaction by the server's own export, and our own reader refuses a store in
// use: either there is no dump, or one that is torn (reference/stalwart-store.md 4).
#include <fmt/format.h>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void dump_server_running(const Migration& migration, Sink& sink) {
  for (const PlanDump& dump : migration.plan.dumps) {
    if (dump.when.text == "stopped") continue;
    const bool is_said = !dump.when.text.empty();
    sink.report(Kind::dump_server_running, is_said ? dump.when.span : dump.span,
                is_said ? fmt::format("dump `{}` would be taken while the server runs",
                                      printable(dump.name, 80))
                        : fmt::format("dump `{}` does not say that the server is stopped",
                                      printable(dump.name, 80)))
        .label("what is written meanwhile is in one part of it and not in another")
        .help("write `when: stopped`: plan stops the server before it and starts it afterwards");
  }
}

}  // namespace plan::check::rules
