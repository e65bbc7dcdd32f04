// Prevents: a listener on a port where the source listens already: Postfix does not start it, or
// takes the PROXY header on the port of everybody.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "compiler/check/rules.h"
#include "compiler/schema/formats.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

constexpr std::array<const char*, 4> kServices = {"smtp", "submission", "imap", "sieve"};

/// A port that no service of the source has; the usual one where that is free.
std::int64_t free_port(const Plan& plan, std::int64_t taken) {
  constexpr std::int64_t kUsual = 10025;
  std::int64_t port = kUsual;
  while (port == taken || std::any_of(kServices.begin(), kServices.end(), [&](const char* service) {
           return plan.source[service]["port"].integer_or(0) == port;
         }))
    ++port;
  return port;
}

}  // namespace

void listener_port_taken(const Migration& migration, Sink& sink) {
  const Plan& plan = migration.plan;
  const ir::Value& listener = plan.source["listener"];
  const std::int64_t port = listener["port"].integer_or(0);
  const std::string_view address = listener["address"].string_or("");
  const syntax::Node* source = plan.tree == nullptr ? nullptr : plan.tree->find("source");
  const bool is_written =
      source != nullptr && source->is_mapping() && source->find("listener") != nullptr;
  // Another address of the machine has ports of its own.
  if (!address.empty() && !schema::is_same_host(address, plan.source_address.text)) return;
  for (const char* service : kServices) {
    if (port == 0 || plan.source[service]["port"].integer_or(0) != port) continue;
    sink.report(Kind::listener_port_taken, plan.place("source", is_written ? "listener" : service),
                fmt::format("port {} of the source is that of `{}` already", port, service))
        .label("here only the proxies speak, each connection begins with a PROXY header")
        .help(fmt::format(
            "choose a free port that the proxies can reach and others cannot: `listener: {{port: "
            "{}}}`",
            free_port(plan, port)));
  }
}

}  // namespace plan::check::rules
