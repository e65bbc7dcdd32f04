#pragma once
#include <functional>
#include <string>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/secret/secret.h"

namespace plan::server::stalwart15 {

/// What `plan fetch` asks of a Stalwart 0.13 to 0.15 as the source; the shape of the answer is
/// compiler/facts/survey.md, the same as that of a Dovecot and Postfix. Read-only: accounts, lists
/// and domains from the management interface, mailboxes and sizes by IMAP as the master user,
/// certificates as the services show them. What could not be measured is absent, and a master user
/// who is refused several times is not tried again, so that nobody is banned.
///
/// `keyed_digest` turns a password into what the measurements may hold (SecretStore::keyed_digest).
///
/// Errors: old-server-version, old-directory-elsewhere, old-accounts-collide,
/// old-server-call-failed, master-login-refused, those of the clients.
[[nodiscard]] Result<ir::Value> survey_old_stalwart(
    const ir::Value& source_block, secret::SecretSource& secrets,
    const std::function<Result<std::string>(const secret::Secret&)>& keyed_digest);

/// `accounts` with their aliases, and `lists`, of the same shape: who is there now, without opening
/// a mailbox.
[[nodiscard]] Result<ir::Value> survey_old_names(const ir::Value& source_block,
                                                 secret::SecretSource& secrets);

}  // namespace plan::server::stalwart15
