// Says what the author has agreed to: mail moves, calendars and contacts do not, and no grade is a
// pass for them.
#include <fmt/format.h>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void calendars_stay_behind(const Migration& migration, Sink& sink) {
  const ir::Value& dav = migration.plan.source["dav"];
  if (!dav.is_map() || !dav["stays_behind"].bool_or(false)) return;
  const bool has_url = !dav["url"].string_or("").empty();
  sink.report(Kind::calendars_stay_behind, migration.plan.place("source", "dav"),
              fmt::format("calendars and contacts stay behind ({})",
                          printable(dav["server"].string_or(""), 200)))
      .label(has_url ? "`stays_behind` counts, and not the `url` beside it: nothing is carried"
                     : "every account of the plan is graded `not-checked` for them")
      .help(has_url ? "leave `stays_behind` out to have them carried, or `url` and `login`"
                    : "give `dav` a `url` and a `login` and plan carries them; else carry them "
                      "over with another tool before you approve finalize, and keep that server "
                      "reachable by a name that does not move until then");
}

}  // namespace plan::check::rules
