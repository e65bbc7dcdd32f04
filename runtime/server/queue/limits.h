#pragma once
#include <chrono>

namespace plan::server::queue {

/// How long the queues are flushed again and again. Three runs under load took 4 s at most
/// (split-delivery.md 9.2).
inline constexpr std::chrono::milliseconds kFlushTime{300'000};
/// How long of it in one go; after that the step waits between two looks without a thread.
inline constexpr std::chrono::milliseconds kAtOnceTime{3'000};
inline constexpr std::chrono::milliseconds kLookLaterApart{5'000};
/// How long a message that is being delivered is waited for. Local deliveries take milliseconds.
inline constexpr std::chrono::milliseconds kSettleTime{20'000};
/// Between two looks; doubles up to the second one.
inline constexpr std::chrono::milliseconds kLookApart{150};
inline constexpr std::chrono::milliseconds kLookApartMax{2'000};

}  // namespace plan::server::queue
