#pragma once
#include <functional>
#include <string>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/secret/secret.h"
#include "runtime/server/source/source.h"

namespace plan::server::source {

/// What `plan fetch` asks of a source; the shape of the answer is compiler/facts/survey.md.
/// Read-only: accounts from the passwd-file, aliases and lists from the virtual alias maps in
/// effect, mailboxes and sizes by doveadm, capabilities by one session as the master user,
/// certificates as the services show them. What could not be measured is absent.
///
/// `keyed_digest` turns a password hash into what the measurements may hold
/// (SecretStore::keyed_digest). A certificate that is not pinned yet is taken as shown for that one
/// session, and reported to be pinned.
///
/// Errors: file-unreadable (the users file), map-not-listable, source-command-failed,
/// master-login-refused, those of the clients.
[[nodiscard]] Result<ir::Value> survey_source(
    Source& source, secret::SecretSource& secrets,
    const std::function<Result<std::string>(const secret::Secret&)>& keyed_digest);

/// `accounts` with their aliases, and `lists`, of the same shape: who is there now, without opening
/// a mailbox or logging in. Errors: file-unreadable (the users file), map-not-listable,
/// source-command-failed.
[[nodiscard]] Result<ir::Value> survey_names(Source& source);

/// The stored password of an account, read again from the passwd-file, as `{SCHEME}text`: the
/// provider `source` of secrets. Errors: account-not-in-users-file, file-unreadable.
[[nodiscard]] Result<secret::Secret> read_password_hash(Source& source, const std::string& account);

}  // namespace plan::server::source
