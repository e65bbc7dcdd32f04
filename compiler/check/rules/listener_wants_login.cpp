// Says that a module makes a listener for LMTP at which the target wants a login: its expression
// for that excepts port 25 alone, so every delivery is refused with 503
// (reference/stalwart-admin.md 5.10).
#include <fmt/format.h>

#include <optional>

#include "compiler/check/graph_view.h"
#include "compiler/check/listeners.h"
#include "compiler/schema/mta_container.h"

namespace plan::check::rules {
namespace {

/// What the steps make `MtaStageAuth.require` say of a connection to `port`; nothing: no step
/// writes it, or it depends on more than the port.
std::optional<bool> wants_login(const GraphView& view, std::int64_t port) {
  schema::MtaEnvironment environment;
  environment.variable = [port](std::string_view name) -> ir::Value {
    if (name == "local_port") return port;
    if (name == "protocol") return "lmtp";
    return {};
  };
  environment.call = [](std::string_view,
                        const std::vector<ir::Value>&) -> std::optional<ir::Value> {
    return std::nullopt;
  };
  for (const TargetWrite& write : view.writes()) {
    if (write.object != "MtaStageAuth" || !write.set["require"].is_map()) continue;
    const auto container = schema::MtaContainer::parse(
        write.set["require"], schema::context_of("MtaStageAuth", "require"));
    if (!container) return false;  // reported elsewhere
    const auto chosen = container->choose(environment);
    return chosen ? schema::is_true(chosen->value) : false;
  }
  return std::nullopt;
}

}  // namespace

void listener_wants_login(const GraphView& view, Sink& sink) {
  for (const TargetWrite& write : view.writes()) {
    if (write.object != "NetworkListener" || write.set["protocol"].string_or("") != "lmtp")
      continue;
    for (const std::int64_t port : opened_ports(write.set)) {
      if (port == 25 || !wants_login(view, port).value_or(true)) continue;
      report_write(view, write, Kind::listener_wants_login,
                   fmt::format("makes the target listen for LMTP at port {}, where it wants a "
                               "login",
                               port),
                   sink)
          .label("whoever delivers there is answered `503 5.5.1 You must authenticate first.`")
          .help(fmt::format("except the port in the same module: `MtaStageAuth`, `require`, `else: "
                            "\"local_port != 25 && local_port != {}\"`, with a reload behind it",
                            port));
      break;
    }
  }
}

}  // namespace plan::check::rules
