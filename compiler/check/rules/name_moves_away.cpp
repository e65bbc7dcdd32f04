// Prevents: plan itself coming out at the proxies. The public name moves there at the cutover, and
// with it everything that is reached by that name: what plan needs, where an old server hands mail
// on to, and what clients use beside the protocols of mail (reference/migration-proxy.md 17.3).
#include <fmt/format.h>

#include "compiler/check/kind_of_source.h"
#include "compiler/check/rules.h"
#include "compiler/schema/formats.h"
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

/// A value of `source`, as its author wrote it; nullptr when it is not there.
const syntax::Node* written_below(const Plan& plan, std::string_view block, std::string_view key) {
  const syntax::Node* node = plan.tree == nullptr ? nullptr : plan.tree->find("source");
  for (const std::string_view name : {block, key})
    node = node == nullptr || !node->is_mapping() ? nullptr : node->find(name);
  return node;
}

/// What an old Stalwart serves its users beside mail, and the proxies do not.
void look_at_web(const Plan& plan, Sink& sink) {
  if (!is_from_stalwart(plan)) return;
  const std::string_view old = syntax::host_of_url(plan.source["stalwart"]["url"].string_or(""));
  const bool has_other_name = !old.empty() && !schema::is_same_host(old, plan.public_name.text);
  sink.report(Kind::name_moves_away, plan.public_name.span,
              fmt::format("from the cutover to finalize `{}` serves no JMAP, CalDAV, CardDAV and "
                          "no web interface",
                          printable(plan.public_name.text, 80)))
      .severity(Severity::warning)
      .label("the name is the proxies' by then, and they speak the protocols of mail only")
      .help(fmt::format(
          "give who uses them a name that stays with the old server{}, and the target's when they "
          "have moved; where nobody does, silence this with that as the reason",
          has_other_name ? fmt::format(", as `{}`", printable(old, 80)) : ""));
}

}  // namespace

void name_moves_away(const Migration& migration, Sink& sink) {
  const Plan& plan = migration.plan;
  const std::string& name = plan.public_name.text;
  if (name.empty()) return;
  // `plan fetch` reads plans too, and has nothing to say about clients.
  if (migration.lock != nullptr) look_at_web(plan, sink);
  const auto say = [&](Span span, std::string what, std::string_view label) {
    sink.report(Kind::name_moves_away, span, std::move(what))
        .label(std::string(label))
        .note(plan.public_name.span, "this name moves to the proxies, and to the target at the end")
        .help("write an address or a name that stays with the machine");
  };
  const auto look = [&](std::string_view host, Span span, std::string_view what) {
    if (!schema::is_same_host(host, name)) return;
    say(span, fmt::format("{} is reached by the public name `{}`", what, printable(name, 80)),
        "from the cutover on this is a proxy");
  };
  look(syntax::host_of_url(plan.target["url"].string_or("")), plan.place("target", "url"),
       "the target's administration");
  const auto look_below = [&](std::string_view block, std::string_view what) {
    const syntax::Node* url = written_below(plan, block, "url");
    if (url != nullptr)
      look(syntax::host_of_url(plan.source[block]["url"].string_or("")), url->span, what);
  };
  look_below("stalwart", "the old server's interface");
  if (!plan.source["dav"]["stays_behind"].bool_or(false))
    look_below("dav", "the server of calendars and contacts");
  // Where the author names none it is that of `target.url`, which was looked at.
  const syntax::Node* next = written_below(plan, "stalwart", "target_name");
  if (next != nullptr &&
      schema::is_same_host(plan.source["stalwart"]["target_name"].string_or(""), name))
    say(next->span,
        fmt::format("the old server would hand mail on to the public name `{}`",
                    printable(name, 80)),
        "from the cutover on this is a proxy, which hands it back");
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
