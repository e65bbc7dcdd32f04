// Says which servers have a version that the procedure was never run with.
#include "compiler/check/rules.h"
#include "compiler/check/tried_versions.h"

namespace plan::check::rules {

void untested_version(const Migration& migration, Sink& sink) {
  for (const UntriedServer& server : untried_servers(*migration.lock)) {
    sink.report(
            Kind::untested_version,
            migration.plan.place(server.tried->name.starts_with("source") ? "source" : "target"),
            server.words())
        .help("rehearse with `plan rehearse`, then apply with `--untested-version`");
  }
}

}  // namespace plan::check::rules
