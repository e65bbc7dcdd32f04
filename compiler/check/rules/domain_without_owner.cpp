// Prevents: accounts and aliases in a domain that the target does not get: they would stay behind
// without anybody noticing, and mail to the aliases would bounce on the target.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <unordered_set>

#include "compiler/check/misspelt_domains.h"
#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void domain_without_owner(const Migration& migration, Sink& sink) {
  if (migration.plan.is_partial) return;
  const Plan& plan = migration.plan;
  const facts::Lock& lock = *migration.lock;
  std::unordered_set<std::string_view> domains;
  for (const Named& domain : plan.domains) domains.insert(domain.text);
  std::unordered_set<std::string_view> excepted;
  for (const Named& name : plan.except) excepted.insert(name.text);

  struct Missing {
    Examples accounts, aliases, lists;
  };
  std::map<std::string_view, Missing> missing;
  const auto is_missing = [&](std::string_view address) {
    if (domain_of(address).empty()) return false;  // the rule account-without-domain says it
    return !domains.contains(domain_of(address)) && !excepted.contains(address) &&
           !excepted.contains("@" + std::string(domain_of(address)));
  };
  std::vector<const facts::LockAccount*> others;
  for (const facts::LockAccount& account : lock.accounts) {
    if (is_missing(account.address)) others.push_back(&account);
  }
  std::unordered_set<std::string_view> listed;
  if (plan.has_account_list && !others.empty()) {
    for (const Named& name : plan.account_list) listed.insert(name.text);
  }
  for (const facts::LockAccount* account : others) {
    if (plan.has_account_list && !listed.contains(account->address)) continue;
    missing[domain_of(account->address)].accounts.add(account->address, account->span);
  }
  for (const Account& account : migration.accounts) {
    for (const std::string& alias : account.lock->aliases) {
      // An exception cannot help here: the alias belongs to an account that moves.
      if (!domains.contains(domain_of(alias)))
        missing[domain_of(alias)].aliases.add(alias, account.lock->span);
    }
  }
  if (!plan.has_account_list) {
    for (const facts::LockList& list : lock.lists) {
      if (is_missing(list.address))
        missing[domain_of(list.address)].lists.add(list.address, list.span);
    }
  }
  const Span where = plan.domains_span.is_known() ? plan.domains_span : plan.span;
  const auto meant = misspelt_domains(plan, lock);
  for (const auto& [domain, who] : missing) {
    if (meant.contains(domain)) continue;  // said below, at the word that is wrong
    std::string words;
    const auto add = [&](const Examples& examples, std::string_view one, std::string_view many) {
      if (examples.count == 0) return;
      if (!words.empty()) words += ", ";
      words += fmt::format("{} ({})", counted(examples.count, one, many), examples.text());
    };
    add(who.accounts, "account", "accounts");
    add(who.aliases, "alias of a moving account", "aliases of moving accounts");
    add(who.lists, "list", "lists");
    const Span first = who.accounts.count != 0  ? who.accounts.first
                       : who.aliases.count != 0 ? who.aliases.first
                                                : who.lists.first;
    auto report = sink.report(
        Kind::domain_without_owner, where,
        fmt::format("domain `{}` does not move, but has {}", printable(domain, 120), words));
    report.note(first, "seen here");
    if (std::any_of(domain.begin(), domain.end(),
                    [](char c) { return static_cast<unsigned char>(c) >= 0x80; })) {
      report.help(
          "the target knows an international domain by its `xn--` form only: write that at the "
          "source, run `plan fetch`, and add it to `domains`");
      continue;
    }
    if (who.aliases.count != 0) {
      report.help(fmt::format(
          "add `{}` to `domains`, or take the alias away at the source and run `plan fetch`",
          printable(domain, 120)));
    } else {
      report.help(fmt::format("add it to `domains`, or leave it out with `except: [\"@{}\"]`",
                              printable(domain, 120)));
    }
  }
  if (lock.source_domains.empty()) return;  // not measured
  for (const Named& domain : plan.domains) {
    if (std::binary_search(lock.source_domains.begin(), lock.source_domains.end(), domain.text))
      continue;
    std::vector<std::string_view> known(lock.source_domains.begin(), lock.source_domains.end());
    auto report = sink.report(
        Kind::domain_without_owner, domain.span,
        fmt::format("the source does not deliver for `{}`", printable(domain.text, 120)));
    if (const auto near = nearest(domain.text, known)) {
      report.label(fmt::format("did you mean `{}`?", *near));
      report.help(
          "correct it in `domains`; if the source has begun to deliver for it, run `plan fetch` "
          "again");
    } else {
      report.help(
          "take it out of `domains`; if the source has begun to deliver for it, run `plan fetch` "
          "again");
    }
  }
}

}  // namespace plan::check::rules
