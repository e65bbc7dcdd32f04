#include "runtime/server/stalwart15/survey.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "compiler/source/text.h"
#include "runtime/net/errors.h"
#include "runtime/net/imap/client.h"
#include "runtime/server/source/password_form.h"
#include "runtime/server/source/services.h"
#include "runtime/server/source/source.h"
#include "runtime/server/stalwart15/directory.h"
#include "runtime/server/stalwart15/errors.h"
#include "runtime/server/stalwart15/mailboxes.h"
#include "runtime/server/stalwart15/management.h"

namespace plan::server::stalwart15 {
namespace {

using ir::Value;

/// What a server decides by the port that mail comes in at, which std/stalwart-source writes.
constexpr std::array kPortRules = {"auth.dkim.verify",
                                   "auth.arc.verify",
                                   "auth.spf.verify.ehlo",
                                   "auth.spf.verify.mail-from",
                                   "auth.dmarc.verify",
                                   "auth.iprev.verify",
                                   "session.ehlo.reject-non-fqdn",
                                   "session.data.add-headers.received",
                                   "session.data.add-headers.received-spf",
                                   "session.data.add-headers.return-path",
                                   "session.data.add-headers.auth-results",
                                   "session.data.add-headers.message-id",
                                   "session.data.add-headers.date",
                                   "session.auth.directory",
                                   "session.auth.require",
                                   "session.auth.mechanisms"};
/// Measured by its own name: another value says that the digests have another key.
constexpr std::string_view kDigestKey = "source/hash-digest-key";
/// The server bans an address after a hundred wrong logins of a day (reference 2.2).
constexpr int kRefusedLoginsMax = 3;
/// Of what nothing carries over so many are named.
constexpr std::size_t kNamesShownMax = 10;
constexpr std::size_t kLoginNamesShownMax = 20;

Value measurement(std::string what, Value value, std::string_view unit, std::string_view how) {
  return Value::map(
      {{"what", std::move(what)}, {"value", std::move(value)}, {"unit", unit}, {"how", how}});
}

Result<std::unique_ptr<Management>> open(const Value& block, secret::SecretSource& secrets) {
  const Value& server = block["stalwart"];
  return open_management(server["url"].string_or(""), server["login"],
                         server["certificate_sha256"].string_or(""), secrets);
}

Result<Directory> read_directory_of(Management& server) {
  Principals principals;
  for (const auto& [type, into] : {std::pair{PrincipalType::domain, &principals.domains},
                                   std::pair{PrincipalType::role, &principals.roles},
                                   std::pair{PrincipalType::group, &principals.groups},
                                   std::pair{PrincipalType::list, &principals.lists},
                                   std::pair{PrincipalType::individual, &principals.individuals}}) {
    PLAN_TRY(found, server.principals(type));
    *into = std::move(found);
  }
  return read_directory(principals);
}

/// Of a directory in LDAP or SQL the interface lists who has logged in or received mail, and no
/// passwords: that is not who is there.
Outcome check_directory(Management& server) {
  PLAN_TRY(chosen, server.read({"storage.directory"}, {}));
  const auto found = chosen.find("storage.directory");
  if (found == chosen.end()) return {};
  const std::string key = fmt::format("directory.{}.type", found->second);
  PLAN_TRY(types, server.read({key}, {}));
  const auto type = types.find(key);
  if (type == types.end() || type->second == "internal") return {};
  return Error(errors::other_directory,
               fmt::format("`storage.directory` of the old server is `{}`, of type `{}`",
                           printable(found->second, 60), printable(type->second, 60)))
      .with_blame(Blame::source);
}

Value texts(const std::vector<std::string>& words) {
  Value list = Value::list();
  for (const std::string& word : words) list.push_back(word);
  return list;
}

std::string shown(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kNamesShownMax); ++i)
    text += fmt::format("{}{}", i == 0 ? "" : ", ", printable(names[i], 120));
  if (names.size() > kNamesShownMax)
    text += fmt::format(" and {} more", show_count(names.size() - kNamesShownMax));
  return text;
}

Value lists_of(const Directory& directory) {
  Value lists = Value::list();
  for (const OldList& list : directory.lists)
    lists.push_back(Value::map({{"address", list.address}, {"members", texts(list.members)}}));
  return lists;
}

