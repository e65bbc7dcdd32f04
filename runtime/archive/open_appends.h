#pragma once
#include <chrono>
#include <functional>

#include "compiler/source/result.h"
#include "runtime/archive/archive_file.h"
#include "runtime/archive/import_imap.h"
#include "runtime/net/clock.h"

namespace plan::archive {

struct SettleOptions {
  /// The mailbox must not have changed for so long.
  std::chrono::milliseconds quiet{3000};
  /// Longer is not waited: somebody else writes, and what was received before is worked off by
  /// then.
  std::chrono::milliseconds bound{10'000};
  net::Clock* clock = &net::system_clock();  ///< never null
  std::function<bool()> is_stop_requested = {};
};

/// Before a pass over the source that is to tell which appends of carry_back were done: where one
/// got no answer (`plan` was killed, or the connection broke), the server may still be working off
/// what it had received, and a pass that comes too early would call a message missing that is about
/// to be there. Waits until the mailboxes concerned have not changed for a while; at once when
/// every append was answered. Reads only. One thread.
///
/// Errors: those of IMAP; stopped.
[[nodiscard]] Outcome settle_open_appends(ArchiveFile& archive, const ImapSource& source,
                                          const SettleOptions& options = {});

}  // namespace plan::archive
