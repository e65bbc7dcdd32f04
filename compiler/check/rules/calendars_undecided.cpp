// Prevents: a server of calendars and contacts that the plan does not speak of. Nothing of it would
// be carried, so no account could be graded, and every move would be undone at its end.
#include <fmt/format.h>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void calendars_undecided(const Migration& migration, Sink& sink) {
  const ir::Value& dav = migration.plan.source["dav"];
  if (!dav.is_map() || dav["stays_behind"].bool_or(false)) return;
  if (!dav["url"].string_or("").empty()) return;  // carried
  sink.report(Kind::calendars_undecided, migration.plan.place("source", "dav"),
              fmt::format("the source has calendars and contacts ({}), and nothing says what "
                          "becomes of them",
                          printable(dav["server"].string_or(""), 200)))
      .label("no account of it could be graded: this part would be `not checked`")
      .help(
          "`url` and `login` in `dav` carry them over; `dav: {server: ..., stays_behind: true}` "
          "lets mail move and leaves them where they are; `dav: {server: none}` says that nobody "
          "uses that server");
}

}  // namespace plan::check::rules
