// Prevents: tokens that decide where everybody's mail goes, sent to whoever answers on a proxy's
// address.
#include <fmt/format.h>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"
#include "compiler/syntax/tree.h"

namespace plan::check::rules {

void proxy_without_pin(const Migration& migration, Sink& sink) {
  const syntax::Node* proxies =
      migration.plan.tree == nullptr ? nullptr : migration.plan.tree->find("proxies");
  for (std::size_t i = 0; i < migration.plan.proxies.size(); ++i) {
    const ir::Value& proxy = migration.plan.proxies.item(i);
    const std::string_view control = proxy["control"].string_or("");
    if (control.empty() || control.starts_with("unix:")) continue;
    const bool is_pinned = proxy["is_pinned"].bool_or(false);
    if (is_pinned &&
        (migration.lock == nullptr || !proxy["certificate_sha256"].string_or("").empty()))
      continue;
    const syntax::Node* node = proxies == nullptr || i >= proxies->items.size()
                                   ? nullptr
                                   : proxies->items[i].find("control");
    const std::string name = printable(proxy["name"].string_or(""), 60);
    if (is_pinned) {
      sink.report(Kind::proxy_without_pin, node == nullptr ? migration.plan.span : node->span,
                  fmt::format("the lock has no certificate of proxy `{}`", name))
          .help("start the proxy and run `plan fetch`");
    } else {
      sink.report(Kind::proxy_without_pin, node == nullptr ? migration.plan.span : node->span,
                  fmt::format("proxy `{}` has no pin", name))
          .label("nobody checks who answers here")
          .help("write `pin: !lock certificate`");
    }
  }
}

}  // namespace plan::check::rules
