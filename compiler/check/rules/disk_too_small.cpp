// Prevents: a copy that fills the target's disk, or that of plan's own archives, half way.
#include <fmt/format.h>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void disk_too_small(const Migration& migration, Sink& sink) {
  if (migration.facts == nullptr) return;
  std::uint64_t total = 0;
  std::size_t measured_accounts = 0;
  for (const Account& account : migration.accounts) {
    const auto bytes =
        migration.facts->count(fmt::format("account/{}/bytes", account.lock->address));
    if (!bytes) continue;
    total = total > UINT64_MAX - *bytes ? UINT64_MAX : total + *bytes;
    ++measured_accounts;
  }
  const auto look = [&](std::string_view what, std::string_view where) {
    const auto* disk = migration.facts->find(what);
    if (disk == nullptr || !disk->value.is_integer() || disk->value.as_integer() < 0) return;
    const auto free = static_cast<std::uint64_t>(disk->value.as_integer());
    if (total <= free) return;
    const auto shown = shown_bytes(total, free);
    sink.report(Kind::disk_too_small,
                migration.plan.accounts_span.is_known() ? migration.plan.accounts_span
                                                        : migration.plan.span,
                fmt::format("{} hold {}, {} has {} free",
                            counted(measured_accounts, "account", "accounts"), shown.first, where,
                            shown.second))
        .note(disk->span, disk->when.empty()
                              ? "measured here"
                              : fmt::format("measured {}", printable(disk->when, 40)))
        .help("make room and run `plan fetch`, or move fewer accounts with this plan");
  };
  look("disk/target/free", "the target's disk");
  look("disk/local/free", "the disk for the archives");
}

}  // namespace plan::check::rules
