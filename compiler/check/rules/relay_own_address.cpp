// Prevents: a relay route to an address of the target itself: messages turn in a circle until they
// have too many hops and bounce (reference/split-delivery.md 8 rule 6). And one to a port that
// wants a login: whoever hands mail on has none.
#include <fmt/format.h>

#include "compiler/check/rules.h"
#include "compiler/schema/formats.h"
#include "compiler/source/text.h"
#include "compiler/syntax/names.h"

namespace plan::check::rules {
namespace {

void look_at_port(const Plan& plan, const ir::Value& server, std::string_view key,
                  std::string_view who, Sink& sink) {
  const std::int64_t port = server["smtp"]["port"].integer_or(25);
  if (port != 587 && port != 465) return;
  const syntax::Node* node = plan.tree == nullptr ? nullptr : plan.tree->find(key);
  for (const std::string_view inner : {"smtp", "port"})
    node = node == nullptr || !node->is_mapping() ? nullptr : node->find(inner);
  sink.report(Kind::leads_elsewhere, node == nullptr ? plan.place(key, "smtp") : node->span,
              fmt::format("port {} of the {}'s `smtp` wants a login", port, key))
      .label(fmt::format("{} hands mail on to it without one, and it would be refused", who))
      .help("write the port at which it takes mail of other servers: `smtp: {port: 25}`");
}

/// An interface that is reached at the other server's address: plan would take the one for the
/// other.
void look_at_url(const syntax::Node* node, std::string_view what, const Named& other,
                 std::string_view whose, Sink& sink) {
  if (node == nullptr || other.text.empty() ||
      !schema::is_same_host(syntax::host_of_url(node->text), other.text))
    return;
  sink.report(Kind::relay_own_address, node->span,
              fmt::format("{} would be at the {}'s address, `{}`", what, whose,
                          printable(other.text, 80)))
      .label("plan would take the one for the other")
      .note(other.span, fmt::format("the {} is here", whose))
      .help("write the URL of the server that is meant");
}

const syntax::Node* written_url(const Plan& plan, std::string_view key, std::string_view block) {
  const syntax::Node* node = plan.tree == nullptr ? nullptr : plan.tree->find(key);
  if (node != nullptr && !block.empty()) node = node->is_mapping() ? node->find(block) : nullptr;
  return node == nullptr || !node->is_mapping() ? nullptr : node->find("url");
}

}  // namespace

void relay_own_address(const Migration& migration, Sink& sink) {
  const Plan& plan = migration.plan;
  const auto compare = [&](const Named& a, std::string_view what_a, const Named& b,
                           std::string_view what_b, std::string_view why) {
    if (!schema::is_same_host(a.text, b.text)) return;
    sink.report(
            Kind::relay_own_address, b.span,
            fmt::format("{} and {} have one address, `{}`", what_a, what_b, printable(a.text, 80)))
        .label(std::string(why))
        .note(a.span, fmt::format("{} is here", what_a))
        .help("each of them needs an address of its own, also when they run on one machine");
  };
  look_at_url(written_url(plan, "target", ""), "the target's administration", plan.source_address,
              "source", sink);
  look_at_url(written_url(plan, "source", "stalwart"), "the old server's interface",
              plan.target_address, "target", sink);
  look_at_port(plan, plan.source, "source", "the target", sink);
  look_at_port(plan, plan.target, "target", "the source", sink);
  compare(plan.source_address, "source", plan.target_address, "target",
          "mail between the two would turn in a circle");
  compare(plan.proxy, "proxy", plan.source_address, "source",
          "the proxy could not listen on the ports of the source");
  compare(plan.proxy, "proxy", plan.target_address, "target",
          "the proxy could not listen on the ports of the target");
  compare(plan.public_name, "the public name", plan.proxy, "proxy",
          "until the cutover this name is the source's");
  compare(plan.public_name, "the public name", plan.source_address, "source",
          "this name moves to the proxies at the cutover");
  compare(plan.public_name, "the public name", plan.target_address, "target",
          "this name moves to the proxies at the cutover");
}

}  // namespace plan::check::rules
