#pragma once
#include <string>
#include <string_view>

#include "compiler/source/result.h"
#include "runtime/net/clock.h"
#include "runtime/net/smtp/client.h"
#include "runtime/server/source/source.h"

namespace plan::server::source {

/// Marks a probe of a hold in its header; what stands behind it is random.
inline constexpr std::string_view kHoldProbeHeader = "X-Plan-Probe:";

/// Sends a probe from the null sender to `account` through the source's port 25: a message of our
/// own that waits in the queue when the account's mail is held. `id` is random and known to the
/// caller, who finds the message by it when it was not held. Returns the reply, which says under
/// which id it was queued. Errors: hold-does-not-hold when it is refused; those of SMTP.
[[nodiscard]] Result<net::smtp::Reply> send_hold_probe(const Block& block,
                                                       const std::string& account,
                                                       const std::string& id,
                                                       net::Deadline deadline);
/// The Message-ID of the probe with that `id`, with angle brackets.
[[nodiscard]] std::string hold_probe_message_id(std::string_view id);

/// hold-does-not-hold: "a probe to ACCOUNT WHY".
[[nodiscard]] Error not_held(const std::string& account, std::string_view why,
                             std::string_view detail);

}  // namespace plan::server::source
