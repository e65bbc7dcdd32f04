// Prevents: an import into the store that was dumped, which would double every counter if it were
// not refused.
#include <fmt/format.h>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void store_same(const Migration& migration, Sink& sink) {
  const PlanStore& store = migration.plan.store;
  if (!store.is_moved) return;
  const std::string_view from = store.from["address"].string_or("");
  const std::string_view to = store.to["address"].string_or("");
  if (!to.empty() && from == to) {
    sink.report(Kind::store_same, store.to_span,
                fmt::format("`{}` is where the data is already", printable(to, 120)))
        .note(store.from_span, "it comes from here")
        .help("name another place, or take `to` out: then the plan only makes its dumps");
  }
  if (!store.config.empty() && store.config == migration.plan.target["config"].string_or("")) {
    sink.report(Kind::store_same, store.span,
                "the new configuration is the file that the server uses now")
        .help(
            "write the new one beside it; plan puts it into place between the import and the "
            "start");
  }
}

}  // namespace plan::check::rules