class Survey {
 public:
  Survey(const Value& block, secret::SecretSource& secrets,
         const std::function<Result<std::string>(const secret::Secret&)>& keyed_digest)
      : block_(block), secrets_(secrets), keyed_digest_(keyed_digest) {}

  Result<Value> take() {
    PLAN_TRY(source, source::read_block(block_));
    source_ = std::move(source);
    PLAN_TRY(server, open(block_, secrets_));
    PLAN_TRY(version, server->version());
    PLAN_TRY_VOID(check_directory(*server));
    PLAN_TRY(directory, read_directory_of(*server));
    directory_ = std::move(directory);
    Value document = Value::map();
    document.set("versions", Value::map({{"stalwart", version}}));
    if (const Value& key = source_.host["host_key"]; key.is_string()) document.set("host_key", key);
    const auto first = std::find_if(directory_.accounts.begin(), directory_.accounts.end(),
                                    [](const OldAccount& account) { return account.is_enabled; });
    PLAN_TRY_VOID(source::survey_services(
        source_, first == directory_.accounts.end() ? std::string() : first->login, secrets_,
        document));
    if (std::string pin = server->certificate_sha256(); !pin.empty()) {
      Value certificates = document["certificates"];
      certificates.set("https", std::move(pin));
      document.set("certificates", std::move(certificates));
    }
    PLAN_TRY_VOID(add_accounts(document));
    document.set("lists", lists_of(directory_));
    PLAN_TRY(settings, settings_of(*server));
    document.set("settings", std::move(settings));
    Value domains = Value::list();
    for (const std::string& domain : directory_.domains) domains.push_back(domain);
    document.set("domains", std::move(domains));
    document.set("measurements", std::move(measurements_));
    return document;
  }

 private:
  Outcome add_accounts(Value& document) {
    Value accounts = Value::list();
    for (const OldAccount& account : directory_.accounts) {
      PLAN_TRY(one, account_of(account));
      accounts.push_back(std::move(one));
    }
    document.set("accounts", std::move(accounts));
    PLAN_TRY(key, keyed_digest_(secret::Secret(std::string(kDigestKey))));
    measurements_.push_back(
        measurement(std::string(kDigestKey), key, "hex", "HMAC keyed by this folder"));
    return {};
  }

  Result<Value> account_of(const OldAccount& account) {
    Value one = Value::map({{"address", account.address},
                            {"aliases", texts(account.aliases)},
                            {"disabled_aliases", Value::list()},
                            {"login", account.login},
                            {"hash_scheme", source::lock_form(account.password)},
                            {"enabled", account.is_enabled}});
    const auto name = [&](const char* what) {
      return fmt::format("account/{}/{}", account.address, what);
    };
    if (account.password.scheme != "NONE") {
      PLAN_TRY(digest, keyed_digest_(secret::Secret(account.password.with_scheme())));
      measurements_.push_back(
          measurement(name("hash-digest"), digest, "hex", "HMAC keyed by this folder"));
    }
    one.set("quota_bytes", account.quota.value_or(0));
    if (account.quota.value_or(0) > 0)
      measurements_.push_back(measurement(name("quota-use"), account.used.value_or(0), "bytes",
                                          "usedQuota of the old server"));
    add_mailboxes(account, one);
    return one;
  }

  /// An account that the master user is not let into is not measured; the others are.
  void add_mailboxes(const OldAccount& account, Value& one) {
    const auto name = [&](const char* what) {
      return fmt::format("account/{}/{}", account.address, what);
    };
    const auto seen = look_into(account);
    if (!seen) {
      measurements_.push_back(
          measurement(name("messages"), {}, "messages", printable(seen.error().message(), 200)));
      return;
    }
    one.set("mailboxes", texts(seen->names));
    const std::string_view how = "STATUS over IMAP";
    measurements_.push_back(measurement(name("messages"), seen->messages, "messages", how));
    if (seen->has_bytes) {
      measurements_.push_back(measurement(name("bytes"), seen->bytes, "bytes", how));
    } else if (account.used) {
      measurements_.push_back(
          measurement(name("bytes"), *account.used, "bytes", "usedQuota of the old server"));
    }
    const bool is_bound = seen->largest == 0;
    measurements_.push_back(
        measurement(name("largest-message"), is_bound ? kLargeMessageBytes : seen->largest, "bytes",
                    is_bound ? "SEARCH over IMAP: none is larger" : "RFC822.SIZE over IMAP"));
  }

