// A check without evidence never passes silently (design.md section 2, promise 5): what the rules
// needed and nobody measured is said once.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <string>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

namespace {

void say_once(Span where, std::string what, std::string_view unchecked, Sink& sink) {
  sink.report(Kind::not_measured, where, "not measured: " + std::move(what))
      .label(std::string(unchecked))
      .help("run `plan fetch` again; if it stays, look at what it says about it");
}

/// What `plan fetch` writes about every target and source, whatever their settings are.
void look_at_servers(const Migration& migration, Span where, Sink& sink) {
  const auto lacking = [&](std::span<const char* const> names) {
    std::string words;
    for (const char* name : names) {
      if (!migration.lock->settings.contains(name))
        words += fmt::format("{}`{}`", words.empty() ? "" : ", ", name);
    }
    return words;
  };
  constexpr std::array kTarget = {"target.MtaOutboundStrategy.route",
                                  "target.MtaStageData.maxMessages", "target.NetworkListener.bind",
                                  "target.AllowedIp.address"};
  if (const std::string words = lacking(kTarget); !words.empty())
    say_once(migration.plan.place("target"), "settings of the target: " + words,
             "what it does with clients and with mail of the source is not checked", sink);
  const auto look_at_disk = [&](const char* what, const char* whose) {
    const auto* disk = migration.facts == nullptr ? nullptr : migration.facts->find(what);
    if (disk != nullptr && disk->value.is_integer()) return;
    say_once(where, fmt::format("the free disk {}", whose),
             "whether the mail of all accounts fits is not checked", sink);
  };
  look_at_disk("disk/target/free", "of the target");
  look_at_disk("disk/local/free", "for the archives");
}

}  // namespace

void not_measured(const Migration& migration, Sink& sink) {
  const Span where =
      migration.plan.accounts_span.is_known() ? migration.plan.accounts_span : migration.plan.span;
  Examples schemes, mailboxes, inboxes, sizes, largest;
  for (const Account& account : migration.accounts) {
    const facts::LockAccount& lock = *account.lock;
    if (account.has_password && lock.hash_scheme.empty()) schemes.add(lock.address, lock.span);
    if (!lock.has_mailboxes) {
      mailboxes.add(lock.address, lock.span);
    } else if (std::none_of(lock.mailboxes.begin(), lock.mailboxes.end(),
                            [](const auto& name) { return equals_ignoring_case(name, "INBOX"); })) {
      inboxes.add(lock.address, lock.span);
    }
    if (migration.facts == nullptr ||
        !migration.facts->count(fmt::format("account/{}/bytes", lock.address)))
      sizes.add(lock.address, lock.span);
    if (migration.facts == nullptr ||
        !migration.facts->count(fmt::format("account/{}/largest-message", lock.address)))
      largest.add(lock.address, lock.span);
  }
  const auto say = [&](const Examples& examples, std::string_view what,
                       std::string_view unchecked) {
    if (examples.count == 0) return;
    sink.report(Kind::not_measured, where,
                fmt::format("not measured: {} of {} ({})", what,
                            counted(examples.count, "account", "accounts"), examples.text()))
        .label(std::string(unchecked))
        .help("run `plan fetch` again; if it stays, look at what it says about these accounts");
  };
  say(schemes, "the form of the password hash",
      "whether they can log in afterwards is not checked");
  say(mailboxes, "the names of the mailboxes", "whether the target takes them is not checked");
  // Every account has one. Who does not see it sees no other mailbox either: a master user whom the
  // acl plugin keeps out (reference/sources.md 2.5).
  say(inboxes, "INBOX among the mailboxes",
      "the master user sees no INBOX: the copy would be an empty one");
  say(sizes, "the size", "quota and disk are not checked");
  say(largest, "the largest message", "the target's bound is not checked");
  // A lock of `plan fetch` names the schema document. Without it nothing of the target was looked
  // at, which is said as `schema-missing`.
  if (!migration.lock->schema_digest.empty()) look_at_servers(migration, where, sink);
  const auto host_key = [&](const char* name) {
    const ir::Value& host = migration.plan.hosts[name];
    if (!host.is_map() || migration.lock->host_keys.contains(name)) return;
    sink.report(Kind::not_measured, migration.plan.place("hosts", name),
                fmt::format("the lock has no host key of the {}", name))
        .severity(Severity::error)
        .help("run `plan fetch`, and compare the key that it shows with the machine's");
  };
  host_key("source");
  host_key("target");
}

}  // namespace plan::check::rules
