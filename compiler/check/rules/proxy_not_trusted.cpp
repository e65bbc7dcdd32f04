// Prevents: a source that takes all clients for one. Dovecot believes the proxy's word about the
// client only from login_trusted_networks; without it the bound on connections of a user counts all
// his devices together, and one stranger's wrong passwords slow everybody (reference/
// migration-proxy.md 9.3, 17.3).
#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "compiler/check/graph_view.h"
#include "compiler/check/names.h"
#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void proxy_not_trusted(const Migration& migration, Sink& sink) {
  const ir::Value& measured = setting(migration, "source.login_trusted_networks");
  const Named& proxy = migration.plan.proxy;
  if (!measured.is_string() || !is_ip_address(proxy.text)) return;
  std::string networks = measured.as_string();
  std::replace(networks.begin(), networks.end(), ',', ' ');  // Dovecot takes both
  for (const std::string_view network : split(networks, ' ')) {
    if (is_ip_in_network(proxy.text, trim(network))) return;
  }
  sink.report(Kind::proxy_not_trusted, proxy.span,
              fmt::format("the source does not trust the proxy `{}` to say who the client is",
                          printable(proxy.text, 80)))
      .label("from the cutover on all clients have this address for Dovecot")
      .help(fmt::format("add it to `login_trusted_networks` of Dovecot and reload: "
                        "`login_trusted_networks = {}`, then run `plan fetch`",
                        printable(proxy.text, 80)));
}

}  // namespace plan::check::rules
