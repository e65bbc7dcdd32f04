#include "runtime/server/stalwart15/directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>
#include <unordered_set>

#include "compiler/source/text.h"
#include "runtime/server/stalwart15/errors.h"

namespace plan::server::stalwart15 {
namespace {

using dovecot::StoredPassword;
using ir::Value;

constexpr std::string_view kAppPassword = "$app$";
constexpr std::string_view kOneTimeCode = "otpauth://";
/// Roles that a server has from its start; each of them may log in and receive mail.
constexpr std::array<std::string_view, 3> kOwnRoles = {"user", "admin", "tenant-admin"};

bool is_among(std::string_view text, const Value& list) {
  return std::any_of(list.items().begin(), list.items().end(),
                     [&](const Value& item) { return item.string_or("") == text; });
}

/// Names are not trimmed by the server, and logins are: with a blank at its end nobody logs in.
bool has_blanks(std::string_view text) {
  return std::any_of(text.begin(), text.end(), [](char byte) {
    return static_cast<unsigned char>(byte) <= 0x20 || byte == 0x7f;
  });
}

bool is_address(std::string_view text) {
  const std::size_t at = text.find('@');
  return at != std::string_view::npos && at != 0 && at + 1 != text.size() &&
         at == text.rfind('@') && !has_blanks(text) && !first_invalid_utf8(text);
}

/// Lower case, without catch-alls, in the order of the server: the first is the primary one.
std::vector<std::string> addresses_of(const Value& principal) {
  std::vector<std::string> addresses;
  for (const Value& item : principal["emails"].items()) {
    std::string address = lower_ascii(item.string_or(""));
    if (is_address(address) &&
        std::find(addresses.begin(), addresses.end(), address) == addresses.end())
      addresses.push_back(std::move(address));
  }
  return addresses;
}

std::string domain_of(std::string_view address) {
  return std::string(address.substr(address.rfind('@') + 1));
}

std::string name_of(const Value& principal) { return std::string(principal["name"].string_or("")); }

std::optional<std::uint64_t> bytes_of(const Value& value) {
  // With bounds by type it is a list, whose first item is the bytes.
  const Value& number = value.is_list() ? value.item(0) : value;
  if (number.is_integer() && number.as_integer() >= 0)
    return static_cast<std::uint64_t>(number.as_integer());
  // Above 63 bits: as good as none, and no number of the lock.
  if (number.is_number() && number.number_or(0) > 0) return 0;
  return std::nullopt;
}

/// The old server's own rule for what it compares as a hash; everything else that begins like one
/// never fits a password.
bool is_hash_of_server(std::string_view secret) {
  constexpr std::array<std::string_view, 8> kBegins = {"$argon2", "$pbkdf2", "$scrypt", "$2",
                                                       "$6$",     "$5$",     "$sha1",   "$1"};
  return secret.starts_with('_') ||
         std::any_of(kBegins.begin(), kBegins.end(),
                     [&](std::string_view begin) { return secret.starts_with(begin); });
}

bool is_scheme_of_server(std::string_view scheme) {
  constexpr std::array<std::string_view, 17> kSchemes = {
      "ARGON2",  "ARGON2I", "ARGON2ID", "PBKDF2", "SHA",   "SSHA",  "SHA256", "SSHA256", "SHA512",
      "SSHA512", "MD5",     "CRYPT",    "crypt",  "PLAIN", "plain", "CLEAR",  "clear"};
  return std::find(kSchemes.begin(), kSchemes.end(), scheme) != kSchemes.end();
}

StoredPassword no_password() { return {.scheme = "NONE", .text = {}}; }

StoredPassword password_in(std::string_view secret) {
  if (secret.empty()) return no_password();
  if (secret.front() == '{') {
    const std::size_t close = secret.find('}');
    if (close == std::string_view::npos || !is_scheme_of_server(secret.substr(1, close - 1)))
      return no_password();
    std::string scheme(secret.substr(1, close - 1));
    if (scheme == "crypt") scheme = "CRYPT";
    if (scheme == "plain") scheme = "PLAIN";
    if (scheme == "clear") scheme = "CLEAR";
    return {.scheme = std::move(scheme), .text = std::string(secret.substr(close + 1))};
  }
  if (secret.front() == '$' || secret.front() == '_') {
    if (!is_hash_of_server(secret)) return no_password();
    return {.scheme = "CRYPT", .text = std::string(secret)};
  }
  return {.scheme = "PLAIN", .text = std::string(secret)};
}

/// The user's own secret; nothing when there are only app passwords and one-time codes.
std::optional<std::string_view> main_secret(const Value& secrets) {
  for (const Value& item : secrets.items()) {
    const std::string_view text = item.string_or("");
    if (!text.starts_with(kAppPassword) && !text.starts_with(kOneTimeCode)) return text;
  }
  return std::nullopt;
}

bool has_secret(const Value& secrets, std::string_view begin) {
  return std::any_of(secrets.items().begin(), secrets.items().end(),
                     [&](const Value& item) { return item.string_or("").starts_with(begin); });
}

class Reader {
 public:
  explicit Reader(const Principals& principals) : principals_(principals) {}

