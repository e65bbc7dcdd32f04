// Says which quotas are so small that a number was read in another unit. Quota columns are in
// bytes, KiB or MiB, and look alike (reference/sources.md 2).
#include <fmt/format.h>

#include <cstdint>
#include <map>
#include <string_view>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void quota_unit(const Migration& migration, Sink& sink) {
  constexpr std::uint64_t kSmallest = std::uint64_t{1} << 20U;
  struct Small {
    Examples accounts;
    std::uint64_t first = 0;
  };
  const Apart apart(migration.plan, {Kind::quota_unit});
  std::map<std::string_view, Small> found;
  for (const Account& account : migration.accounts) {
    const std::uint64_t quota = account.lock->quota_bytes;
    if (quota == 0 || quota >= kSmallest) continue;
    Small& small = found[apart.of(account.lock->address)];
    if (small.accounts.count == 0) small.first = quota;
    small.accounts.add(account.lock->address, account.lock->span);
  }
  for (const auto& [place, small] : found) {
    sink.report(Kind::quota_unit, small.accounts.first,
                fmt::format("{} a quota below 1 MiB: {}",
                            counted(small.accounts.count, "account has", "accounts have"),
                            small.accounts.text()))
        .label(fmt::format("{}: was this number in KiB or MiB?", show_bytes(small.first)))
        .help(
            "write the unit at the source (`userdb_quota_rule=*:storage=500M`) and run `plan "
            "fetch`");
  }
}

}  // namespace plan::check::rules
