#include "compiler/check/kind_of_source.h"

#include <fmt/format.h>

#include <array>
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

}  // namespace

void check_kind_of_source(Plan& plan, Sink& sink) {
  const Node* source = plan.tree->find("source");
  if (source == nullptr || !source->is_mapping()) return;
  const Node* stalwart = source->find("stalwart");
  if (stalwart == nullptr || stalwart->is_null()) {
    if (plan.use.text != kOldStalwart) return;
    sink.report(Kind::missing_key, source->span,
                fmt::format("`stalwart` is missing in `source`, and `use` is `{}`", kOldStalwart))
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
  for (const Value& allowed : stalwart["allowed"].items()) {
    if (is_ip_address(allowed.string_or(""))) continue;
    sink.report(Kind::bad_value, plan.place("source", "stalwart"),
                fmt::format("`{}` in `allowed` is no IP address",
                            printable(allowed.string_or(""), 120)))
        .help("one address each, `allowed: [203.0.113.40]`");
  }
  std::string name(stalwart["target_name"].string_or(""));
  if (name.empty()) name = syntax::host_of_url(plan.target["url"].string_or(""));
  if (!name.empty() && (is_ip_address(name) || is_loopback(name))) {
    sink.report(Kind::bad_value, plan.place("source", "stalwart"),
                fmt::format("the old server would hand mail on to `{}`", printable(name, 120)))
        .label("a relay to an IP address, or to its own machine, bounces everything at once")
        .help(
            "`target_name: new.example.org` in `stalwart`: a host name of the target, whose "
            "address the old server finds in the DNS");
  }
  stalwart.set("target_name", std::move(name));
  plan.source.set("stalwart", std::move(stalwart));
}

}  // namespace plan::check