  Result<Directory> read() {
    for (const Value& domain : principals_.domains) {
      const std::string name = lower_ascii(domain["name"].string_or(""));
      if (!name.empty() && !has_blanks(name)) directory_.domains.insert(name);
    }
    for (const Value& role : principals_.roles) roles_[name_of(role)] = &role;
    note_addresses();
    PLAN_TRY_VOID(read_accounts());
    for (const Value& group : principals_.groups) {
      const std::string address = address_of_name(name_of(group));
      directory_.left["groups"].push_back(address.empty() ? name_of(group) : address);
    }
    read_lists();
    for (auto& [name, words] : directory_.left) {
      std::sort(words.begin(), words.end());
      words.erase(std::unique(words.begin(), words.end()), words.end());
    }
    return std::move(directory_);
  }

 private:
  /// Whose address each one is: a login that is another one's address is none of its own.
  void note_addresses() {
    for (const auto* list : {&principals_.individuals, &principals_.groups, &principals_.lists}) {
      for (const Value& principal : *list) {
        for (std::string& address : addresses_of(principal))
          owner_.emplace(std::move(address), name_of(principal));
      }
    }
    for (const Value& one : principals_.individuals) {
      const std::string name = name_of(one);
      std::string spelled = lower_ascii(name);
      std::vector<std::string> own = addresses_of(one);
      const auto owner = owner_.find(spelled);
      const bool is_of_other = owner != owner_.end() && owner->second != name;
      // Names need no domain that exists, addresses do.
      const bool is_here = own.empty() || directory_.domains.contains(domain_of(spelled));
      address_[name] = is_address(spelled) && !is_of_other && is_here ? std::move(spelled)
                       : own.empty()                                  ? std::string()
                                                                      : std::move(own.front());
    }
    for (const auto* list : {&principals_.groups, &principals_.lists}) {
      for (const Value& one : *list) {
        std::vector<std::string> own = addresses_of(one);
        // Without an address nothing can be sent to it.
        address_[name_of(one)] = own.empty() ? std::string() : std::move(own.front());
      }
    }
  }

  [[nodiscard]] std::string address_of_name(const std::string& name) const {
    const auto found = address_.find(name);
    return found == address_.end() ? std::string() : found->second;
  }

  /// Permissions come from roles, and from roles of roles; one that is taken away anywhere is gone.
  struct Rights {
    bool may_log_in = false;
    bool may_receive = false;
    bool is_log_in_taken = false;
    bool is_receive_taken = false;
  };

  void add_rights(const Value& principal, std::set<std::string>& seen, Rights& rights) const {
    const Value& given = principal["enabledPermissions"];
    const Value& taken = principal["disabledPermissions"];
    rights.may_log_in = rights.may_log_in || is_among("authenticate", given);
    rights.may_receive = rights.may_receive || is_among("email-receive", given);
    rights.is_log_in_taken = rights.is_log_in_taken || is_among("authenticate", taken);
    rights.is_receive_taken = rights.is_receive_taken || is_among("email-receive", taken);
    for (const Value& item : principal["roles"].items()) {
      const std::string role(item.string_or(""));
      if (!seen.insert(role).second) continue;
      const bool is_own =
          std::find(kOwnRoles.begin(), kOwnRoles.end(), std::string_view(role)) != kOwnRoles.end();
      // The server's own meaning of the name counts besides a principal that is called so.
      if (is_own) rights.may_log_in = rights.may_receive = true;
      const auto found = roles_.find(role);
      if (found != roles_.end() && seen.size() < kRolesMax)
        add_rights(*found->second, seen, rights);
    }
  }

