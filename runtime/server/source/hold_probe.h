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
/// own that waits in the queue when the account's mail is held. Returns the reply, which says under
/// which id it was queued. Errors: hold-does-not-hold when it is refused; those of SMTP.
[[nodiscard]] Result<net::smtp::Reply> send_hold_probe(const Block& block,
                                                       const std::string& account,
                                                       net::Deadline deadline);

/// hold-does-not-hold: "a probe to ACCOUNT WHY".
[[nodiscard]] Error not_held(const std::string& account, std::string_view why,
                             std::string_view detail);

}  // namespace plan::server::source
