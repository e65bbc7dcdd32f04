// Prevents: everybody locked out by one stranger. The target counts failed logins by address, and
// behind a proxy all clients have one: the hundredth wrong password bans the proxy, on every port
// and for ever (reference/stalwart-admin.md 8.5).
#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/check/names.h"
#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void proxy_may_be_banned(const Migration& migration, Sink& sink) {
  const ir::Value& allowed = setting(migration, "target.AllowedIp.address");
  const Named& proxy = migration.plan.proxy;
  if (!allowed.is_list() || !is_ip_address(proxy.text)) return;  // not measured, or a name
  const auto holds = [&](const ir::Value& networks) {
    return std::any_of(networks.items().begin(), networks.items().end(),
                       [&](const ir::Value& network) {
                         return is_ip_in_network(proxy.text, network.string_or(""));
                       });
  };
  const std::vector<std::string>& spared = migration.spared_networks;
  if (std::any_of(
          spared.begin(), spared.end(),
          [&](const std::string& network) { return is_ip_in_network(proxy.text, network); }) ||
      holds(allowed) || holds(setting(migration, "target.SystemSettings.proxyTrustedNetworks")))
    return;
  sink.report(Kind::proxy_may_be_banned, proxy.span,
              fmt::format("the target may ban the proxy `{}`", printable(proxy.text, 80)))
      .label("all clients of moved accounts come from this address, wrong passwords included")
      .help(
          fmt::format("make an AllowedIp with the address `{}` on the target, reload its settings, "
                      "and run `plan fetch`, or write it in a step of your own; the same for "
                      "every other proxy",
                      printable(proxy.text, 80)));
}

}  // namespace plan::check::rules
