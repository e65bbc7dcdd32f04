// A check without evidence never passes silently (design.md section 2, promise 5): what the rules
// needed and nobody measured is said once.
#include <fmt/format.h>

#include "compiler/check/rules.h"

namespace plan::check::rules {

void not_measured(const Migration& migration, Sink& sink) {
  const Span where =
      migration.plan.accounts_span.is_known() ? migration.plan.accounts_span : migration.plan.span;
  Examples schemes, mailboxes, sizes, largest;
  for (const Account& account : migration.accounts) {
    const facts::LockAccount& lock = *account.lock;
    if (account.has_password && lock.hash_scheme.empty()) schemes.add(lock.address, lock.span);
    if (!lock.has_mailboxes) mailboxes.add(lock.address, lock.span);
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
  say(sizes, "the size", "quota and disk are not checked");
  say(largest, "the largest message", "the target's bound is not checked");
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
