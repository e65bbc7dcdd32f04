#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "compiler/check/address_index.h"
#include "compiler/check/kind_of_source.h"
#include "compiler/check/limits.h"
#include "compiler/check/misspelt_domains.h"
#include "compiler/check/plan.h"
#include "compiler/check/store_plan.h"
#include "compiler/ir/digest.h"
#include "compiler/source/text.h"
#include "compiler/source/text_index.h"

namespace plan::check {
namespace {

using ir::Value;

std::string join_examples(const std::vector<std::string_view>& names, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (i != 0) text += ", ";
    text += fmt::format("`{}`", printable(names[i], 120));
  }
  if (count > names.size()) text += fmt::format(" and {} more", show_count(count - names.size()));
  return text;
}

class Resolver {
 public:
  Resolver(Plan plan, std::shared_ptr<const facts::Lock> lock,
           std::shared_ptr<const facts::Measurements> facts, Sink& sink)
      : sink_(sink) {
    migration_.plan = std::move(plan);
    migration_.lock = std::move(lock);
    migration_.facts = std::move(facts);
  }

  Migration resolve() {
    fill_blocks();
    if (migration_.lock == nullptr) return std::move(migration_);
    if (!migration_.plan.name.text.empty() &&
        migration_.lock->plan_name_digest != ir::sha256(migration_.plan.name.text).hex()) {
      sink_
          .report(Kind::lock_other_plan, migration_.plan.name.span,
                  "the lock was written for a plan of another name")
          .label("this name")
          .help(
              "if you renamed the plan, run `plan fetch`; if not, the lock of another plan lies "
              "here");
    }
    if (migration_.plan.is_of_store) return std::move(migration_);
    choose_accounts();
    assign_waves();
    index_addresses();
    // Without its accounts every list would look empty.
    const Plan& plan = migration_.plan;
    const bool is_list_unread =
        plan.is_partial && plan.has_account_list && plan.account_list.empty();
    if (!is_list_unread) choose_lists();
    return std::move(migration_);
  }

 private:
  std::string lock_text(const std::map<std::string, std::string>& map,
                        const std::string& key) const {
    const auto found = map.find(key);
    return found == map.end() ? std::string() : found->second;
  }
  /// A pin as the author gave it, `!lock`, or what the lock has when he gave none.
  Value pin(const Value& given, const std::string& key) const {
    const std::string_view text = given.string_or("");
    if (!text.empty() && text != "!lock") return given;
    return migration_.lock == nullptr ? std::string()
                                      : lock_text(migration_.lock->certificates, key);
  }

  void fill_blocks() {
    Plan& plan = migration_.plan;
    const auto host_of = [&](const char* name) {
      const Value& given = plan.hosts[name];
      if (!given.is_map()) return Value::map();
      Value host = given;
      host.set("host_key", migration_.lock == nullptr
                               ? std::string()
                               : lock_text(migration_.lock->host_keys, name));
      return host;
    };
    const auto block = [&](const Value& given, std::string_view kind, const Named& address,
                           const char* name, const std::string& certificate) {
      Value whole =
          Value::map({{"kind", kind}, {"address", address.text}, {"host", host_of(name)}});
      for (const auto& [key, value] : given.members()) {
        if (key == "certificate") {
          whole.set("certificate_sha256", pin(value, certificate));
        } else {
          whole.set(key, value);
        }
      }
      return whole;
    };
    if (plan.is_of_store) {
      const std::string config(plan.target["config"].string_or(""));
      plan.target = block(plan.target, "stalwart-store", {}, "target", {});
      plan.target.set("from", plan.store.from);
      plan.target.set("to", plan.store.to);
      plan.target.set("new_config", plan.store.config);
      plan.target.set("lease_file", store_lease_file(config));
      return;
    }
    const bool is_stalwart = check::is_from_stalwart(plan);
    plan.source = block(plan.source, is_stalwart ? "stalwart-0.15" : "dovecot-postfix",
                        plan.source_address, "source", "source.imap");
    if (is_stalwart) {
      keep_parts_of_stalwart(plan.source);
    } else {
      plan.source.as_map().erase("stalwart");
    }
    plan.target = block(plan.target, "stalwart", plan.target_address, "target", "target.https");
    drop_what_is_not_said(plan.target);
    if (!plan.source["export"].is_map()) plan.source.as_map().erase("export");
    for (const char* server : {"dovecot", "postfix"}) {
      Value part = plan.source[server];
      if (!part.is_map() || !part["container"].string_or("").empty()) continue;
      part.as_map().erase("container");
      plan.source.set(server, std::move(part));
    }
    resolve_dav(plan);
    Value listener = plan.source["listener"];
    if (listener.is_map() && listener["address"].string_or("").empty())
      listener.set("address", plan.source_address.text);
    plan.source.set("listener", std::move(listener));
    Value proxies = Value::list();
    for (const Value& given : plan.proxies.items()) {
      Value proxy = Value::map();
      for (const auto& [key, value] : given.members()) {
        if (key == "pin") {
          // A Unix socket has no certificate; the file's rights are its pin.
          const bool is_local = given["control"].string_or("").starts_with("unix:");
          const bool is_asked = !value.string_or("").empty();
          proxy.set("certificate_sha256",
                    is_local || !is_asked
                        ? Value(std::string())
                        : pin(value, "proxy." + std::string(given["name"].string_or(""))));
          proxy.set("is_pinned", is_local || is_asked);
        } else {
          proxy.set(key, value);
        }
      }
      proxies.push_back(std::move(proxy));
    }
    plan.proxies = std::move(proxies);
  }