  Result<MailboxSizes> look_into(const OldAccount& account) {
    const auto not_asked = [](const char* why) {
      return Error(net::errors::login_refused, why).with_blame(Blame::source);
    };
    // The master user has the rights of the account, which has none to log in.
    if (!account.is_enabled) return not_asked("the account may not log in, nor the master user");
    if (refused_ >= kRefusedLoginsMax)
      return not_asked("the master user was refused for others, and is not tried again");
    if (!source_.master_password.is_secret()) return not_asked("the plan names no master user");
    PLAN_TRY(password, secrets_.read(source_.master_password.as_secret()));
    PLAN_TRY(imap, net::imap::Client::connect(source::imap_of_survey(source_)));
    if (auto login = imap->login(source_.master_login(account.login), password); !login) {
      if (login.error().is(net::errors::login_refused)) ++refused_;
      return std::move(login).error();
    }
    PLAN_TRY(sizes, read_mailboxes(*imap));
    imap->logout();
    return sizes;
  }

  Result<Value> settings_of(Management& server) {
    std::vector<std::string> keys = {"session.rcpt.sub-addressing", "session.rcpt.catch-all",
                                     "session.data.limits.size", "queue.strategy.route"};
    std::vector<std::string> prefixes = {"session.rcpt.sub-addressing", "session.rcpt.catch-all",
                                         "queue.strategy.route",        "queue.route",
                                         "server.allowed-ip",           "sieve.trusted.scripts"};
    for (const char* rule : kPortRules) {
      keys.emplace_back(rule);
      prefixes.emplace_back(rule);
    }
    PLAN_TRY(found, server.read(keys, prefixes));
    Value settings = Value::map();
    const auto value = [&](const std::string& key) {
      const auto at = found.find(key);
      return at == found.end() ? std::string() : at->second;
    };
    const auto has_below = [&](const std::string& key) {
      const auto at = found.lower_bound(key + ".");
      return at != found.end() && at->first.starts_with(key + ".");
    };
    const std::string tags = value("session.rcpt.sub-addressing");
    settings.set("recipient_delimiter", tags == "false" ? "" : "+");
    Value rules = Value::list();
    for (const char* key : {"session.rcpt.sub-addressing", "session.rcpt.catch-all"}) {
      const std::string text = value(key);
      if (has_below(key) || (!text.empty() && text != "true" && text != "false"))
        rules.push_back(key);
    }
    // The target's own default is another one: only what is said counts.
    if (const std::string size = value("session.data.limits.size"); !size.empty())
      settings.set("message_size_limit", size);
    add_routes(found, settings);
    std::vector<std::string> trusted = ids_below(found, "server.allowed-ip", true);
    if (!trusted.empty()) settings.set("mynetworks", fmt::format("{}", fmt::join(trusted, " ")));
    add_left("system_scripts", ids_below(found, "sieve.trusted.scripts", false), settings);
    std::vector<std::string> own_rules;
    for (const Value& rule : rules.items()) own_rules.emplace_back(rule.string_or(""));
    add_left("address_rules", own_rules, settings);
    add_port_rules(found, settings);
    for (const auto& [name, words] : directory_.left) add_left(name, words, settings);
    add_catch_alls(value("session.rcpt.catch-all") == "false", settings);
    settings.set("domain_aliases", Value::map());
    add_login_names(settings);
    return settings;
  }

  static void add_left(const std::string& name, const std::vector<std::string>& words,
                       Value& settings) {
    if (!words.empty()) settings.set(name, shown(words));
  }

  /// Those that std/stalwart-source replaces, but for what it has written there itself.
  static void add_port_rules(const Settings& found, Value& settings) {
    std::vector<std::string> own;
    for (const char* name : kPortRules) {
      const std::string rule = name;
      bool is_said = false;
      bool is_ours = false;
      for (auto at = found.lower_bound(rule); at != found.end() && at->first.starts_with(rule);
           ++at) {
        if (at->first != rule && at->first[rule.size()] != '.') continue;
        is_said = true;
        is_ours = is_ours || at->second.starts_with("remote_ip == '") ||
                  at->second.starts_with("local_port == 25 || local_port == ") ||
                  at->second.starts_with("local_port != 25 && local_port != ");
      }
      if (is_said && !is_ours) own.push_back(rule);
    }
    add_left("port_rules", own, settings);
  }

