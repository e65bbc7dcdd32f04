#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace plan::net::imap {

/// Mailbox names on the wire are modified UTF-7 (RFC 3501, 5.1.3). Decoding refuses what no encoder
/// may write (8-bit bytes that are no UTF-8, unterminated or non-canonical shifts, lone
/// surrogates): nothing. Raw UTF-8, which some servers send, is taken as it is.
[[nodiscard]] std::optional<std::string> decode_mailbox_name(std::string_view wire);

/// Of valid UTF-8; nothing when it is not.
[[nodiscard]] std::optional<std::string> encode_mailbox_name(std::string_view utf8);

}  // namespace plan::net::imap
