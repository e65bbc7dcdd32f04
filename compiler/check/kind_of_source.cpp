#include "compiler/check/kind_of_source.h"

#include <fmt/format.h>

#include <array>
#include <string>
#include <utility>

namespace plan::check {
namespace {

using syntax::Entry;
using syntax::Node;

/// Keys of `source` that only Dovecot and Postfix have.
constexpr std::array<std::string_view, 4> kDovecotKeys = {"dovecot", "postfix", "listener",
                                                          "export"};

void check_master(Plan& plan, const Node& source, Sink& sink) {
  ir::Value master = plan.source["master_user"];
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

void report_unmoved(const Migration& migration, Sink& sink) {
  if (!is_from_stalwart(migration.plan)) return;
  auto report = sink.report(
      Kind::procedure_unavailable, migration.plan.use.span,
      "accounts of a Stalwart 0.15 are read and checked by this version, and not moved");
  // Before there is a lock `plan fetch` has to go on: what it reads is what the rules look at.
  if (migration.lock == nullptr) report.severity(Severity::warning);
  report.label("no step holds one account's mail and clients at such a source")
      .help(
          "move all of it at once: upgrade the server where it stands and move its store with "
          "`std/store-move`, which keeps accounts, mail and passwords")
      .help(
          "account by account is a procedure of your own: `std/stalwart-source` makes the old "
          "server hold mail of single addresses and hand it on");
}

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

}  // namespace plan::check
