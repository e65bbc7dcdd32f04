#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

namespace plan::proxy {

/// What a listener speaks. `smtp` is port 25: relayed without a login.
enum class Protocol : std::uint8_t { imap = 0, pop3 = 1, sieve = 2, submission = 3, smtp = 4 };
inline constexpr int kProtocolCount = 5;

enum class TlsMode : std::uint8_t { none = 0, starttls = 1, implicit = 2 };

/// How a destination learns who the client is. `native`: IMAP ID, XCLIENT of POP3, ManageSieve and
/// SMTP, where offered.
enum class Announce : std::uint8_t { none = 0, native = 1, proxy_v1 = 2, proxy_v2 = 3 };

[[nodiscard]] std::string_view to_string(Protocol protocol);
[[nodiscard]] std::string_view to_string(TlsMode mode);
[[nodiscard]] std::string_view to_string(Announce announce);
[[nodiscard]] std::optional<Protocol> protocol_by_name(std::string_view name);
[[nodiscard]] std::optional<TlsMode> tls_mode_by_name(std::string_view name);
[[nodiscard]] std::optional<Announce> announce_by_name(std::string_view name);

}  // namespace plan::proxy
