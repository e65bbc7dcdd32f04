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
/// 128 GiB in KiB. Single mailboxes may have less, but not all of a server, unless they are used as
/// mailboxes of that size are.
constexpr std::uint64_t kSmallestOfAll = 128 * kMiB;
/// A number in KiB that was taken for bytes; in MiB it is more.
constexpr std::uint64_t kUnit = 1024;
/// Who fills so small a part of a quota tells nothing of its unit.
constexpr std::uint64_t kTellingPart = 8;
/// All but one of so many.
constexpr std::size_t kNearlyAllOf = 10;
/// 1 GiB as a number of KiB.
constexpr std::uint64_t kGiBInKiB = kMiB;
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

/// Does what the mailboxes hold say that their quotas are of this size, small as all of them are?
/// None holds more than it may, and half of those that were measured have filled a good part of it:
/// of a quota a thousand times as large that would be next to nothing. Of quotas that are whole GiB
/// as numbers of KiB nearly all have to be filled by half: that is what such quotas look like in
/// the wrong unit, and mailboxes that are new or little used hold a few MiB in whatever unit.
bool is_filled(const Migration& migration) {
  if (migration.facts == nullptr) return false;
  std::size_t measured = 0;
  std::size_t telling = 0;
  std::size_t half_full = 0;
  bool is_whole = true;
  for (const Account& account : migration.accounts) {
    const std::uint64_t quota = account.lock->quota_bytes;
    if (!is_quota(quota)) continue;
    is_whole = is_whole && quota % kGiBInKiB == 0;
    const auto used =
        migration.facts->count(fmt::format("account/{}/bytes", account.lock->address));
    if (!used) continue;
    if (*used > quota) return false;
    ++measured;
    if (*used >= quota / kTellingPart) ++telling;
    if (*used >= quota / 2) ++half_full;
  }
  if (measured == 0) return false;
  return is_whole ? kNearlyAllOf * half_full >= (kNearlyAllOf - 1) * measured
                  : 2 * telling >= measured;
}

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
  const auto free =
      migration.facts == nullptr ? std::nullopt : migration.facts->count("disk/target/free");
  // No account has more than the disk: a number that would be more in KiB is one of bytes.
  const bool fits_in_unit = !free || most <= *free / kUnit;
  if (most < kSmallestOfAll && fits_in_unit && !is_filled(migration))
    bounds.smallest = kSmallestOfAll;
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
