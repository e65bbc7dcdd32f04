#pragma once
#include <chrono>
#include <cstddef>

namespace plan::server::stalwart15 {

/// Of one page of the queue: about 500 bytes a message and recipient.
inline constexpr std::size_t kQueuePageSize = 500;
inline constexpr std::size_t kQueuedMessagesMax = 500'000;
/// Until a probe is refused by the closed port: some milliseconds, and the queue's own turn.
inline constexpr std::chrono::milliseconds kProbeTime{15'000};
/// How long what was in delivery is waited for. Before the clients' hold.
inline constexpr std::chrono::milliseconds kDrainTime{15'000};
inline constexpr std::chrono::milliseconds kLookApart{100};
/// Between two writes of one list. A write and its reload take some milliseconds; all accounts that
/// are ready share one.
inline constexpr std::chrono::milliseconds kListWriteApart{100};
/// Of a probe with the headers that the server puts in front; and how much of a message is read.
inline constexpr std::size_t kProbeBytesMax = 16'384;

}  // namespace plan::server::stalwart15
