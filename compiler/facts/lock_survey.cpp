#include <fmt/format.h>

#include <algorithm>

#include "compiler/facts/errors.h"
#include "compiler/facts/lock.h"
#include "compiler/facts/lock_text.h"
#include "compiler/ir/digest.h"
#include "compiler/source/text.h"

namespace plan::facts {
namespace {

using ir::Value;

Error bad(std::string what) { return Error(errors::bad_survey, std::move(what)); }

Result<std::vector<std::string>> words_of(const Value& value, const std::string& where,
                                          bool is_address) {
  std::vector<std::string> words;
  if (value.is_null()) return words;
  if (!value.is_list()) return bad(fmt::format("{} is no list", where));
  for (const Value& item : value.items()) {
    if (!item.is_string()) return bad(fmt::format("{} has an item that is no text", where));
    words.push_back(is_address ? lower_ascii(item.as_string()) : item.as_string());
  }
  std::sort(words.begin(), words.end());
  words.erase(std::unique(words.begin(), words.end()), words.end());
  return words;
}

Outcome take_texts(const Value& value, std::string_view prefix, const std::string& where,
                   std::map<std::string, std::string>& into) {
  if (!value.is_null() && !value.is_map()) return bad(fmt::format("{} is no map", where));
  for (const auto& [name, text] : value.members()) {
    if (!text.is_string()) return bad(fmt::format("{}.{} is no text", where, name));
    if (!text.as_string().empty()) into[fmt::format("{}.{}", prefix, name)] = text.as_string();
  }
  return {};
}

Outcome take_settings(const Value& settings, const std::string& server, Lock& lock) {
  for (const auto& [name, value] : settings.members()) {
    if (has_negative(value))
      return bad(fmt::format("{}.settings.{} has a number below 0", server, name));
    lock.settings[server + "." + name] = value;
  }
  return {};
}

Result<LockAccount> account_from(const Value& document, std::size_t i) {
  const std::string where = fmt::format("source.accounts[{}]", i);
  LockAccount account;
  account.address = lower_ascii(document["address"].string_or(""));
  if (account.address.empty()) return bad(where + " has no address");
  PLAN_TRY(aliases, words_of(document["aliases"], where + ".aliases", true));
  PLAN_TRY(disabled, words_of(document["disabled_aliases"], where + ".disabled_aliases", true));
  PLAN_TRY(mailboxes, words_of(document["mailboxes"], where + ".mailboxes", false));
  account.aliases = std::move(aliases);
  std::erase(account.aliases, account.address);
  account.disabled_aliases = std::move(disabled);
  account.mailboxes = std::move(mailboxes);
  account.has_mailboxes = document["mailboxes"].is_list();
  account.login = document["login"].string_or("");
  if (account.login == account.address ||
      std::binary_search(account.aliases.begin(), account.aliases.end(), account.login))
    account.login.clear();
  account.hash_scheme = document["hash_scheme"].string_or("");
  const std::int64_t quota = document["quota_bytes"].integer_or(0);
  account.quota_bytes = quota > 0 ? static_cast<std::uint64_t>(quota) : 0;
  account.is_enabled = document["enabled"].bool_or(true);
  return account;
}

Outcome take_source(const Value& source, Lock& lock) {
  PLAN_TRY_VOID(take_texts(source["versions"], "source", "source.versions", lock.versions));
  PLAN_TRY_VOID(
      take_texts(source["certificates"], "source", "source.certificates", lock.certificates));
  for (const auto& [name, list] : source["capabilities"].members()) {
    PLAN_TRY(words, words_of(list, "source.capabilities." + name, false));
    lock.capabilities["source." + name] = std::move(words);
  }
  if (const auto key = source["host_key"].string_or(""); !key.empty())
    lock.host_keys["source"] = key;
  PLAN_TRY_VOID(take_settings(source["settings"], "source", lock));
  PLAN_TRY(domains, words_of(source["domains"], "source.domains", true));
  lock.source_domains = std::move(domains);

  if (!source["accounts"].is_list()) return bad("source.accounts is no list");
  lock.accounts.reserve(source["accounts"].size());
  for (const Value& document : source["accounts"].items()) {
    PLAN_TRY(account, account_from(document, lock.accounts.size()));
    lock.accounts.push_back(std::move(account));
  }
  std::sort(lock.accounts.begin(), lock.accounts.end(),
            [](const LockAccount& a, const LockAccount& b) { return a.address < b.address; });
  for (std::size_t i = 1; i < lock.accounts.size(); ++i) {
    if (lock.accounts[i].address == lock.accounts[i - 1].address) {
      return bad(
          fmt::format("account {} is there twice", printable(lock.accounts[i].address, 120)));
    }
  }
  for (const Value& document : source["lists"].items()) {
    LockList list;
    list.address = lower_ascii(document["address"].string_or(""));
    if (list.address.empty()) return bad("a list of the source has no address");
    PLAN_TRY(members, words_of(document["members"], "source.lists.members", true));
    list.members = std::move(members);
    lock.lists.push_back(std::move(list));
  }
  std::sort(lock.lists.begin(), lock.lists.end(),
            [](const LockList& a, const LockList& b) { return a.address < b.address; });
  return {};
}

Outcome take_target(const Value& target, Lock& lock) {
  if (const auto version = target["version"].string_or(""); !version.empty()) {
    lock.versions["target.stalwart"] = version;
  }
  lock.schema_digest = target["schema_digest"].string_or("");
  if (target["capabilities"].is_list()) {
    PLAN_TRY(words, words_of(target["capabilities"], "target.capabilities", false));
    lock.capabilities["target.jmap"] = std::move(words);
  }
  for (const auto& [name, value] : target["limits"].members()) {
    if (value.integer_or(-1) < 0) return bad(fmt::format("target.limits.{} is no count", name));
    lock.limits["target." + name] = static_cast<std::uint64_t>(value.as_integer());
  }
  PLAN_TRY_VOID(
      take_texts(target["certificates"], "target", "target.certificates", lock.certificates));
  PLAN_TRY_VOID(take_texts(target["proxy_certificates"], "proxy", "target.proxy_certificates",
                           lock.certificates));
  if (const auto key = target["host_key"].string_or(""); !key.empty())
    lock.host_keys["target"] = key;
  for (const Value& document : target["domains"].items()) {
    LockDomain domain;
    domain.name =
        lower_ascii(document.is_string() ? document.as_string() : document["name"].string_or(""));
    if (domain.name.empty()) return bad("a domain of the target has no name");
    PLAN_TRY(aliases, words_of(document["aliases"], "target.domains.aliases", true));
    domain.aliases = std::move(aliases);
    domain.catch_all = lower_ascii(document["catch_all"].string_or(""));
    domain.allows_relaying = document["allows_relaying"].bool_or(false);
    lock.target_domains.push_back(std::move(domain));
  }
  std::sort(lock.target_domains.begin(), lock.target_domains.end(),
            [](const LockDomain& a, const LockDomain& b) { return a.name < b.name; });
  PLAN_TRY(addresses, words_of(target["addresses"], "target.addresses", true));
  lock.target_addresses = std::move(addresses);
  for (const Value& document : target["throttles"].items()) {
    lock.throttles.push_back(
        {std::string(document["description"].string_or("")), document["match"], {}});
    if (lock.throttles.back().description.empty())
      return bad("a throttle of the target has no description");
  }
  std::sort(
      lock.throttles.begin(), lock.throttles.end(),
      [](const LockThrottle& a, const LockThrottle& b) { return a.description < b.description; });
  PLAN_TRY_VOID(take_settings(target["settings"], "target", lock));
  if (target["resolves_names"].is_bool()) {
    lock.settings["target.resolves_names"] = target["resolves_names"];
  }
  return {};
}

}  // namespace

Result<Lock> lock_from_surveys(std::string_view plan_name, const Value& source,
                               const Value& target) {
  Lock lock;
  lock.plan_name_digest = ir::sha256(plan_name).hex();
  if (auto taken = take_source(source, lock); !taken) {
    return std::move(taken)
        .error()
        .with_blame(Blame::source)
        .while_doing("reading the survey of the source");
  }
  if (auto taken = take_target(target, lock); !taken) {
    return std::move(taken)
        .error()
        .with_blame(Blame::target)
        .while_doing("reading the survey of the target");
  }
  return lock;
}

}  // namespace plan::facts
