// Says which quotas are so small that a number was read in another unit. Quota columns are in
// bytes, KiB or MiB, and look alike (reference/sources.md 2).
#include <fmt/format.h>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void quota_unit(const Migration& migration, Sink& sink) {
  constexpr std::uint64_t kSmallest = std::uint64_t{1} << 20U;
  Examples examples;
  std::uint64_t first = 0;
  for (const Account& account : migration.accounts) {
    const std::uint64_t quota = account.lock->quota_bytes;
    if (quota == 0 || quota >= kSmallest) continue;
    if (examples.count == 0) first = quota;
    examples.add(account.lock->address, account.lock->span);
  }
  if (examples.count == 0) return;
  sink.report(Kind::quota_unit, examples.first,
              fmt::format("{} a quota below 1 MiB: {}",
                          counted(examples.count, "account has", "accounts have"), examples.text()))
      .label(fmt::format("{}: was this number in KiB or MiB?", show_bytes(first)))
      .help(
          "write the unit at the source (`userdb_quota_rule=*:storage=500M`) and run `plan fetch`");
}

}  // namespace plan::check::rules
