#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/server/dovecot/passwd_file.h"

namespace plan::server::stalwart15 {

/// What the interface lists, by type, as it gave it. Secret material.
struct Principals {
  std::vector<ir::Value> individuals = {};
  std::vector<ir::Value> groups = {};
  std::vector<ir::Value> lists = {};
  std::vector<ir::Value> roles = {};
  std::vector<ir::Value> domains = {};
};

/// A user of the old server.
struct OldAccount {
  std::string login = {};    ///< name of the principal, as users type it; often no address
  std::string address = {};  ///< what it is called on the target: the login where that is an
                             ///< address, else the first of its own; the login when it has none
  std::vector<std::string> aliases = {};    ///< its other addresses, sorted
  dovecot::StoredPassword password = {};    ///< NONE: no password of it logs in
  std::optional<std::uint64_t> quota = {};  ///< bytes; 0: without a bound
  std::optional<std::uint64_t> used = {};   ///< bytes, as the server counts them
  bool is_enabled = true;                   ///< may log in
};

/// A mailing list. Its further addresses are lists with this one as their member.
struct OldList {
  std::string address = {};
  std::vector<std::string> members = {};
};

/// Who is there, with the addresses that the target will know them by.
struct Directory {
  std::vector<OldAccount> accounts = {};  ///< by address
  std::vector<OldList> lists = {};        ///< by address
  std::set<std::string> domains = {};
  std::map<std::string, std::vector<std::string>> catch_alls = {};  ///< `@domain`: accounts
  /// What nothing carries over, by the name of a setting of the lock: addresses or names.
  std::map<std::string, std::vector<std::string>> left = {};
};

/// Which of the secrets is the user's password (reference 5.4), in Dovecot's words for its form.
/// NONE: there is none, or one that the old server lets nobody in with.
[[nodiscard]] dovecot::StoredPassword password_of(const ir::Value& secrets);

/// The addresses of a principal besides `account`, sorted, in lower case, without catch-alls.
[[nodiscard]] std::vector<std::string> aliases_in(const ir::Value& principal,
                                                  std::string_view account);

/// Makes sense of the lists. Takes anything: what is no text where a text belongs is left out.
/// Error: old-accounts-collide.
[[nodiscard]] Result<Directory> read_directory(const Principals& principals);

}  // namespace plan::server::stalwart15
