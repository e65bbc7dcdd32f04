#pragma once
#include <cstddef>

namespace plan::net::smtp {

/// RFC 5321 4.5.3.1.5 allows 512; servers write longer texts.
inline constexpr std::size_t kReplyLineBytesMax = 4096;
inline constexpr std::size_t kReplyLinesMax = 200;
/// RFC 5321 4.5.3.1.3, with room for SMTPUTF8 (RFC 6531).
inline constexpr std::size_t kAddressBytesMax = 512;
/// RFC 5321 4.5.3.1.8: what every server takes in one transaction.
inline constexpr std::size_t kRecipientsMax = 100;

}  // namespace plan::net::smtp
