// Says which servers have a version that the procedure was never run with.
#include "compiler/check/rules.h"
#include "compiler/check/tried_versions.h"

namespace plan::check::rules {

void untested_version(const Migration& migration, Sink& sink) {
  const Plan& plan = migration.plan;
  for (const UntriedServer& server : untried_servers(*migration.lock)) {
    const ir::Value& url =
        server.is_of_source() ? plan.source["stalwart"]["url"] : plan.target["url"];
    auto report =
        sink.report(Kind::untested_version, plan.place(server.is_of_source() ? "source" : "target"),
                    server.words(url.string_or("")));
    if (server.is_refused()) {
      report.severity(Severity::error)
          .label("plan speaks the management interface of 0.13 to 0.15")
          .help(
              "an older one is upgraded to 0.15.5 first; a newer one moves its store "
              "(`std/store-move`)");
    } else {
      report.help("rehearse with `plan rehearse`, then apply with `--untested-version`");
    }
  }
}

}  // namespace plan::check::rules
