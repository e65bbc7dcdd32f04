#pragma once
#include <cstddef>

#include "runtime/server/source/source.h"

namespace plan::server::dovecot {

/// Sessions that outlive their server: when Dovecot's master process dies (killed, out of memory),
/// its imap, pop3 and managesieve processes go on serving the clients they have. The next master
/// knows nothing of them: `doveadm who` does not list them, `doveadm kick` does not end them, and
/// what such a client writes after the last delta is lost. Whose session one is cannot be told from
/// outside.
///
/// A stray is a process of Dovecot's for mailbox access that process 1 has inherited, unless
/// process 1 is Dovecot itself. Needs Linux's /proc; a machine without it has none to show. Error:
/// source-command-failed.
[[nodiscard]] Result<std::size_t> stray_sessions(source::Source& source);
/// Asks them to end (SIGTERM, as `doveadm kick` does: a client gets a BYE and connects again). How
/// many were asked.
[[nodiscard]] Result<std::size_t> end_stray_sessions(source::Source& source);

}  // namespace plan::server::dovecot
