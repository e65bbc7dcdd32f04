#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/server/source/source.h"
#include "runtime/step/step_driver.h"

namespace plan::server::dovecot {

/// dovecot.door: the empty deny file behind the master passdb.
[[nodiscard]] std::shared_ptr<step::StepDriver> make_door_driver(
    std::shared_ptr<source::SourcePool> sources);
/// dovecot.deny: the account's own door at the source is shut and nobody is inside.
[[nodiscard]] std::shared_ptr<step::StepDriver> make_deny_driver(
    std::shared_ptr<source::SourcePool> sources);

/// The configuration that the door step writes (Dovecot 2.3).
[[nodiscard]] std::string door_snippet(std::string_view deny_file);

/// One passdb of `doveconf passdb`, its settings by name.
struct Passdb {
  std::string driver = {};
  std::string args = {};
  bool is_deny = false;
  bool is_master = false;
  std::string skip = {};
};
/// Reads what `doveconf passdb` prints; unknown lines are skipped.
[[nodiscard]] std::vector<Passdb> parse_passdbs(std::string_view text);
/// Why the deny passdb of `deny_file` would not do where it stands; empty when it is behind every
/// master passdb, before every other one, and skips who is authenticated
/// (reference/split-delivery.md 9.4).
[[nodiscard]] std::string door_fault(const std::vector<Passdb>& passdbs,
                                     std::string_view deny_file);

/// Whether Dovecot refuses this user by a deny passdb. Asked without a password: a lookup first,
/// and where the users' passdb has none (PAM) a login with a random word, whose refusal says
/// `code=user_disabled` only when denied. Neither has a client address, so nobody is banned.
[[nodiscard]] Result<bool> is_denied(source::Source& source, const std::string& user);
/// A login with a random password: true when it is refused because the user is denied. Takes
/// Dovecot's failure delay.
[[nodiscard]] Result<bool> is_login_denied(source::Source& source, const std::string& user);
/// Sessions of this user, as `doveadm who` sees them.
[[nodiscard]] Result<std::size_t> session_count(source::Source& source, const std::string& user);
/// doveadm takes `*` and `?` in the name of a user for a mask, and has no way to quote them.
[[nodiscard]] bool is_doveadm_mask(std::string_view user);
/// Ends the sessions of an account's names, twice looked, and of nobody else but those that no
/// running Dovecot knows (stray_sessions.h), which it counts. Error: sessions-stay, at once for a
/// name that doveadm would take for a mask.
[[nodiscard]] Result<std::size_t> end_sessions(source::Source& source,
                                               const std::vector<std::string>& names);

}  // namespace plan::server::dovecot
