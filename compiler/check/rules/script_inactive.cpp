// Says that a module writes a Sieve script that does nothing: `isActive` is false where nobody says
// otherwise, and scripts that are not active are not loaded (reference/stalwart-admin.md 5.15).
#include <fmt/format.h>

#include "compiler/check/graph_view.h"
#include "compiler/check/written_objects.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void script_inactive(const GraphView& view, Sink& sink) {
  const WrittenObjects objects(view);
  for (const WrittenObject& script : objects.all()) {
    if (!script.is_made || (script.type != "SieveSystemScript" && script.type != "SieveUserScript"))
      continue;
    const ir::Value& is_active = script.member("isActive");
    if (is_active.bool_or(false)) continue;
    report_write(view, *script.writes.front(), Kind::script_inactive,
                 fmt::format("writes the Sieve script `{}` and does not make it active",
                             printable(script.name(), 80)),
                 sink)
        .label(is_active.is_bool() ? "`isActive` is false" : "`isActive` is false by default")
        .help("add `isActive: true`; the target does not load it otherwise");
  }
}

}  // namespace plan::check::rules
