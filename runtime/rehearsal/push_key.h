#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace plan::rehearsal {

/// A new P-256 key for web push (RFC 8292) as PKCS#8 PEM; empty when the library fails.
[[nodiscard]] std::string new_push_key();
/// Its public point in URL-safe base64: `applicationServerKey` of the session. Nothing: no such
/// key.
[[nodiscard]] std::optional<std::string> application_server_key(std::string_view pem);

}  // namespace plan::rehearsal
