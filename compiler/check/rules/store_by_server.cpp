// Prevents: a store that plan cannot open, found out when the server is stopped already.
#include <fmt/format.h>

#include "compiler/check/rules.h"

namespace plan::check::rules {

void store_by_server(const Migration& migration, Sink& sink) {
  const Plan& plan = migration.plan;
  const auto look = [&](const std::string& kind, Span span, bool is_by_server) {
    if (kind != "foundationdb" || is_by_server) return;
    sink.report(Kind::store_by_server, span, "plan does not read or write FoundationDB itself")
        .label("its client library is not in Debian")
        .help("write `by: server`: the server's own program does it, and plan proves the result");
  };
  look(plan.store.to_kind, plan.store.to_span, plan.store.is_by_server);
  // Where the author names no store it is the one that the server's configuration names, as `plan
  // fetch` found it.
  const bool is_named = !plan.store.from_kind.empty();
  const std::string from = is_named
                               ? plan.store.from_kind
                               : std::string(setting(migration, "target.store.kind").string_or(""));
  for (const PlanDump& dump : plan.dumps)
    look(from, is_named ? plan.store.from_span : dump.span, dump.is_by_server);
}

}  // namespace plan::check::rules
