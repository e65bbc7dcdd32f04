#pragma once
#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/rehearsal/ids.h"
#include "runtime/rehearsal/world.h"

namespace plan::rehearsal {

using Permissions = std::set<std::string, std::less<>>;

/// Somebody who has logged in.
struct Login {
  std::uint64_t account = 0;
  std::string name = {};          ///< "alice@example.org", or the recovery administrator's name
  bool is_administrator = false;  ///< the recovery administrator: may do everything
  bool is_expired = false;        ///< may only change the password
  bool is_acting = false;         ///< target%administrator
  Permissions permissions = {};
  [[nodiscard]] bool may(std::string_view permission) const {
    return is_administrator || permissions.contains(permission);
  }
};

enum class LoginOutcome : std::uint8_t { ok, wrong, expired, second_factor, forbidden };

struct LoginResult {
  LoginOutcome outcome = LoginOutcome::wrong;
  Login login = {};
};

/// Takes and gives back the lock by itself, because hashing takes long. `user` may be a bare name,
/// an address in any case, an alias, or target%administrator.
[[nodiscard]] LoginResult log_in(World& world, std::string_view user, std::string_view password,
                                 const std::string& peer_address);
/// By an API key or access token.
[[nodiscard]] LoginResult log_in_by_token(World& world, std::string_view token,
                                          const std::string& peer_address);

// The rest expects the lock to be held.

struct AddressOwner {
  enum class Kind : std::uint8_t { account, list };
  Kind kind = Kind::account;
  std::uint64_t id = 0;
  bool is_enabled = true;  ///< false: a disabled alias
};
/// By exact comparison of the local part, the domain by name or alias. No sub-addressing, no
/// catch-all.
[[nodiscard]] std::optional<AddressOwner> find_address(const World& world,
                                                       std::string_view address);
/// The account that a login name means, with the default domain for a bare name.
[[nodiscard]] std::optional<std::uint64_t> account_by_login(const World& world,
                                                            std::string_view name);
[[nodiscard]] std::string address_of(const World& world, const ir::Value& object);
/// All addresses: the own one first, then aliases (enabled ones).
[[nodiscard]] std::vector<std::string> addresses_of(const World& world, const ir::Value& account);
[[nodiscard]] Permissions permissions_of(const World& world, const ir::Value& account);
/// The tenant of whoever has logged in; empty: none, everything is theirs.
[[nodiscard]] std::string tenant_of(const World& world, const Login& login);
/// Objects of other tenants, and global ones, are not there for somebody of a tenant.
[[nodiscard]] bool is_visible(const ir::Value& object, std::string_view tenant);
/// Permissions of a role with the roles inside it; cycles end.
struct RoleSum {
  Permissions enabled = {};
  Permissions disabled = {};
};
void add_role(const World& world, std::uint64_t role, RoleSum& sum, std::set<std::uint64_t>& seen);

[[nodiscard]] bool is_blocked(const World& world, const std::string& peer_address);
/// Exempt from bans and HTTP limits: loopback and AllowedIp.
[[nodiscard]] bool is_exempt(const World& world, const std::string& peer_address);
/// Counts a failure of `kind` (a member of Security, "authBanRate"); bans the address when the rate
/// is used up.
void count_failure(World& world, const std::string& peer_address, std::string_view kind,
                   const std::string& name);
/// 192.0.2.0/24 contains 192.0.2.7? A network without a prefix is one address.
[[nodiscard]] bool network_contains(std::string_view network, std::string_view address);
[[nodiscard]] bool is_loopback(std::string_view address);

}  // namespace plan::rehearsal
