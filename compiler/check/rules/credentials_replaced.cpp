// Prevents: an update of the whole list of credentials, which takes away app passwords, API keys
// and the second factor (reference/stalwart-admin.md 5.3).
#include "compiler/check/graph_view.h"

namespace plan::check::rules {

void credentials_replaced(const GraphView& view, Sink& sink) {
  for (const TargetWrite& write : view.writes()) {
    if (write.object != "Account" || write.set["credentials"].is_null()) continue;
    report_write(view, write, Kind::credentials_replaced, "replaces all credentials of an account",
                 sink)
        .label("app passwords, API keys and the second factor would be gone")
        .help("accounts of the source are made by `admin.account`, which carries their password");
  }
}

}  // namespace plan::check::rules
