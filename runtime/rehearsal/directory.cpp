#include "runtime/rehearsal/directory.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "compiler/ir/digest.h"
#include "compiler/source/text.h"
#include "runtime/rehearsal/message.h"
#include "runtime/rehearsal/password.h"

namespace plan::rehearsal {
namespace {

struct Binary {
  std::array<unsigned char, 16> bytes = {};
  unsigned bits = 0;
};

std::optional<Binary> binary_of(std::string_view text) {
  Binary out;
  std::string flat(text);
  if (flat.starts_with("::ffff:")) flat.erase(0, 7);  // IPv4 inside IPv6
  if (inet_pton(AF_INET, flat.c_str(), out.bytes.data()) == 1) {
    out.bits = 32;
    return out;
  }
  if (inet_pton(AF_INET6, flat.c_str(), out.bytes.data()) != 1) return std::nullopt;
  out.bits = 128;
  return out;
}

std::uint64_t id_of(const ir::Value& value) { return parse_id(value.string_or("")).value_or(0); }

// What a login needs to know, taken while the lock is held, so that hashing happens without it.
struct Candidate {
  std::uint64_t account = 0;
  std::string name = {};
  bool is_administrator = false;
  std::vector<ir::Value> credentials = {};
  Permissions permissions = {};
  bool is_alias = false;
};

// The stored secret of app passwords and API keys is a digest: they are random, a slow hash adds
// nothing.
bool opens(World& world, const std::string& stored, std::string_view password) {
  const std::string digest = ir::sha256(stored + "\n" + std::string(password)).hex();
  {
    const std::lock_guard lock(world.mutex);
    if (const auto found = world.verified.find(digest); found != world.verified.end())
      return found->second == "y";
  }
  const bool is_right = verify_password(stored, password);
  const std::lock_guard lock(world.mutex);
  if (world.verified.size() > 10'000) world.verified.clear();
  world.verified.emplace(digest, is_right ? "y" : "n");
  return is_right;
}

bool is_past(const ir::Value& time, std::int64_t now) {
  const auto at = time.is_string() ? parse_rfc3339(time.string_or("")) : std::nullopt;
  return at && *at <= now;
}

bool is_allowed_from(const ir::Value& networks, const std::string& peer) {
  if (networks.size() == 0) return true;
  return std::any_of(networks.members().begin(), networks.members().end(),
                     [&peer](const auto& entry) { return network_contains(entry.first, peer); });
}

std::optional<Candidate> candidate_of(World& world, std::string_view name) {
  Candidate out;
  if (equals_ignoring_case(name, world.options.admin_user)) {
    out.account = kAdministratorId;
    out.name = world.options.admin_user;
    out.is_administrator = true;
    ir::Value credential =
        ir::Value::map({{"@type", "Password"}, {"secret", world.options.admin_password}});
    out.credentials.push_back(std::move(credential));
    return out;
  }
  // Accounts are known from the next start on.
  if (world.options.is_bootstrap_mode) return std::nullopt;
  const auto id = account_by_login(world, name);
  if (!id) return std::nullopt;
  const ir::Value* account = world.registry.find("x:Account", *id);
  if (account == nullptr || (*account)["@type"].string_or("") != "User") return std::nullopt;
  out.account = *id;
  out.name = address_of(world, *account);
  for (const auto& [position, credential] : (*account)["credentials"].members())
    out.credentials.push_back(credential);
  for (const char* type : {"x:AppPassword"})
    for (const auto& [number, secondary] :
         world.registry.all(std::string(type) + "/" + encode_id(*id)))
      out.credentials.push_back(secondary);
  out.permissions = permissions_of(world, *account);
  const std::string lower = lower_ascii(name);
  out.is_alias = lower.find('@') != std::string::npos && lower != out.name;
  return out;
}

LoginResult finish(World& world, Candidate candidate, const ir::Value& credential,
                   const std::string& peer) {
  LoginResult result;
  const std::int64_t now = world.now_seconds();
  if (!is_allowed_from(credential["allowedIps"], peer)) {
    result.outcome = LoginOutcome::forbidden;
    return result;
  }
  if (credential["otpAuth"].is_string() && !credential["otpAuth"].string_or("").empty()) {
    result.outcome = LoginOutcome::second_factor;
    return result;
  }
  result.login.account = candidate.account;
  result.login.name = candidate.name;
  result.login.is_administrator = candidate.is_administrator;
  result.login.permissions = std::move(candidate.permissions);
  result.login.is_expired = is_past(credential["expiresAt"], now);
  const ir::Value& reduced = credential["permissions"];
  if (reduced["@type"].string_or("") == "Disable")
    for (const auto& [name, is_in] : reduced["permissions"].members())
      result.login.permissions.erase(name);
  if (reduced["@type"].string_or("") == "Replace") {
    Permissions kept;
    for (const auto& [name, is_in] : reduced["permissions"].members())
      if (result.login.permissions.contains(name)) kept.insert(name);
    result.login.permissions = std::move(kept);
  }
  const bool may = result.login.may("authenticate") &&
                   (!candidate.is_alias || result.login.may("authenticateWithAlias"));
  result.outcome = may ? LoginOutcome::ok : LoginOutcome::forbidden;
  return result;
}

}  // namespace

bool network_contains(std::string_view network, std::string_view address) {
  const std::size_t slash = network.find('/');
  const auto base = binary_of(network.substr(0, slash));
  const auto given = binary_of(address);
  if (!base || !given || base->bits != given->bits) return false;
  unsigned prefix = base->bits;
  if (slash != std::string_view::npos) {
    const std::string_view digits = network.substr(slash + 1);
    std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
    prefix = std::min(prefix, base->bits);
  }
  for (unsigned bit = 0; bit < prefix; ++bit) {
    const unsigned mask = 0x80U >> (bit % 8);
    if ((base->bytes[bit / 8] & mask) != (given->bytes[bit / 8] & mask)) return false;
  }
  return true;
}

bool is_loopback(std::string_view address) {
  return network_contains("127.0.0.0/8", address) || address == "::1";
}

std::string address_of(const World& world, const ir::Value& object) {
  const ir::Value* domain = world.registry.find("x:Domain", id_of(object["domainId"]));
  return std::string(object["name"].string_or("")) + "@" +
         std::string(domain == nullptr ? "" : (*domain)["name"].string_or(""));
}

std::vector<std::string> addresses_of(const World& world, const ir::Value& account) {
  std::vector<std::string> out = {address_of(world, account)};
  for (const auto& [position, alias] : account["aliases"].members())
    if (alias["enabled"].bool_or(true)) out.push_back(address_of(world, alias));
  return out;
}

std::optional<AddressOwner> find_address(const World& world, std::string_view address) {
  const std::size_t at = address.rfind('@');
  if (at == std::string_view::npos) return std::nullopt;
  const auto domain = world.registry.domain_by_name(lower_ascii(address.substr(at + 1)));
  if (!domain) return std::nullopt;
  const std::string_view local = address.substr(0, at);
  const KeyOwner* owner = world.registry.owner_of(RegistryStore::address_key(local, *domain));
  if (owner == nullptr) return std::nullopt;
  AddressOwner out;
  out.kind =
      owner->type == "x:MailingList" ? AddressOwner::Kind::list : AddressOwner::Kind::account;
  out.id = owner->id;
  const ir::Value* object = world.registry.find(owner->type, owner->id);
  if (object != nullptr && (*object)["name"].string_or("") != local)
    for (const auto& [position, alias] : (*object)["aliases"].members())
      if (alias["name"].string_or("") == local && id_of(alias["domainId"]) == *domain)
        out.is_enabled = alias["enabled"].bool_or(true);
  return out;
}

std::optional<std::uint64_t> account_by_login(const World& world, std::string_view name) {
  std::string lower = lower_ascii(name);
  if (lower.find('@') == std::string::npos) {
    const std::string domain = world.default_domain();
    if (domain.empty()) return std::nullopt;
    lower += "@" + domain;
  }
  const auto owner = find_address(world, lower);
  if (!owner || owner->kind != AddressOwner::Kind::account || !owner->is_enabled)
    return std::nullopt;
  return owner->id;
}

void add_role(const World& world, std::uint64_t role, RoleSum& sum, std::set<std::uint64_t>& seen) {
  if (!seen.insert(role).second || seen.size() > 1000) return;
  const ir::Value* object = world.registry.find("x:Role", role);
  if (object == nullptr) return;
  for (const auto& [name, is_in] : (*object)["enabledPermissions"].members())
    sum.enabled.insert(name);
  for (const auto& [name, is_in] : (*object)["disabledPermissions"].members())
    sum.disabled.insert(name);
  for (const auto& [id, is_in] : (*object)["roleIds"].members())
    add_role(world, parse_id(id).value_or(0), sum, seen);
}

std::string tenant_of(const World& world, const Login& login) {
  const ir::Value* account = world.registry.find("x:Account", login.account);
  return account == nullptr ? std::string{}
                            : std::string((*account)["memberTenantId"].string_or(""));
}

bool is_visible(const ir::Value& object, std::string_view tenant) {
  if (tenant.empty() || !object.members().contains("memberTenantId")) return true;
  return object["memberTenantId"].string_or("") == tenant;
}

Permissions permissions_of(const World& world, const ir::Value& account) {
  RoleSum sum;
  std::set<std::uint64_t> seen;
  const std::string_view kind = account["permissions"]["@type"].string_or("Inherit");
  if (kind != "Replace") {
    const std::string_view role = account["roles"]["@type"].string_or("User");
    if (role == "Custom") {
      for (const auto& [id, is_in] : account["roles"]["roleIds"].members())
        add_role(world, parse_id(id).value_or(0), sum, seen);
    } else {
      const ir::Value defaults = singleton_of(world, "x:Authentication");
      const bool is_group = account["@type"].string_or("") == "Group";
      // The administrator of a tenant administers that tenant.
      const char* admin =
          account["memberTenantId"].is_string() ? "defaultTenantRoleIds" : "defaultAdminRoleIds";
      const ir::Value& ids = role == "Admin" ? defaults[admin]
                                             : (is_group ? defaults["defaultGroupRoleIds"]
                                                         : defaults["defaultUserRoleIds"]);
      for (const auto& [id, is_in] : ids.members())
        add_role(world, parse_id(id).value_or(0), sum, seen);
    }
  }
  if (kind != "Inherit") {
    for (const auto& [name, is_in] : account["permissions"]["enabledPermissions"].members())
      sum.enabled.insert(name);
    for (const auto& [name, is_in] : account["permissions"]["disabledPermissions"].members())
      sum.disabled.insert(name);
  }
  for (const std::string& name : sum.disabled) sum.enabled.erase(name);
  return std::move(sum.enabled);
}

bool is_exempt(const World& world, const std::string& peer) {
  if (is_loopback(peer) || peer.empty()) return true;
  const Objects& allowed = world.live->all("x:AllowedIp");
  return std::any_of(allowed.begin(), allowed.end(), [&peer](const auto& entry) {
    return network_contains(entry.second["address"].string_or(""), peer);
  });
}

bool is_blocked(const World& world, const std::string& peer) {
  if (world.blocked.empty() || is_exempt(world, peer)) return false;
  return std::any_of(
      world.blocked.begin(), world.blocked.end(),
      [&peer](const std::string& network) { return network_contains(network, peer); });
}

void count_failure(World& world, const std::string& peer, std::string_view kind,
                   const std::string& name) {
  if (world.options.is_recovery_mode || is_exempt(world, peer)) return;
  const ir::Value& rate = world.live->singleton("x:Security")[kind];
  if (!rate.is_map()) return;
  const std::int64_t count = rate["count"].integer_or(100);
  const std::int64_t period = rate["period"].integer_or(86'400'000);
  const std::int64_t now = world.clock.wall_ms();
  bool is_used_up = !world.failures.take(std::string(kind) + "\n" + peer, now, count, period);
  if (!name.empty() &&
      !world.failures.take(std::string(kind) + "\n" + lower_ascii(name), now, count, period))
    is_used_up = true;
  if (!is_used_up || world.blocked.contains(peer)) return;
  world.blocked.insert(peer);
  const std::string type = "x:BlockedIp";
  world.registry.put(
      type, world.registry.next_id(type),
      ir::Value::map({{"address", peer},
                      {"reason", kind == "authBanRate" ? "authFailure" : "rcptToFailure"},
                      {"createdAt", show_rfc3339(world.now_seconds())},
                      {"expiresAt", {}}}));
  world.commit();
}

LoginResult log_in(World& world, std::string_view user, std::string_view password,
                   const std::string& peer) {
  LoginResult result;
  std::string_view target;
  std::string_view name = user;
  if (const std::size_t percent = user.find('%'); percent != std::string_view::npos) {
    target = user.substr(0, percent);
    name = user.substr(percent + 1);
  }
  std::optional<Candidate> candidate;
  {
    const std::lock_guard lock(world.mutex);
    candidate = candidate_of(world, name);
  }
  const auto fail = [&] {
    const std::lock_guard lock(world.mutex);
    count_failure(world, peer, "authBanRate", std::string(name));
    return LoginResult{};
  };
  if (!candidate) return fail();
  const ir::Value* matching = nullptr;
  bool is_expired = false;
  for (const ir::Value& credential : candidate->credentials) {
    const std::string stored(credential["secret"].string_or(""));
    const bool is_app = credential["@type"].string_or("Password") != "Password";
    if (stored.empty()) continue;
    const bool is_right =
        is_app ? ir::sha256(password).hex() == stored : opens(world, stored, password);
    if (!is_right) continue;
    if (is_app && is_past(credential["expiresAt"], world.now_seconds())) {
      is_expired = true;
      continue;
    }
    matching = &credential;
    break;
  }
  if (matching == nullptr) {
    result = fail();
    if (is_expired) result.outcome = LoginOutcome::expired;
    return result;
  }
  const ir::Value credential = *matching;
  const std::lock_guard lock(world.mutex);
  result = finish(world, std::move(*candidate), credential, peer);
  if (target.empty() || result.outcome != LoginOutcome::ok) return result;
  if (!result.login.may("impersonate")) {
    // The order decides: an unknown or unprivileged administrator is told apart only here.
    result.outcome = LoginOutcome::forbidden;
    return result;
  }
  const auto acted = candidate_of(world, target);
  if (!acted) return LoginResult{};
  result.login.account = acted->account;
  result.login.name = acted->name;
  result.login.is_administrator = acted->is_administrator;
  result.login.permissions = acted->permissions;
  result.login.is_acting = true;
  if (!result.login.may("authenticate")) result.outcome = LoginOutcome::forbidden;
  return result;
}

LoginResult log_in_by_token(World& world, std::string_view token, const std::string& peer) {
  const std::lock_guard lock(world.mutex);
  LoginResult result;
  if (const auto owner = login_of_token(world, token)) {
    auto candidate = candidate_of(world, *owner);
    if (candidate) return finish(world, std::move(*candidate), {}, peer);
  }
  const std::string digest = ir::sha256(token).hex();
  for (const auto& [id, account] : world.registry.all("x:Account")) {
    for (const auto& [number, key] : world.registry.all("x:ApiKey/" + encode_id(id))) {
      if (key["secret"].string_or("") != digest) continue;
      if (is_past(key["expiresAt"], world.now_seconds())) {
        result.outcome = LoginOutcome::expired;
        return result;
      }
      Candidate candidate;
      candidate.account = id;
      candidate.name = address_of(world, account);
      candidate.permissions = permissions_of(world, account);
      return finish(world, std::move(candidate), key, peer);
    }
  }
  count_failure(world, peer, "authBanRate", "");
  return result;
}

}  // namespace plan::rehearsal