  /// No files of Dovecot and Postfix, and the pin of its interface.
  void keep_parts_of_stalwart(Value& source) const {
    for (const char* other : {"dovecot", "postfix", "export"}) source.as_map().erase(other);
    Value stalwart = Value::map();
    for (const auto& [key, value] : source["stalwart"].members()) {
      if (key == "certificate") {
        stalwart.set("certificate_sha256", pin(value, "source.https"));
      } else {
        stalwart.set(key, value);
      }
    }
    source.set("stalwart", std::move(stalwart));
  }

  /// A target that nothing restarts has no words about that in its block.
  static void drop_what_is_not_said(Value& target) {
    Value whole = Value::map();
    for (const auto& [key, value] : target.members()) {
      const bool is_of_restart =
          key == "service" || key == "ready" || key == "stop_within" || key == "start_within";
      const bool is_said = key == "service" ? !value["unit"].string_or("").empty() ||
                                                  !value["container"].string_or("").empty() ||
                                                  value["stop"].is_list()
                                            : !value.is_null();
      if (!is_of_restart || is_said) whole.set(key, value);
    }
    target = std::move(whole);
  }

  /// Leaves `dav` in the source's block when there is a server of calendars and contacts: the one
  /// that the author names, else the one that `plan fetch` saw there.
  void resolve_dav(Plan& plan) const {
    const Value given = plan.source["dav"];
    Value whole = Value::map();
    for (const auto& [key, value] : plan.source.members()) {
      if (key != "dav") whole.set(key, value);
    }
    plan.source = std::move(whole);
    if (given.is_map()) {
      if (given["server"].string_or("none") != "none") plan.source.set("dav", dav_block(given));
      return;
    }
    if (migration_.lock == nullptr) return;
    const auto seen = migration_.lock->settings.find("source.dav");
    if (seen == migration_.lock->settings.end() || seen->second.string_or("").empty()) return;
    plan.source.set("dav", Value::map({{"server", seen->second}, {"stays_behind", false}}));
  }

  Value dav_block(const Value& given) const {
    Value whole = Value::map();
    for (const auto& [key, value] : given.members()) {
      // What is not given stays out: a plan that carries nothing looks as it always did.
      if (key == "certificate") {
        if (!value.string_or("").empty()) whole.set("certificate_sha256", pin(value, "source.dav"));
      } else if (!value.is_null() && !(value.is_string() && value.string_or("").empty())) {
        whole.set(key, value);
      }
    }
    const bool is_carried = whole["url"].is_string() && !whole["stays_behind"].bool_or(false);
    if (is_carried && !whole["login"].is_map())
      sink_
          .report(Kind::missing_key, migration_.plan.place("source", "dav"),
                  "`login` is missing in `dav` of `source`")
          .help(
              "a login that may read and write the collections of every account: `login: {user: "
              "..., password: !secret file:PATH}`");
    return whole;
  }

