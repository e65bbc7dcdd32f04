// Says which quotas look like numbers that were read in another unit. Quota columns are in bytes,
// KiB or MiB, and look alike (reference/sources.md 2): a column of MiB or KiB that was taken for
// bytes makes them too small, one of bytes that was taken for KiB or MiB too large.
#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string_view>
#include <utility>

#include "compiler/check/kind_of_source.h"
#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;
constexpr std::uint64_t kTiB = std::uint64_t{1} << 40U;

/// Below it nobody gives a mailbox any more: 10 GiB in KiB, and every quota in MiB, are less.
constexpr std::uint64_t kSmallest = 16 * kMiB;
/// 128 GiB in KiB. Single mailboxes may have less, but not all of a server.
constexpr std::uint64_t kSmallestOfAll = 128 * kMiB;
/// No disk of a mail server: 100 GiB in bytes, read as KiB.
constexpr std::uint64_t kLargest = 100 * kTiB;
/// 1 GiB in bytes, read as KiB; all of a server have it only where its disk has as much.
constexpr std::uint64_t kLargestOfAll = kTiB;
/// What some sources write for "no bound": no number in another unit gets there.
constexpr std::uint64_t kWithoutBound = std::uint64_t{1} << 62U;
/// From so many on what all of them have in common is the unit, and no choice.
constexpr std::size_t kAllAtLeast = 3;

struct Bounds {
  std::uint64_t smallest = kSmallest;
  std::uint64_t largest = kLargest;
};

bool is_quota(std::uint64_t bytes) { return bytes != 0 && bytes < kWithoutBound; }

/// What one quota may be beside the others: a small one among large ones was chosen so.
Bounds bounds_of(const Migration& migration) {
  std::uint64_t least = UINT64_MAX;
  std::uint64_t most = 0;
  std::size_t count = 0;
  for (const Account& account : migration.accounts) {
    const std::uint64_t quota = account.lock->quota_bytes;
    if (!is_quota(quota)) continue;
    least = std::min(least, quota);
    most = std::max(most, quota);
    ++count;
  }
  Bounds bounds;
  if (count < kAllAtLeast) return bounds;
  if (most < kSmallestOfAll) bounds.smallest = kSmallestOfAll;
  const auto free =
      migration.facts == nullptr ? std::nullopt : migration.facts->count("disk/target/free");
  if (least >= kLargestOfAll && free && least > *free) bounds.largest = kLargestOfAll;
  return bounds;
}

struct Odd {
  Examples accounts = {};
  std::uint64_t first = 0;
};

}  // namespace

void quota_unit(const Migration& migration, Sink& sink) {
  const Bounds bounds = bounds_of(migration);
  const Apart apart(migration.plan, {Kind::quota_unit});
  std::map<std::pair<std::string_view, bool>, Odd> found;
  for (const Account& account : migration.accounts) {
    const std::uint64_t quota = account.lock->quota_bytes;
    const bool is_large = quota >= bounds.largest;
    if (!is_quota(quota) || (!is_large && quota >= bounds.smallest)) continue;
    Odd& odd = found[{apart.of(account.lock->address), is_large}];
    if (odd.accounts.count == 0) odd.first = quota;
    odd.accounts.add(account.lock->address, account.lock->span);
  }
  for (const auto& [place, odd] : found) {
    const bool is_large = place.second;
    sink.report(Kind::quota_unit, odd.accounts.first,
                fmt::format("{} a quota {}: {}",
                            counted(odd.accounts.count, "account has", "accounts have"),
                            is_large ? "of " + show_bytes(bounds.largest) + " or more"
                                     : "below " + show_bytes(bounds.smallest),
                            odd.accounts.text()))
        .label(fmt::format("{}: was this number in {}?", show_bytes(odd.first),
                           is_large ? "bytes, and read as KiB or MiB" : "KiB or MiB"))
        .help(is_from_stalwart(migration.plan)
                  ? "quotas of a Stalwart are in bytes: set this one anew at the source and run "
                    "`plan fetch`"
                  : "write the unit at the source (`userdb_quota_rule=*:storage=500M`) and run "
                    "`plan fetch`");
  }
}

}  // namespace plan::check::rules
