// Prevents: plan itself coming out at the proxies. The public name moves there at the cutover, and
// with it everything that is reached by that name.
#include <fmt/format.h>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"
#include "compiler/syntax/names.h"

namespace plan::check::rules {
namespace {

/// "root@mail.example.org:2222" -> "mail.example.org"
std::string_view host_of_ssh(std::string_view text) {
  const std::size_t at = text.rfind('@');
  if (at != std::string_view::npos) text.remove_prefix(at + 1);
  if (text.starts_with('[')) return text.substr(1, text.find(']') - 1);
  return text.substr(0, text.find(':'));
}

}  // namespace

void name_moves_away(const Migration& migration, Sink& sink) {
  const Plan& plan = migration.plan;
  const std::string& name = plan.public_name.text;
  if (name.empty()) return;
  const auto look = [&](std::string_view host, Span span, std::string_view what) {
    if (!equals_ignoring_case(host, name)) return;
    sink.report(Kind::name_moves_away, span,
                fmt::format("{} is reached by the public name `{}`", what, printable(name, 80)))
        .label("from the cutover on this is a proxy")
        .note(plan.public_name.span, "this name moves to the proxies, and to the target at the end")
        .help("write an address or a name that stays with the machine");
  };
  look(syntax::host_of_url(plan.target["url"].string_or("")), plan.place("target", "url"),
       "the target's administration");
  for (const char* machine : {"source", "target"}) {
    look(host_of_ssh(plan.hosts[machine]["ssh"].string_or("")), plan.place("hosts", machine),
         fmt::format("the machine of the {}", machine));
  }
  const syntax::Node* proxies = plan.tree == nullptr ? nullptr : plan.tree->find("proxies");
  for (std::size_t i = 0; i < plan.proxies.size(); ++i) {
    const ir::Value& proxy = plan.proxies.item(i);
    const std::string_view control = proxy["control"].string_or("");
    const syntax::Node* node = proxies == nullptr || i >= proxies->items.size()
                                   ? nullptr
                                   : proxies->items[i].find("control");
    if (control.starts_with("https:") && node != nullptr)
      look(syntax::host_of_url(control), node->span,
           fmt::format("proxy `{}`", printable(proxy["name"].string_or(""), 60)));
  }
}

}  // namespace plan::check::rules
