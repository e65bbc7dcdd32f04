// Prevents: an update of the whole list of credentials, which takes away app passwords, API keys
// and the second factor (reference/stalwart-admin.md 5.3).
#include <fmt/format.h>

#include "compiler/check/graph_view.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void credentials_replaced(const GraphView& view, Sink& sink) {
  for (const TargetWrite& write : view.writes()) {
    if (write.object != "Account" || write.set["credentials"].is_null()) continue;
    sink.report(Kind::credentials_replaced, view.graph().origin(write.step),
                fmt::format("`{}` replaces all credentials of an account",
                            printable(view.graph().id(write.step), 160)))
        .label("app passwords, API keys and the second factor would be gone")
        .help("accounts of the source are made by `admin.account`, which carries their password");
  }
}

}  // namespace plan::check::rules
