#include "runtime/server/source/survey.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <set>

#include "compiler/source/text.h"
#include "runtime/net/errors.h"
#include "runtime/server/dovecot/drivers.h"
#include "runtime/server/source/dav_servers.h"
#include "runtime/server/source/errors.h"
#include "runtime/server/source/limits.h"
#include "runtime/server/source/password_form.h"
#include "runtime/server/source/population.h"
#include "runtime/server/source/services.h"
#include "runtime/server/source/strays.h"

namespace plan::server::source {
namespace {

using dovecot::PasswdEntry;
using dovecot::PasswdFile;
using ir::Value;

constexpr std::size_t kStatusBytesMax = std::size_t{64} << 20U;
/// Measured by its own name: another value says that the digests have another key.
constexpr std::string_view kDigestKey = "source/hash-digest-key";
constexpr std::uint64_t kLargeMessageBytes = std::uint64_t{1} << 20U;

/// Names of a main.cf list of domains: words, files of words, keys of maps.
Outcome add_domains(Source& source, std::string_view setting, std::set<std::string>& domains) {
  PLAN_TRY(text, source.postconf_expanded(setting));
  for (const std::string& word : list_words(text)) {
    if (word.find(':') != std::string::npos) {
      // In a database: the domains are those of the accounts that were exported.
      if (!source.block().alias_export.empty() && !is_listable(word)) continue;
      PLAN_TRY(listing, list_map(source, word));
      for (const std::string_view line : split(listing, '\n')) {
        const std::string_view key = line.substr(0, line.find('\t'));
        if (!key.empty() && key.find('@') == std::string_view::npos &&
            key.find('.') != std::string_view::npos) {
          domains.insert(lower_ascii(key));
        }
      }
    } else if (word.front() == '/') {
      PLAN_TRY(file, source.host(Place::postfix)
                         .read_file(word, kMapBytesMax, net::Deadline::after(kCommandTime)));
      for (const std::string& name : list_words(file)) domains.insert(lower_ascii(name));
    } else if (word.front() != '!') {
      domains.insert(lower_ascii(word));
    }
  }
  return {};
}

/// Rows of `doveadm -f tab` without the header.
std::vector<std::vector<std::string_view>> rows_of(std::string_view text) {
  std::vector<std::vector<std::string_view>> rows;
  for (const std::string_view line : split(text, '\n')) {
    if (!line.empty()) rows.push_back(split(line, '\t'));
  }
  if (!rows.empty()) rows.erase(rows.begin());
  return rows;
}

std::uint64_t number_of(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

Value measurement(std::string what, Value value, std::string_view unit, std::string_view how) {
  return Value::map(
      {{"what", std::move(what)}, {"value", std::move(value)}, {"unit", unit}, {"how", how}});
}

class Survey {
 public:
  Survey(Source& source, secret::SecretSource& secrets,
         const std::function<Result<std::string>(const secret::Secret&)>& keyed_digest)
      : source_(source), secrets_(secrets), keyed_digest_(keyed_digest) {}

  Result<Value> take() {
    Value document = Value::map();
    PLAN_TRY(versions, versions_of());
    document.set("versions", versions);
    if (const ir::Value& key = source_.block().host["host_key"]; key.is_string())
      document.set("host_key", key);
    PLAN_TRY_VOID(add_accounts(document));
    const std::string& login = first_with_mail_.empty() ? first_enabled_ : first_with_mail_;
    PLAN_TRY_VOID(survey_services(source_.block(), login, secrets_, document));
    PLAN_TRY(settings, settings_of());
    document.set("settings", settings);
    Value domains = Value::list();
    for (const std::string& domain : domains_) domains.push_back(domain);
    document.set("domains", domains);
    const Value strays = measure_strays(source_, users_, domains_);
    for (const Value& measured : strays.items()) measurements_.push_back(measured);
    document.set("measurements", measurements_);
    return document;
  }

 private:
  Result<Value> versions_of() {
    PLAN_TRY(dovecot_text, source_.run(Place::dovecot, {"dovecot", "--version"}));
    PLAN_TRY(postfix_text, source_.postconf("mail_version"));
    return Value::map({{"dovecot", std::string(split(trim(dovecot_text), ' ').front())},
                       {"postfix", postfix_text}});
  }

  Outcome add_accounts(Value& document) {
    PLAN_TRY_VOID(source_.refresh_export());
    PLAN_TRY(population, read_population(source_));
    const PasswdFile& file = population.file;
    const std::string& realm = population.realm;
    roles_ = std::move(population.roles);
    PLAN_TRY(quota_rule, source_.doveconf("plugin/quota_rule"));
    const std::uint64_t quota_default = dovecot::quota_of_rule(quota_rule).value_or(0);
    PLAN_TRY_VOID(add_domains(source_, "virtual_mailbox_domains", domains_));
    PLAN_TRY_VOID(add_domains(source_, "virtual_alias_domains", domains_));

    PLAN_TRY(separator, source_.doveconf("namespace/inbox/separator"));
    Value accounts = Value::list();
    for (const PasswdEntry& entry : file.entries) {
      users_.push_back(entry.user);
      PLAN_TRY(account, account_of(entry, address_of(entry.user, realm), quota_default, separator));
      if (const std::string& address = account["address"].as_string();
          !source_.block().alias_export.empty() && address.find('@') != std::string::npos)
        domains_.insert(address.substr(address.rfind('@') + 1));
      if (first_enabled_.empty() && entry.is_enabled())
        first_enabled_ = account["address"].as_string();
      accounts.push_back(std::move(account));
    }
    document.set("accounts", std::move(accounts));
    PLAN_TRY(key, keyed_digest_(secret::Secret(std::string(kDigestKey))));
    measurements_.push_back(
        measurement(std::string(kDigestKey), key, "hex", "HMAC keyed by this folder"));
    Value problems = Value::list();
    for (const dovecot::PasswdProblem& problem : file.problems) {
      problems.push_back(
          fmt::format("{}:{}: {}", source_.block().users_file, problem.line, problem.why));
    }
    document.set("problems", std::move(problems));
    document.set("lists", lists_of(roles_));
    return {};
  }

  Result<Value> account_of(const PasswdEntry& entry, const std::string& address,
                           std::uint64_t quota_default, std::string_view separator) {
    if (const std::size_t at = address.rfind('@'); at != std::string::npos)
      domains_.insert(address.substr(at + 1));
    Value account = Value::map({{"address", address}});
    account.set("aliases", aliases_of(roles_, address));
    account.set("disabled_aliases", Value::list());
    account.set("hash_scheme", lock_form(entry.password));
    if (entry.password.scheme != "NONE") {
      PLAN_TRY(digest, keyed_digest_(secret::Secret(entry.password.with_scheme())));
      measurements_.push_back(measurement(fmt::format("account/{}/hash-digest", address), digest,
                                          "hex", "HMAC keyed by this folder"));
    }
    account.set("quota_bytes", dovecot::quota_of(entry).value_or(quota_default));
    account.set("enabled", entry.is_enabled());
    if (dovecot::is_doveadm_mask(entry.user)) {
      measurements_.push_back(measurement(fmt::format("account/{}/messages", address), {},
                                          "messages", "doveadm takes the name for a mask"));
      return account;
    }
    PLAN_TRY_VOID(add_mailboxes(entry.user, address, separator, account));
    if (account["quota_bytes"].integer_or(0) > 0) PLAN_TRY_VOID(add_quota_use(entry.user, address));
    return account;
  }

  /// A user whom doveadm cannot open is not measured; the others are.
  Outcome add_mailboxes(const std::string& user, const std::string& address,
                        std::string_view separator, Value& account) {
    net::CommandOptions options;
    options.output_bytes_max = kStatusBytesMax;
    PLAN_TRY(listed, source_.host(Place::dovecot)
                         .run(source_.doveadm({"-f", "tab", "mailbox", "list", "-u", user}),
                              net::Deadline::after(kCommandTime), options));
    PLAN_TRY(status, source_.host(Place::dovecot)
                         .run(source_.doveadm({"-f", "tab", "mailbox", "status", "-u", user,
                                               "messages vsize", "*"}),
                              net::Deadline::after(kCommandTime), options));
    const std::string_view how = "doveadm mailbox status";
    if (listed.exit_code != 0 || status.exit_code != 0) {
      const std::string why =
          printable(trim(listed.exit_code != 0 ? listed.errors : status.errors), 200);
      measurements_.push_back(
          measurement(fmt::format("account/{}/messages", address), {}, "messages", why));
      return {};
    }
    std::vector<std::string> names;
    for (const auto& row : rows_of(listed.output)) {
      if (first_invalid_utf8(row.front())) continue;
      std::string name(row.front());
      if (separator.size() == 1 && separator != "/")
        std::replace(name.begin(), name.end(), separator.front(), '/');
      names.push_back(std::move(name));
    }
    std::sort(names.begin(), names.end());
    Value mailboxes = Value::list();
    for (std::string& name : names) mailboxes.push_back(std::move(name));
    account.set("mailboxes", std::move(mailboxes));
    std::uint64_t messages = 0;
    std::uint64_t bytes = 0;
    for (const auto& row : rows_of(status.output)) {
      if (row.size() < 3) continue;
      messages += number_of(row[1]);
      if (row[0] == "INBOX" && number_of(row[1]) != 0 && first_with_mail_.empty() &&
          account["enabled"].bool_or(false))
        first_with_mail_ = address;
      bytes += number_of(row[2]);
    }
    measurements_.push_back(
        measurement(fmt::format("account/{}/messages", address), messages, "messages", how));
    measurements_.push_back(
        measurement(fmt::format("account/{}/bytes", address), bytes, "bytes", how));
    return add_largest_message(user, address);
  }

  /// What Dovecot itself counts against the quota; its value is in KiB.
  Outcome add_quota_use(const std::string& user, const std::string& address) {
    net::CommandOptions options;
    options.output_bytes_max = kStatusBytesMax;
    PLAN_TRY(used, source_.host(Place::dovecot)
                       .run(source_.doveadm({"-f", "tab", "quota", "get", "-u", user}),
                            net::Deadline::after(kCommandTime), options));
    const std::string what = fmt::format("account/{}/quota-use", address);
    std::optional<std::uint64_t> bytes;
    for (const auto& row : rows_of(used.output)) {
      if (row.size() >= 3 && row[1] == "STORAGE") bytes = number_of(row[2]) * 1024;
    }
    if (used.exit_code != 0 || !bytes) {
      const std::string why = printable(trim(used.errors), 200);
      measurements_.push_back(
          measurement(what, {}, "bytes", why.empty() ? "doveadm quota get has no STORAGE" : why));
      return {};
    }
    measurements_.push_back(measurement(what, *bytes, "bytes", "doveadm quota get"));
    return {};
  }

  /// Only messages above kLargeMessageBytes are listed: their sizes are in the index, and no target
  /// has a bound below it.
  Outcome add_largest_message(const std::string& user, const std::string& address) {
    net::CommandOptions options;
    options.output_bytes_max = kStatusBytesMax;
    PLAN_TRY(large, source_.host(Place::dovecot)
                        .run(source_.doveadm({"-f", "tab", "fetch", "-u", user, "size.virtual",
                                              "larger", std::to_string(kLargeMessageBytes)}),
                             net::Deadline::after(kCommandTime), options));
    const std::string what = fmt::format("account/{}/largest-message", address);
    if (large.exit_code != 0) {
      measurements_.push_back(measurement(what, {}, "bytes", printable(trim(large.errors), 200)));
      return {};
    }
    std::uint64_t largest = 0;
    for (const auto& row : rows_of(large.output)) largest = std::max(largest, number_of(row[0]));
    const bool is_bound = largest == 0;
    measurements_.push_back(
        measurement(what, is_bound ? kLargeMessageBytes : largest, "bytes",
                    is_bound ? "doveadm fetch: none is larger" : "doveadm fetch size.virtual"));
    return {};
  }

  Result<Value> settings_of() {
    Value settings = Value::map();
    for (const char* name : {"recipient_delimiter", "message_size_limit", "virtual_transport"}) {
      PLAN_TRY(value, source_.postconf_expanded(name));
      settings.set(name, value);
    }
    // What does something for accounts and is not carried over, and what judges the mail of the
    // target: the compiler says so.
    for (const char* name :
         {"always_bcc", "sender_bcc_maps", "recipient_bcc_maps", "canonical_maps",
          "sender_canonical_maps", "recipient_canonical_maps", "relocated_maps", "transport_maps",
          "relayhost", "sender_dependent_relayhost_maps", "smtpd_sender_login_maps", "mynetworks",
          "smtpd_milters", "non_smtpd_milters", "content_filter", "smtpd_helo_restrictions",
          "smtpd_client_restrictions", "smtpd_sender_restrictions",
          "smtpd_recipient_restrictions"}) {
      PLAN_TRY(value, source_.postconf_expanded(name));
      if (!value.empty()) settings.set(name, value);
    }
    for (const char* name :
         {"auth_default_realm", "auth_mechanisms", "login_trusted_networks", "protocols"}) {
      PLAN_TRY(value, source_.doveconf(name));
      settings.set(name, value);
    }
    for (const char* name :
         {"sieve_before", "sieve_after", "sieve_max_redirects", "sieve_max_script_size"}) {
      PLAN_TRY(value, source_.doveconf(fmt::format("plugin/{}", name)));
      if (!value.empty()) settings.set(name, value);
    }
    PLAN_TRY(dav, dav_servers(source_.host(Place::machine)));
    if (!dav.empty()) settings.set("dav", dav);
    Value catch_alls = Value::map();
    for (const auto& [domain, members] : roles_.catch_alls) {
      Value names = Value::list();
      for (const std::string& member : members) names.push_back(member);
      catch_alls.set(domain, std::move(names));
    }
    settings.set("catch_alls", std::move(catch_alls));
    Value domain_aliases = Value::map();
    for (const auto& [from, to] : roles_.domain_aliases) domain_aliases.set(from, to);
    settings.set("domain_aliases", std::move(domain_aliases));
    return settings;
  }

  Source& source_;
  secret::SecretSource& secrets_;
  const std::function<Result<std::string>(const secret::Secret&)>& keyed_digest_;
  postfix::AliasRoles roles_ = {};
  std::set<std::string> domains_ = {};
  std::vector<std::string> users_ = {};
  Value measurements_ = Value::list();
  std::string first_enabled_ = {};
  std::string first_with_mail_ = {};  ///< enabled, with a message in INBOX
};

}  // namespace

Result<Value> survey_source(
    Source& source, secret::SecretSource& secrets,
    const std::function<Result<std::string>(const secret::Secret&)>& keyed_digest) {
  return Survey(source, secrets, keyed_digest).take();
}

Result<Value> survey_names(Source& source) {
  PLAN_TRY_VOID(source.refresh_export());
  PLAN_TRY(population, read_population(source));
  Value accounts = Value::list();
  for (const PasswdEntry& entry : population.file.entries) {
    const std::string address = address_of(entry.user, population.realm);
    accounts.push_back(
        Value::map({{"address", address}, {"aliases", aliases_of(population.roles, address)}}));
  }
  return Value::map({{"accounts", std::move(accounts)}, {"lists", lists_of(population.roles)}});
}

Result<secret::Secret> read_password_hash(Source& source, const std::string& account) {
  const std::string& path = source.block().users_file;
  PLAN_TRY_VOID(source.refresh_export());
  PLAN_TRY(scheme, default_scheme(source));
  PLAN_TRY(realm, source.doveconf("auth_default_realm"));
  // Only the lines that may be the account's leave the source; exit code 1 is grep's for none.
  const std::string local = account.substr(0, account.rfind('@'));
  net::CommandOptions options;
  options.output_bytes_max = kStatusBytesMax;
  net::Host& host = source.host(source.users_place());
  PLAN_TRY(found, host.run({"grep", "-a", "-i", "-F", "--", local, path},
                           net::Deadline::after(kCommandTime), options));
  if (found.exit_code > 1) {
    return Error(net::errors::file_unreadable, fmt::format("{} on {}", path, host.name()))
        .with_blame(Blame::source)
        .with_detail(trim(found.errors));
  }
  const PasswdFile file = dovecot::parse_passwd_file(found.output, scheme);
  for (const PasswdEntry& entry : file.entries) {
    if (address_of(entry.user, realm) != lower_ascii(account)) continue;
    return secret::Secret(entry.password.with_scheme());
  }
  return Error(errors::account_not_in_users_file,
               fmt::format("{} is not in {} on {}", printable(account), path, host.name()))
      .with_blame(Blame::source);
}

}  // namespace plan::server::source
