#pragma once
#include <chrono>
#include <cstddef>

namespace plan::server::probe {

/// Of one login or one SMTP session.
inline constexpr std::chrono::milliseconds kSessionTime{15'000};
/// Connections to a port 25 that closes before its greeting, and the time between (times their
/// number).
inline constexpr int kConnectAttempts = 5;
inline constexpr std::chrono::milliseconds kConnectApart{300};
/// For the greeting of a Postfix that was just reloaded; doubled with each connection.
inline constexpr std::chrono::milliseconds kGreetingPatience{120};
inline constexpr std::chrono::milliseconds kGreetingPatienceMax{2'000};
/// Until an accepted probe is found. The clients' hold lasts 20 s in all; found after 0.08 s when
/// all is well (9.8).
inline constexpr std::chrono::milliseconds kFindTime{12'000};
inline constexpr std::chrono::milliseconds kLookApart{40};
inline constexpr std::chrono::milliseconds kLookApartMax{500};
/// When the user's own script may have discarded a probe: it counts as delivered at the target
/// after it has stayed out of both queues for so long, in so many looks. Two servers that send mail
/// to each other pass it on every 0.08 s (split-delivery.md section 4), so one of these looks sees
/// it.
inline constexpr std::chrono::milliseconds kOutOfQueuesTime{700};
inline constexpr int kOutOfQueuesLooks = 8;
/// How long a probe is simply looked for before that.
inline constexpr std::chrono::milliseconds kPlainFindTime{300};
/// Newest messages that are looked through when the server cannot tell what changed.
inline constexpr std::size_t kNewestMax = 200;
inline constexpr std::size_t kChangesMax = 2000;

}  // namespace plan::server::probe