  void unknown_account(const Named& name, std::string_view what) {
    auto report = sink_.report(
        Kind::unknown_account, name.span,
        fmt::format("{} `{}` is no account of the source", what, printable(name.text, 120)));
    if (unknown_searched_ == kUnknownSearchedMax) {
      report.help("if it is new there, run `plan fetch`");
      return;
    }
    ++unknown_searched_;
    for (const facts::LockAccount& account : migration_.lock->accounts) {
      if (std::binary_search(account.aliases.begin(), account.aliases.end(), name.text)) {
        report.label(fmt::format("an alias of `{}`", printable(account.address, 120)));
        return;
      }
    }
    if (migration_.lock->list(name.text) != nullptr) {
      report.label("a list, which moves with the last of its members");
      return;
    }
    std::vector<std::string_view> candidates;
    const std::string_view domain = domain_of(name.text);
    for (const facts::LockAccount& account : migration_.lock->accounts) {
      if (candidates.size() >= kNearestCandidatesMax) break;
      if (domain_of(account.address) == domain || account.address.front() == name.text.front())
        candidates.push_back(account.address);
    }
    if (const auto near = nearest(name.text, candidates))
      report.label(fmt::format("did you mean `{}`?", *near));
    else
      report.help("if it is new there, run `plan fetch`");
  }

  static constexpr std::uint32_t kNotNamed = UINT32_MAX;

  /// For each account of the lock where the plan's list first names it. Names that the lock does
  /// not have are reported.
  std::vector<std::uint32_t> named_accounts() {
    const std::vector<Named>& list = migration_.plan.account_list;
    const std::vector<facts::LockAccount>& accounts = migration_.lock->accounts;
    std::vector<std::uint32_t> named(accounts.size(), kNotNamed);
    TextIndex by_name;
    by_name.reserve(list.size());
    std::vector<std::uint32_t> first(list.size());
    for (std::uint32_t i = 0; i < list.size(); ++i) {
      const auto is_name = [&](std::uint32_t other) { return list[other].text == list[i].text; };
      first[i] = by_name.insert(list[i].text, i, is_name).value_or(i);
    }
    std::vector<bool> is_known(list.size());
    for (std::size_t i = 0; i < accounts.size(); ++i) {
      const auto is_name = [&](std::uint32_t other) {
        return list[other].text == accounts[i].address;
      };
      const auto found = by_name.find(accounts[i].address, is_name);
      if (!found) continue;
      named[i] = *found;
      is_known[*found] = true;
    }
    for (std::size_t i = 0; i < list.size(); ++i) {
      if (is_known[first[i]]) continue;
      unknown_account(list[i], "account");
      // Who is left behind, and who would not move, follows from that.
      migration_.plan.is_partial = true;
    }
    return named;
  }

  /// `@nowhere.org` under `except` leaves nobody out: a domain that is not written right would
  /// move.
  void report_unfitting_domain(const Named& name) {
    const std::string_view domain = std::string_view(name.text).substr(1);
    const facts::Lock& lock = *migration_.lock;
    const auto is_in = [&](const auto& one) { return domain_of(one.address) == domain; };
    if (std::any_of(lock.accounts.begin(), lock.accounts.end(), is_in) ||
        std::any_of(lock.lists.begin(), lock.lists.end(), is_in))
      return;
    auto report = sink_.report(
        Kind::unknown_account, name.span,
        fmt::format("exception `{}` fits no account of the source", printable(name.text, 120)));
    const std::vector<std::string_view> known(lock.source_domains.begin(),
                                              lock.source_domains.end());
    if (const auto near = nearest(domain, known))
      report.label(fmt::format("did you mean `@{}`?", *near));
    else
      report.help("if it is new there, run `plan fetch`");
  }

  void choose_accounts() {
    const Plan& plan = migration_.plan;
    const facts::Lock& lock = *migration_.lock;
    const std::vector<std::uint32_t> named = named_accounts();
    for (const std::string& meant : plan.meant_exceptions)
      (meant.starts_with('@') ? meant_domains_ : meant_accounts_).insert(letters_of(meant));
    for (const Named& name : plan.except) {
      if (name.text.starts_with('@')) {
        report_unfitting_domain(name);
      } else if (lock.account(name.text) == nullptr && lock.list(name.text) == nullptr) {
        unknown_account(name, "exception");
      }
      except_.emplace(name.text, name.span);
    }
    std::unordered_set<std::string_view> without;
    for (const Named& name : plan.without_password) {
      without.insert(name.text);
      if (lock.account(name.text) == nullptr) unknown_account(name, "account");
    }
    std::unordered_set<std::string_view> domains;
    for (const Named& domain : plan.domains) domains.insert(domain.text);
    migration_.accounts.reserve(plan.has_account_list ? plan.account_list.size()
                                                      : lock.accounts.size());
    for (std::size_t i = 0; i < lock.accounts.size(); ++i) {
      const facts::LockAccount& account = lock.accounts[i];
      if (is_excepted(account.address)) continue;
      Span origin = {};
      if (plan.has_account_list) {
        if (named[i] == kNotNamed) continue;
        origin = plan.account_list[named[i]].span;
      }
      // In a domain of somebody else: the rule domain-without-owner tells, once a domain.
      if (!domains.contains(domain_of(account.address))) continue;
      migration_.accounts.push_back({&account, 0, origin, !without.contains(account.address)});
    }
  }

