// Prevents: accounts that are held while most of their mail is still to be copied, because the
// window of their wave is shorter than the copy can be.
#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

// The fastest that a real target took by JMAP with its index on (reference/stalwart-admin.md 8.6:
// 339 messages of 4 KB, 204 of 60 KB in a second), on two cores.
constexpr std::uint64_t kMessagesPerSecond = 339;
constexpr std::uint64_t kBytesPerSecond = 204 * 60 * 1024;

struct Size {
  std::uint64_t bytes = 0;
  std::uint64_t messages = 0;
};

}  // namespace

void window_too_short(const Migration& migration, Sink& sink) {
  if (migration.facts == nullptr) return;
  const std::vector<PlanWave>& waves = migration.plan.waves;
  std::vector<Size> sizes(waves.size());
  for (const Account& account : migration.accounts) {
    if (account.wave >= sizes.size() || waves[account.wave].complete_after_ms == 0) continue;
    const auto add = [&](std::string_view what, std::uint64_t& to) {
      to += migration.facts->count(fmt::format("account/{}/{}", account.lock->address, what))
                .value_or(0);
    };
    add("bytes", sizes[account.wave].bytes);
    add("messages", sizes[account.wave].messages);
  }
  // A wave begins when the one in front of it is over, which is not before that one may hold.
  const PlanWave* in_front = nullptr;
  for (std::size_t i = 0; i < waves.size(); ++i) {
    const PlanWave& wave = waves[i];
    const PlanWave* earlier = in_front;
    if (in_front == nullptr || wave.complete_after_ms > in_front->complete_after_ms)
      in_front = wave.complete_after_ms == 0 ? in_front : &wave;
    const bool waits = earlier != nullptr && earlier->complete_after_ms > wave.start_after_ms;
    const std::int64_t begin = waits ? earlier->complete_after_ms : wave.start_after_ms;
    if (begin == 0 || wave.complete_after_ms == 0 || wave.complete_after_ms <= wave.start_after_ms)
      continue;
    const auto window =
        static_cast<std::uint64_t>(std::max<std::int64_t>(0, wave.complete_after_ms - begin));
    const std::uint64_t needed =
        std::max(sizes[i].bytes / kBytesPerSecond, sizes[i].messages / kMessagesPerSecond) * 1000;
    if (needed <= window) continue;
    auto report =
        sink.report(Kind::window_too_short, wave.window_span,
                    fmt::format("wave `{}` has {} to copy and {} for it", printable(wave.name, 60),
                                show_bytes(sizes[i].bytes), show_duration_ms(window)));
    report
        .label(
            fmt::format("the fastest target that was measured needs {}", show_duration_ms(needed)))
        .help(waits ? "let it complete later, or move fewer accounts with this wave"
                    : "let it start earlier, or move fewer accounts with this wave");
    if (waits)
      report.note(earlier->window_span,
                  fmt::format("wave `{}` comes before it, and holds nobody before this time",
                              printable(earlier->name, 60)));
  }
}

}  // namespace plan::check::rules