  Outcome read_accounts() {
    std::unordered_map<std::string, std::string> taken;
    for (const Value& principal : principals_.individuals) {
      OldAccount account;
      account.login = name_of(principal);
      account.address = address_of_name(account.login);
      if (account.address.empty()) account.address = lower_ascii(account.login);
      const auto [other, is_new] = taken.emplace(account.address, account.login);
      if (!is_new) {
        return Error(errors::accounts_collide,
                     fmt::format("`{}` and `{}` would both be {}", printable(other->second, 120),
                                 printable(account.login, 120), printable(account.address, 120)))
            .with_blame(Blame::source);
      }
      account.aliases = aliases_in(principal, account.address);
      account.quota = bytes_of(principal["quota"]);
      account.used = bytes_of(principal["usedQuota"]);
      read_rights(principal, account);
      read_secrets(principal["secrets"], account);
      for (const Value& item : principal["emails"].items()) {
        const std::string entry = lower_ascii(item.string_or(""));
        if (entry.size() > 1 && entry.front() == '@' && entry.rfind('@') == 0 && !has_blanks(entry))
          directory_.catch_alls[entry].push_back(account.address);
      }
      directory_.accounts.push_back(std::move(account));
    }
    std::sort(directory_.accounts.begin(), directory_.accounts.end(),
              [](const OldAccount& a, const OldAccount& b) { return a.address < b.address; });
    return {};
  }

  void read_rights(const Value& principal, OldAccount& account) {
    Rights rights;
    std::set<std::string> seen;
    add_rights(principal, seen, rights);
    account.is_enabled =
        rights.may_log_in && !rights.is_log_in_taken && trim(account.login) == account.login;
    const bool has_address = principal["emails"].size() != 0;
    if (!rights.may_receive || rights.is_receive_taken || !has_address)
      directory_.left["closed_mailboxes"].push_back(account.address);
    for (const Value& item : principal["roles"].items()) {
      if (item.string_or("user") != "user") directory_.left["roles"].push_back(account.address);
    }
    std::size_t own = principal["enabledPermissions"].size();
    for (const Value& item : principal["disabledPermissions"].items()) {
      if (item.string_or("") != "authenticate" && item.string_or("") != "email-receive") ++own;
    }
    if (own > 0) directory_.left["permissions"].push_back(account.address);
  }

  void read_secrets(const Value& secrets, OldAccount& account) {
    account.password = password_of(secrets);
    const auto secret = main_secret(secrets);
    if (secret && account.password.scheme == "NONE")
      directory_.left["unusable_passwords"].push_back(account.address);
    if (has_secret(secrets, kAppPassword))
      directory_.left["app_passwords"].push_back(account.address);
    if (has_secret(secrets, kOneTimeCode))
      directory_.left["one_time_codes"].push_back(account.address);
  }

  void read_lists() {
    for (const Value& principal : principals_.lists) {
      std::vector<std::string> addresses = addresses_of(principal);
      if (addresses.empty()) {
        directory_.left["lists_without_address"].push_back(name_of(principal));
        continue;
      }
      OldList list;
      list.address = addresses.front();
      for (const Value& item : principal["members"].items()) {
        const std::string name(item.string_or(""));
        const std::string address = address_of_name(name);
        if (!address.empty()) list.members.push_back(address);
      }
      for (const Value& item : principal["externalMembers"].items()) {
        std::string address = lower_ascii(item.string_or(""));
        if (is_address(address)) list.members.push_back(std::move(address));
      }
      std::sort(list.members.begin(), list.members.end());
      list.members.erase(std::unique(list.members.begin(), list.members.end()), list.members.end());
      for (std::size_t i = 1; i < addresses.size(); ++i)
        directory_.lists.push_back({std::move(addresses[i]), {list.address}});
      directory_.lists.push_back(std::move(list));
    }
    std::sort(directory_.lists.begin(), directory_.lists.end(),
              [](const OldList& a, const OldList& b) { return a.address < b.address; });
  }

  static constexpr std::size_t kRolesMax = 100;  // of one user, counted through all levels

  const Principals& principals_;
  Directory directory_ = {};
  std::unordered_map<std::string, const Value*> roles_ = {};
  std::unordered_map<std::string, std::string> owner_ = {};    // of addresses: a name
  std::unordered_map<std::string, std::string> address_ = {};  // of names; empty: it has none
};

}  // namespace

StoredPassword password_of(const Value& secrets) {
  const auto secret = main_secret(secrets);
  return secret ? password_in(*secret) : no_password();
}

std::vector<std::string> aliases_in(const Value& principal, std::string_view account) {
  std::vector<std::string> aliases = addresses_of(principal);
  std::erase(aliases, account);
  std::sort(aliases.begin(), aliases.end());
  return aliases;
}

Result<Directory> read_directory(const Principals& principals) { return Reader(principals).read(); }

}  // namespace plan::server::stalwart15