  [[nodiscard]] bool is_excepted(const std::string& address) const {
    if (except_.contains(address)) return true;
    if (!migration_.plan.except.empty() && except_.contains("@" + std::string(domain_of(address))))
      return true;
    if (!meant_accounts_.empty() && meant_accounts_.contains(letters_of(address))) return true;
    return !meant_domains_.empty() && meant_domains_.contains(letters_of(domain_of(address)));
  }

  /// What is meant is told without what is neither a letter nor a digit: `former#example.org`.
  [[nodiscard]] static std::string letters_of(std::string_view text) {
    std::string letters;
    for (const char c : text) {
      if ((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9')) letters += c;
    }
    return letters;
  }

  void assign_waves() {
    Plan& plan = migration_.plan;
    constexpr std::uint32_t kNone = UINT32_MAX;
    std::uint32_t rest = kNone;
    std::vector<std::uint32_t> wave_of(migration_.accounts.size(), kNone);
    std::vector<Span> place_of(migration_.accounts.size());
    for (std::uint32_t w = 0; w < plan.waves.size(); ++w) {
      const PlanWave& wave = plan.waves[w];
      if (wave.is_rest && rest == kNone) rest = w;
      for (const Named& name : wave.accounts) {
        const auto found = std::lower_bound(
            migration_.accounts.begin(), migration_.accounts.end(), name.text,
            [](const Account& a, const std::string& wanted) { return a.lock->address < wanted; });
        if (found == migration_.accounts.end() || found->lock->address != name.text) {
          report_not_moving(name);
          continue;
        }
        const auto i = static_cast<std::size_t>(found - migration_.accounts.begin());
        if (wave_of[i] != kNone) {
          sink_
              .report(Kind::account_in_two_waves, name.span,
                      fmt::format("account `{}` is in wave `{}` already", printable(name.text, 120),
                                  printable(plan.waves[wave_of[i]].name, 60)))
              .note(place_of[i], "it stands here first");
          continue;
        }
        wave_of[i] = w;
        place_of[i] = name.span;
      }
    }
    std::vector<std::string_view> left;
    std::size_t left_count = 0;
    for (std::size_t i = 0; i < migration_.accounts.size(); ++i) {
      Account& account = migration_.accounts[i];
      if (wave_of[i] == kNone && rest == kNone) {
        if (plan.are_waves_partial) continue;
        if (left_count++ < kExamplesMax) left.push_back(account.lock->address);
        continue;
      }
      account.wave = wave_of[i] == kNone ? rest : wave_of[i];
      if (!account.origin.is_known()) {
        account.origin = wave_of[i] == kNone ? plan.waves[rest].span : place_of[i];
      }
    }
    if (left_count != 0) {
      const Span where = plan.place("waves");
      sink_
          .report(Kind::account_in_no_wave, where,
                  left_count == 1
                      ? fmt::format("account {} is in no wave", join_examples(left, 1))
                      : fmt::format("{} accounts are in no wave: {}", show_count(left_count),
                                    join_examples(left, left_count)))
          .help(
              "add a last wave without `accounts`: `- {name: rest}`, or name them under `except`");
    }
  }

  void report_not_moving(const Named& name) {
    if (const auto found = except_.find(name.text); found != except_.end()) {
      sink_
          .report(Kind::unknown_account, name.span,
                  fmt::format("account `{}` does not move", printable(name.text, 120)))
          .note(found->second, "it is left out here");
    } else if (migration_.lock->account(name.text) != nullptr) {
      if (migration_.plan.is_partial) return;
      if (!misspelt_) misspelt_ = misspelt_domains(migration_.plan, *migration_.lock);
      if (misspelt_->contains(domain_of(name.text))) return;
      sink_
          .report(Kind::unknown_account, name.span,
                  fmt::format("account `{}` does not move", printable(name.text, 120)))
          .help("its domain is not among `domains`, or `accounts: {from: [...]}` does not name it");
    } else {
      unknown_account(name, "account");
    }
  }

  void index_addresses() {
    auto index = std::make_shared<Migration::AddressIndex>();
    std::size_t names = 0;
    for (const Account& account : migration_.accounts) names += 1 + account.lock->aliases.size();
    index->reserve(names);
    for (std::uint32_t i = 0; i < migration_.accounts.size(); ++i)
      index->add(migration_.accounts[i].lock->address, i);
    for (std::uint32_t i = 0; i < migration_.accounts.size(); ++i) {
      for (const std::string& alias : migration_.accounts[i].lock->aliases) index->add(alias, i);
    }
    migration_.by_address = std::move(index);
  }

  void choose_lists() {
    std::unordered_set<std::string_view> domains;
    for (const Named& domain : migration_.plan.domains) domains.insert(domain.text);
    std::size_t members = 0;  // nested lists included: a chain of them has few other members
    for (const facts::LockList& list : migration_.lock->lists) {
      if (is_excepted(list.address) || !domains.contains(domain_of(list.address))) continue;
      if (members > kListMembersMax) {
        sink_
            .report(
                Kind::nested_list, list.span,
                fmt::format(
                    "the lists together have more than {} members once nested ones are written out",
                    show_count(kListMembersMax)))
            .severity(Severity::error);
        return;
      }
      MailList mail_list;
      mail_list.lock = &list;
      members += flatten(list, mail_list);
      migration_.lists.push_back(std::move(mail_list));
    }
  }

  /// Returns how many names it went through.
  std::size_t flatten(const facts::LockList& root, MailList& into) {
    std::unordered_set<std::string_view> seen = {root.address};
    std::vector<const facts::LockList*> open = {&root};
    std::unordered_set<std::uint32_t> accounts;
    while (!open.empty() && seen.size() <= kListMembersMax) {
      const facts::LockList* list = open.back();
      open.pop_back();
      for (const std::string& member : list->members) {
        if (!seen.insert(member).second) continue;
        if (const facts::LockList* inner = migration_.lock->list(member)) {
          open.push_back(inner);
          continue;
        }
        into.members.push_back(member);
        const std::int64_t account = migration_.account_with(member);
        if (account >= 0) accounts.insert(static_cast<std::uint32_t>(account));
      }
    }
    std::sort(into.members.begin(), into.members.end());
    into.accounts.assign(accounts.begin(), accounts.end());
    std::sort(into.accounts.begin(), into.accounts.end());
    // A list delivers from the moment it exists: it flips with the last of its members.
    into.wave = 0;
    for (const std::uint32_t account : into.accounts)
      into.wave = std::max(into.wave, migration_.accounts[account].wave);
    if (into.accounts.empty() && !migration_.plan.waves.empty()) {
      into.wave = static_cast<std::uint32_t>(migration_.plan.waves.size() - 1);
    }
    return seen.size();
  }

  Migration migration_;
  std::unordered_map<std::string_view, Span> except_;
  /// Looked for where the first account is named that does not move.
  std::optional<std::map<std::string_view, std::string_view>> misspelt_;
  std::unordered_set<std::string> meant_accounts_;  // letters of exceptions that cannot be read
  std::unordered_set<std::string> meant_domains_;
  std::size_t unknown_searched_ = 0;
  Sink& sink_;
};

}  // namespace

std::int64_t Migration::account_with(std::string_view address) const {
  if (by_address == nullptr) return -1;
  const auto found = by_address->account(address);
  return found ? static_cast<std::int64_t>(*found) : -1;
}

Migration resolve(Plan plan, std::shared_ptr<const facts::Lock> lock,
                  std::shared_ptr<const facts::Measurements> facts, Sink& sink) {
  return Resolver(std::move(plan), std::move(lock), std::move(facts), sink).resolve();
}

std::string_view domain_of(std::string_view address) {
  const std::size_t at = address.rfind('@');
  return at == std::string_view::npos ? std::string_view() : address.substr(at + 1);
}

}  // namespace plan::check
