// Prevents: a target that relays for everybody. The server takes the expression without a word
// (reference/stalwart-admin.md 5.10).
#include <optional>

#include "compiler/check/graph_view.h"
#include "compiler/schema/mta_container.h"

namespace plan::check::rules {
namespace {

/// What the expression sees of somebody whom nobody knows, who wants to reach somebody else. The
/// address is one that no network of a plan should hold (RFC 5737).
schema::MtaEnvironment stranger() {
  schema::MtaEnvironment environment;
  environment.variable = [](std::string_view name) -> ir::Value {
    if (name == "remote_ip") return "192.0.2.213";
    if (name == "sender") return "somebody@stranger.invalid";
    if (name == "sender_domain" || name == "helo_domain") return "stranger.invalid";
    if (name == "rcpt" || name == "recipients") return "somebody@elsewhere.invalid";
    if (name == "rcpt_domain") return "elsewhere.invalid";
    if (name == "local_port" || name == "received_via_port") return 25;
    if (name == "listener") return "smtp";
    if (name == "protocol") return "smtp";
    return {};
  };
  environment.call = [](std::string_view name,
                        const std::vector<ir::Value>&) -> std::optional<ir::Value> {
    if (name == "is_local_domain" || name == "is_local_address" || name == "key_exists") return 0;
    return std::nullopt;  // cannot be told before the migration
  };
  return environment;
}

/// A condition that cannot be told keeps nobody out for certain: it is passed over. What cannot be
/// read is reported elsewhere.
bool lets_strangers_relay(const ir::Value& relaying) {
  const auto container =
      schema::MtaContainer::parse(relaying, schema::context_of("MtaStageRcpt", "allowRelaying"));
  if (!container) return false;
  const schema::MtaEnvironment environment = stranger();
  const auto is_true = [&](const schema::MtaExpression& expression) {
    const auto answer = schema::evaluate(expression, environment);
    return answer && schema::is_true(*answer);
  };
  for (const auto& arm : container->arms()) {
    if (is_true(arm.condition)) return is_true(arm.result);
  }
  return is_true(container->otherwise());
}

}  // namespace

void open_relay(const GraphView& view, Sink& sink) {
  for (const TargetWrite& write : view.writes()) {
    if (write.object != "MtaStageRcpt") continue;
    const ir::Value& relaying = write.set["allowRelaying"];
    if (!relaying.is_map() || !lets_strangers_relay(relaying)) continue;
    report_write(view, write, Kind::open_relay, "lets everybody relay through the target", sink)
        .label("`MtaStageRcpt.allowRelaying` is true for strangers")
        .help(
            "name who may: `else: \"!is_empty(authenticated_as)\"`, and a branch with the source's "
            "`remote_ip`")
        .help("for migrating domains it is not needed: `Domain.allowRelaying` is asked for those");
  }
}

}  // namespace plan::check::rules
