// Says what the author has agreed to: mail moves, calendars and contacts do not, and no grade is a
// pass for them.
#include <fmt/format.h>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void calendars_stay_behind(const Migration& migration, Sink& sink) {
  const ir::Value& dav = migration.plan.source["dav"];
  if (!dav.is_map() || !dav["stays_behind"].bool_or(false)) return;
  sink.report(Kind::calendars_stay_behind, migration.plan.place("source", "dav"),
              fmt::format("calendars and contacts stay behind ({})",
                          printable(dav["server"].string_or(""), 200)))
      .label("every account of the plan is graded `not-checked` for them")
      .help(
          "give `dav` a `url` and a `login` and plan carries them; else carry them over with "
          "another "
          "tool before you approve finalize, and keep that server reachable by a name that does "
          "not "
          "move until then");
}

}  // namespace plan::check::rules
