#pragma once
#include <chrono>
#include <cstddef>

namespace plan::net::jmap {

/// Of a session document; the largest seen has 40 KiB.
inline constexpr std::size_t kSessionBytesMax = std::size_t{4} << 20U;
/// Of one answer to method calls: 500 messages with their headers stay far below.
inline constexpr std::size_t kAnswerBytesMax = std::size_t{64} << 20U;
/// Nesting of what a server sends; RFC 8620 needs less than 20.
inline constexpr std::size_t kAnswerDepthMax = 64;
/// Our own bounds where a server advertises more, or 4294967295 for "no limit".
inline constexpr std::size_t kObjectsMax = 2000;
inline constexpr std::size_t kCallsMax = 64;
inline constexpr std::size_t kRequestBytesMax = std::size_t{32} << 20U;
/// How long a call waits altogether when the server asks to come later (HTTP 429, limit errors):
/// one window of the real server's request rate and a little.
inline constexpr std::chrono::milliseconds kWaitMax{70'000};
/// How long a server may be silent when it is asked for its session: a small document.
inline constexpr std::chrono::milliseconds kSessionSilenceMax{20'000};
/// Requests of one administrator to one server at the same time.
inline constexpr std::size_t kRequestsAtOnce = 12;
/// Pages of one query: with pages of 5000 this is half a million ids.
inline constexpr std::size_t kPagesMax = 100'000;

}  // namespace plan::net::jmap
