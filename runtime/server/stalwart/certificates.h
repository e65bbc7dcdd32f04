#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "compiler/source/result.h"
#include "runtime/net/clock.h"

namespace plan::server::stalwart {

/// Which words turn TLS on.
enum class Greeting : std::uint8_t { imap, sieve, smtp };

/// SHA-256 (hex) of the certificate that a mail service shows; nothing secret is sent. `security`
/// is "tls" or "starttls"; for anything else the answer is empty.
[[nodiscard]] Result<std::string> service_certificate(Greeting greeting, const std::string& address,
                                                      std::uint16_t port, std::string_view security,
                                                      net::Deadline deadline);

}  // namespace plan::server::stalwart
