#pragma once
#include <string>
#include <string_view>

#include "compiler/source/result.h"
#include "runtime/server/source/live_source.h"
#include "runtime/server/stalwart/target.h"

namespace plan::server::probe {

/// Whether the account has an active script at the target: it runs before a message is stored, and
/// may discard a probe, whose sender is empty.
[[nodiscard]] Result<bool> has_active_script(stalwart::Target& target, const std::string& account);

/// Whether a probe with `random` in its Message-ID waits for the account in the queue of one of the
/// servers. The target does not show message ids: there every message without sender for the
/// account counts.
[[nodiscard]] Result<bool> is_probe_queued(source::LiveSource& source, stalwart::Target& target,
                                           const std::string& account, std::string_view random);

}  // namespace plan::server::probe