  /// The parts between `prefix.` and the next dot, or all that follows.
  static std::vector<std::string> ids_below(const Settings& settings, const std::string& prefix,
                                            bool is_whole) {
    std::vector<std::string> ids;
    for (auto at = settings.lower_bound(prefix + ".");
         at != settings.end() && at->first.starts_with(prefix + "."); ++at) {
      std::string id = at->first.substr(prefix.size() + 1);
      if (!is_whole) id.resize(std::min(id.size(), id.find('.')));
      if (ids.empty() || ids.back() != id) ids.push_back(std::move(id));
    }
    return ids;
  }

  /// Ways of the mail that are not the server's own: a relay for everything, and expressions.
  static void add_routes(const Settings& found, Value& settings) {
    std::string relays;
    for (const std::string& id : ids_below(found, "queue.route", false)) {
      const auto text = [&](const char* key) {
        const auto at = found.find(fmt::format("queue.route.{}.{}", id, key));
        return at == found.end() ? std::string() : at->second;
      };
      if (text("type") != "relay" || id.starts_with("plan-")) continue;
      const std::string port = text("port");
      relays += fmt::format("{}[{}]:{}", relays.empty() ? "" : " ", printable(text("address"), 200),
                            port.empty() ? "25" : printable(port, 10));
    }
    if (!relays.empty()) settings.set("relayhost", relays);
    std::vector<std::string> conditions;
    for (const auto& [key, value] : found) {
      const bool is_condition = key.starts_with("queue.strategy.route.") && key.ends_with(".if");
      // The server's own first rule, and those of std/stalwart-source.
      if (is_condition && value != "is_local_domain('*', rcpt_domain)" &&
          value.find("'plan-") == std::string::npos)
        conditions.push_back(value);
    }
    add_left("routes", conditions, settings);
  }

  /// Switched off at the server, entries for whole domains do nothing.
  void add_catch_alls(bool is_off, Value& settings) const {
    Value catch_alls = Value::map();
    if (!is_off) {
      for (const auto& [domain, accounts] : directory_.catch_alls)
        catch_alls.set(domain, texts(accounts));
    }
    settings.set("catch_alls", std::move(catch_alls));
  }

  void add_login_names(Value& settings) const {
    std::size_t count = 0;
    Value first = Value::map();
    for (const OldAccount& account : directory_.accounts) {
      if (account.login == account.address) continue;
      if (++count <= kLoginNamesShownMax) first.set(account.address, account.login);
    }
    if (count == 0) return;
    settings.set("login_names", Value::map({{"count", static_cast<std::int64_t>(count)},
                                            {"first", std::move(first)}}));
  }

  const Value& block_;
  secret::SecretSource& secrets_;
  const std::function<Result<std::string>(const secret::Secret&)>& keyed_digest_;
  source::Block source_ = {};
  Directory directory_ = {};
  Value measurements_ = Value::list();
  int refused_ = 0;
};

}  // namespace

Result<Value> survey_old_stalwart(
    const Value& source_block, secret::SecretSource& secrets,
    const std::function<Result<std::string>(const secret::Secret&)>& keyed_digest) {
  return Survey(source_block, secrets, keyed_digest).take();
}

Result<Value> survey_old_names(const Value& source_block, secret::SecretSource& secrets) {
  PLAN_TRY(server, open(source_block, secrets));
  PLAN_TRY(version, server->version());
  static_cast<void>(version);
  PLAN_TRY_VOID(check_directory(*server));
  PLAN_TRY(directory, read_directory_of(*server));
  Value accounts = Value::list();
  for (const OldAccount& account : directory.accounts)
    accounts.push_back(
        Value::map({{"address", account.address}, {"aliases", texts(account.aliases)}}));
  return Value::map({{"accounts", std::move(accounts)}, {"lists", lists_of(directory)}});
}

}  // namespace plan::server::stalwart15
