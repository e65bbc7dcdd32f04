#pragma once
#include <chrono>
#include <cstddef>

namespace plan::server::source {

/// Of one command on the source: postconf, postmap, doveadm.
inline constexpr std::chrono::milliseconds kCommandTime{30'000};
/// Files of accounts, maps and aliases.
inline constexpr std::size_t kAccountFileBytesMax = std::size_t{256} << 20U;
inline constexpr std::size_t kAccountFileLineBytesMax = 65536;
inline constexpr std::size_t kMapBytesMax = std::size_t{256} << 20U;
/// The listing of a queue: about 300 bytes a message.
inline constexpr std::size_t kQueueBytesMax = std::size_t{512} << 20U;
/// Dovecot watches its files by whole seconds (reference/split-delivery.md 9.4): what it may have
/// read so long ago must differ from the next version in size, and a write counts when Dovecot is
/// seen to follow it, which is in the next second at the latest.
inline constexpr std::chrono::milliseconds kWatchedFileMemory{2500};
/// Where in a second of the source's clock a hold of clients begins: the proxies and the write of
/// the deny file come before its end.
inline constexpr std::chrono::milliseconds kBeginWithinSecond{700};
/// One reload a second at most, shared by all changes that are ready.
inline constexpr std::chrono::milliseconds kReloadApart{1000};
/// How long after the hold of an account's mail the change that forwards it is expected, and how
/// long holds of others stay behind to share that reload. With many accounts at a time the latter
/// is what counts: then they go together.
inline constexpr std::chrono::milliseconds kExpectTime{4'000};
inline constexpr std::chrono::milliseconds kPatience{5'000};
/// How long mail that was in delivery when the hold came is waited for; the clients' hold lasts 20
/// s in all.
inline constexpr std::chrono::milliseconds kDrainTime{10'000};
inline constexpr std::chrono::milliseconds kQueuePoll{40};
/// How long the drain leaves messages alone that a new queue manager may have put off for a minute.
inline constexpr std::chrono::milliseconds kPutOffTime{1'000};
/// Until a denied login is refused, until sessions have ended, until a probe is held.
inline constexpr std::chrono::milliseconds kDoorTime{10'000};
inline constexpr std::chrono::milliseconds kKickTime{5'000};
inline constexpr std::chrono::milliseconds kProbeTime{8'000};
/// From this many messages on the whole queue is flushed instead of one after the other (9.2: about
/// 50 a second).
inline constexpr std::size_t kFlushByIdMax = 50;
/// Depth of aliases that name aliases, and addresses that one may expand to.
inline constexpr std::size_t kAliasDepthMax = 50;
inline constexpr std::size_t kAliasMembersMax = 10'000;

}  // namespace plan::server::source
