#pragma once
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace plan::archive {

/// Largest message that is carried. Real servers stop far below (Stalwart takes 75 MB).
inline constexpr std::size_t kMessageBytesMax = std::size_t{150} << 20U;
/// UIDs asked for in one UID FETCH, and what is kept in one transaction of the archive: a crash
/// loses at most that much of reading.
inline constexpr std::size_t kFetchBatch = 256;
inline constexpr std::size_t kCommitBytes = std::size_t{32} << 20U;
/// Messages of one Email/import (reference/stalwart-admin.md 8.6: 50 is nearly as good as 500 and
/// repeats less after a failure) and their bytes, which are in memory at once.
inline constexpr std::size_t kImportBatch = 50;
inline constexpr std::size_t kImportBytes = std::size_t{32} << 20U;
/// Uploads at the same time, where the target allows as many.
inline constexpr std::size_t kUploadsInFlight = 4;
/// Downloads at the same time when mail is carried back; each is one question and one answer.
inline constexpr std::size_t kDownloadsInFlight = 6;
/// What one pass of a held account with a little traffic asks the target and makes durable in the
/// archive, and what its grade does; for the prediction. hold_statements_test counts them.
inline constexpr int kDeltaCalls = 8;
inline constexpr int kDeltaWrites = 16;
inline constexpr int kGradeCalls = 7;
inline constexpr int kGradeWrites = 2;
/// The same for the way back of an account with a few changes.
inline constexpr int kBackCalls = 12;
inline constexpr int kBackWrites = 20;
/// What one look at the target's calendars, or its address books, asks in the hold: what changed,
/// the folders, and the number of entries.
inline constexpr int kShelfCalls = 3;
/// Ids of one Email/get or Blob/get.
inline constexpr std::size_t kGetBatch = 500;
/// Bytes asked for in one Blob/get of digests.
inline constexpr std::size_t kDigestBatch = 100;
/// Pages of Email/changes that are read before everything is compared instead.
inline constexpr int kChangePagesMax = 1000;
/// Messages with a difference that a whole comparison leaves to the next one; more make that whole,
/// too.
inline constexpr std::size_t kDoubtfulMax = 2000;
/// Messages that a pass looks up one by one; with more it loads those of the whole mailbox.
inline constexpr std::size_t kLookedUpMax = 500;
/// Mailbox names on the target: bytes that work (reference/stalwart-admin.md 8.2), and depth.
inline constexpr std::size_t kMailboxNameBytesMax = 254;
inline constexpr std::size_t kMailboxDepthMax = 10;
/// Keywords are cut by the target beyond this.
inline constexpr std::size_t kKeywordBytesMax = 128;
/// Differences that a grade lists; further ones are counted.
inline constexpr std::size_t kDifferencesListed = 200;
/// How often a batch is looked at again because the target changed in between.
inline constexpr int kStateRetriesMax = 20;
/// Passes of archive.copy until the delta is taken as it is.
inline constexpr std::int64_t kPassesMax = 5;
/// A delta of so many messages is small: the hold begins.
inline constexpr std::uint64_t kSmallDelta = 50;

}  // namespace plan::archive
