// Prevents: imports fail with overQuota when an account holds more than its quota, which the source
// may have lowered later (reference/stalwart-admin.md 5.3).
#include <fmt/format.h>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void quota_too_small(const Migration& migration, Sink& sink) {
  if (migration.facts == nullptr) return;
  for (const Account& account : migration.accounts) {
    if (account.lock->quota_bytes == 0) continue;
    const auto* measured =
        migration.facts->find(fmt::format("account/{}/bytes", account.lock->address));
    if (measured == nullptr || !measured->value.is_integer()) continue;
    const auto bytes =
        static_cast<std::uint64_t>(std::max<std::int64_t>(measured->value.as_integer(), 0));
    if (bytes <= account.lock->quota_bytes) continue;
    const auto shown = shown_bytes(bytes, account.lock->quota_bytes);
    sink.report(Kind::quota_too_small, account.lock->span,
                fmt::format("`{}` holds {}, its quota is {}", printable(account.lock->address, 120),
                            shown.first, shown.second))
        .note(measured->span, measured->when.empty()
                                  ? "measured here"
                                  : fmt::format("measured {}", printable(measured->when, 40)))
        .help(
            "raise the quota at the source and run `plan fetch`; the target refuses messages above "
            "it");
  }
}

}  // namespace plan::check::rules
