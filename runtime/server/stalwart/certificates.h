#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "compiler/source/result.h"
#include "runtime/net/clock.h"
#include "runtime/net/http_client.h"

namespace plan::server::stalwart {

/// Which words turn TLS on.
enum class Greeting : std::uint8_t { imap, sieve, smtp };

/// The certificate that a mail service shows; nothing secret is sent. `security` is "tls" or
/// "starttls"; for anything else the answer is empty.
[[nodiscard]] Result<net::HttpCertificate> service_certificate(Greeting greeting,
                                                               const std::string& address,
                                                               std::uint16_t port,
                                                               std::string_view security,
                                                               net::Deadline deadline);

/// certificate-expired when it ended before now. A pin would take it, the users' mail programs and
/// other servers would not. `agreed` is the SHA-256 that the plan itself names, if it does: that
/// certificate is taken at any age. `whose` is for the operator: "the source (10.9.0.2 port 143)".
[[nodiscard]] Outcome check_age(const net::HttpCertificate& certificate, std::string_view agreed,
                                std::string_view whose, Blame blame, net::Clock& clock);

}  // namespace plan::server::stalwart
