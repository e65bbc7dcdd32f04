// Prevents: a listener on a port where the source listens already: Postfix does not start it, or
// takes the PROXY header on the port of everybody.
#include <fmt/format.h>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void listener_port_taken(const Migration& migration, Sink& sink) {
  const Plan& plan = migration.plan;
  const ir::Value& listener = plan.source["listener"];
  const std::int64_t port = listener["port"].integer_or(0);
  const std::string_view address = listener["address"].string_or("");
  // Another address of the machine has ports of its own.
  if (!address.empty() && address != plan.source_address.text) return;
  for (const char* service : {"smtp", "submission", "imap", "sieve"}) {
    if (port == 0 || plan.source[service]["port"].integer_or(0) != port) continue;
    sink.report(Kind::listener_port_taken, plan.place("source", "listener"),
                fmt::format("port {} of the source is that of `{}` already", port, service))
        .label("here only the proxies speak, each connection begins with a PROXY header")
        .help(
            "choose a free port that the proxies can reach and others cannot: `listener: {port: "
            "10025}`");
  }
}

}  // namespace plan::check::rules
