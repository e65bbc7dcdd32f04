#include "compiler/check/kind_of_source.h"

#include <fmt/format.h>

#include <array>
#include <initializer_list>
#include <string>
#include <utility>

#include "compiler/check/names.h"
#include "compiler/source/text.h"

namespace plan::check {
namespace {

using ir::Value;
using syntax::Entry;
using syntax::Node;

/// Keys of `source` that only Dovecot and Postfix have.
constexpr std::array<std::string_view, 3> kDovecotKeys = {"dovecot", "postfix", "export"};

void check_master(Plan& plan, const Node& source, Sink& sink) {
  Value master = plan.source["master_user"];
  if (!master.is_map()) return;
  const Node* user = source.find("master_user");
  const Node* separator = user == nullptr ? nullptr : user->find("separator");
  if (separator != nullptr && master["separator"].string_or("%") != "%") {
    sink.report(Kind::bad_value, separator->span,
                "the master user of a Stalwart is let in as `ACCOUNT%MASTER`")
        .help("leave `separator` out");
  }
  master.set("separator", "%");
  plan.source.set("master_user", std::move(master));
}

/// What stands at a path of keys; nullptr when the author does not say it.
const Node* written_at(const Plan& plan, std::initializer_list<std::string_view> keys) {
  const Node* node = plan.tree.get();
  for (const std::string_view key : keys) {
    if (node == nullptr || !node->is_mapping()) return nullptr;
    node = node->find(key);
  }
  return node;
}

Span place_of(const Plan& plan, std::initializer_list<std::string_view> keys) {
  const Node* node = written_at(plan, keys);
  return node == nullptr ? plan.place(*keys.begin()) : node->span;
}

/// `old.example.org:8443` of a URL, with the port that it has when it names none.
std::string host_and_port(std::string_view url) {
  const std::string_view host = syntax::host_of_url(url);
  if (host.empty()) return {};
  std::string_view behind =
      url.substr(static_cast<std::size_t>(host.data() + host.size() - url.data()));
  if (behind.starts_with(']')) behind.remove_prefix(1);
  behind = behind.substr(0, behind.find_first_of("/?#"));
  if (behind.empty()) behind = lower_ascii(url).starts_with("http:") ? ":80" : ":443";
  return fmt::format("{}{}", lower_ascii(host), behind);
}

void check_allowed(const Plan& plan, const Value& stalwart, Sink& sink) {
  const Node* node = written_at(plan, {"source", "stalwart", "allowed"});
  const Value& all = stalwart["allowed"];
  for (std::size_t i = 0; i < all.size(); ++i) {
    const std::string_view allowed = all.item(i).string_or("");
    if (is_ip_address(allowed)) continue;
    // Of a list that an expression gives only the whole has a place.
    Span where = place_of(plan, {"source", "stalwart", "allowed"});
    if (node != nullptr && node->items.size() == all.size()) where = node->items[i].span;
    sink.report(Kind::bad_value, where,
                fmt::format("`{}` in `allowed` is no IP address", printable(allowed, 120)))
        .help("one address each, `allowed: [203.0.113.40]`");
  }
}

void check_services(const Plan& plan, Sink& sink) {
  const auto security_of = [&](std::string_view service) {
    return plan.source[service]["security"].string_or("");
  };
  // The values are possible, and a server may be set up so: warnings.
  const bool is_remote =
      !plan.source_address.text.empty() && !is_loopback(plan.source_address.text);
  for (const std::string_view service : {"imap", "sieve"}) {
    if (!is_remote || security_of(service) != "none") continue;
    sink.report(Kind::bad_value, place_of(plan, {"source", service, "security"}),
                fmt::format("`{}` of the source is reached without TLS", service))
        .severity(Severity::warning)
        .label("the master password, which opens every mailbox, goes over the network in clear")
        .help("write `starttls`, or `tls` with the port of that");
  }
  struct Usual {
    std::string_view service = {};
    std::int64_t port = 0;
    bool is_tls = false;
  };
  constexpr std::array<Usual, 4> kUsual = {{{"imap", 143, false},
                                            {"imap", 993, true},
                                            {"submission", 587, false},
                                            {"submission", 465, true}}};
  for (const Usual& usual : kUsual) {
    const std::string_view security = security_of(usual.service);
    if (security.empty() || security == "none" || (security == "tls") == usual.is_tls ||
        plan.source[usual.service]["port"].integer_or(0) != usual.port)
      continue;
    const std::string_view key =
        written_at(plan, {"source", usual.service, "security"}) != nullptr ? "security" : "port";
    sink.report(Kind::bad_value, place_of(plan, {"source", usual.service, key}),
                fmt::format("port {} of the source's `{}` with `{}`", usual.port, usual.service,
                            security))
        .severity(Severity::warning)
        .label(usual.is_tls ? "servers speak TLS there from the first byte: nobody would get in"
                            : "servers begin there in clear: the handshake would fail")
        .help(fmt::format("write `security: {}`, or the port of `{}`",
                          usual.is_tls ? "tls" : "starttls", security));
  }
}

}  // namespace

void check_kind_of_source(Plan& plan, Sink& sink) {
  const Node* source = plan.tree->find("source");
  if (source == nullptr || !source->is_mapping()) return;
  check_services(plan, sink);
  const Node* stalwart = source->find("stalwart");
  if (stalwart == nullptr || stalwart->is_null()) {
    if (plan.use.text != kOldStalwart) return;
    const Entry* entry = source->find_entry("stalwart");
    sink.report(Kind::missing_key, entry == nullptr ? source->span : entry->key_span,
                fmt::format("`stalwart` {} `source`{}, and `use` is `{}`",
                            entry == nullptr ? "is missing in" : "of",
                            entry == nullptr ? "" : " is empty", kOldStalwart))
        .help(std::string(kOldStalwartHelp));
    return;
  }
  if (plan.use.text == kDovecotPostfix) {
    sink.report(Kind::bad_value, plan.use.span,
                fmt::format("the source is a Stalwart, and `{}` is for others", kDovecotPostfix))
        .help(fmt::format("`use: {}`", kOldStalwart));
  }
  for (const std::string_view key : kDovecotKeys) {
    const Entry* entry = source->find_entry(key);
    if (entry == nullptr) continue;
    sink.report(Kind::bad_value, entry->key_span,
                fmt::format("the source is a Stalwart, and `{}` is of Dovecot and Postfix", key))
        .help("leave it out");
  }
  check_master(plan, *source, sink);
}

void check_names_for_stalwart(Plan& plan, Sink& sink) {
  if (!is_from_stalwart(plan)) return;
  for (const Named* one : {&plan.target_address, &plan.proxy}) {
    if (one->text.empty() || is_ip_address(one->text)) continue;
    sink.report(Kind::bad_value, one->span,
                fmt::format("`{}` is a name, and the old server is told IP addresses of those whom "
                            "it may not ban",
                            printable(one->text, 120)))
        .help("write the IP address");
  }
  Value stalwart = plan.source["stalwart"];
  check_allowed(plan, stalwart, sink);
  const std::string_view old_url = stalwart["url"].string_or("");
  const std::string_view url = plan.target["url"].string_or("");
  const std::string old_name(syntax::host_of_url(old_url));
  std::string name(stalwart["target_name"].string_or(""));
  const bool is_named = !name.empty();
  if (!is_named) name = syntax::host_of_url(url);
  const Span url_place = place_of(plan, {"target", "url"});
  const Span name_place =
      is_named ? place_of(plan, {"source", "stalwart", "target_name"}) : url_place;
  const Span old_place = place_of(plan, {"source", "stalwart", "url"});
  const bool is_one_server = !old_name.empty() && host_and_port(old_url) == host_and_port(url);
  if (is_one_server) {
    sink.report(Kind::relay_own_address, url_place,
                fmt::format("`{}` is the old server's own interface", printable(url, 120)))
        .label("plan would take the source for the target")
        .note(old_place, "the old server is here")
        .help("write the URL of the new server's administration");
  }
  if (!name.empty() && (is_ip_address(name) || is_loopback(name))) {
    sink.report(Kind::bad_value, name_place,
                fmt::format("the old server would hand mail on to `{}`", printable(name, 120)))
        .label("a relay to an IP address, or to its own machine, bounces everything at once")
        .help(
            "`target_name: new.example.org` in `stalwart`: a host name of the target, whose "
            "address the old server finds in the DNS");
  } else if (!name.empty() && equals_ignoring_case(name, old_name) &&
             (is_named || !is_one_server)) {
    sink.report(Kind::relay_own_address, name_place,
                fmt::format("the old server would hand mail on to `{}`, which is itself",
                            printable(name, 120)))
        .label("mail would turn in a circle until it bounces")
        .note(old_place, "this is the old server's name")
        .help("`target_name: new.example.org` in `stalwart`: a host name of the target");
  }
  stalwart.set("target_name", std::move(name));
  plan.source.set("stalwart", std::move(stalwart));
}

}  // namespace plan::check
