// Prevents: accounts that are held hours behind the moment that was named for it, because the
// window of their wave is shorter than the copy can be. And bounds of a hold and of a wave that
// cannot do what they are for.
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

// Small accounts under traffic, on an idle machine and beside a build (docs/performance.md).
constexpr std::uint64_t kShortestHoldMs = 900;
constexpr std::uint64_t kUsualHoldMs = 2'000;
// A bound below this leaves nothing for a slower machine or a larger account.
constexpr std::uint64_t kHoldBoundLeastMs = 5'000;

struct Size {
  std::uint64_t bytes = 0;
  std::uint64_t messages = 0;
};

/// The value of `stop_when` that its author wrote for this wave; nullptr when it is not there.
const syntax::Node* written_rule(const Plan& plan, const PlanWave& wave, std::string_view rule) {
  const syntax::Node* waves = plan.tree == nullptr ? nullptr : plan.tree->find("waves");
  if (waves == nullptr || !waves->is_sequence()) return nullptr;
  for (const syntax::Node& item : waves->items) {
    const syntax::Node* name = item.is_mapping() ? item.find("name") : nullptr;
    if (name == nullptr || name->span != wave.span) continue;
    const syntax::Node* rules = item.find("stop_when");
    return rules == nullptr || !rules->is_mapping() ? nullptr : rules->find(rule);
  }
  return nullptr;
}

void look_at_holds(const Plan& plan, Sink& sink) {
  const ir::Value& given = plan.move["hold_bound"];
  if (!given.is_integer()) return;  // it could not be read, which was reported
  const auto bound = static_cast<std::uint64_t>(given.integer_or(0));
  if (bound < kHoldBoundLeastMs) {
    sink.report(
            Kind::bad_value, plan.place("move", "hold_bound"),
            fmt::format("every account goes back after {} of its hold", show_duration_ms(bound)))
        .severity(Severity::warning)
        .label(fmt::format("small accounts were held for {} to {}",
                           show_duration_ms(kShortestHoldMs), show_duration_ms(kUsualHoldMs)))
        .help(
            "write three times what the largest account needed in `plan rehearse`, below the time "
            "that clients wait; without `hold_bound` it is 20 s");
  }
  for (const PlanWave& wave : plan.waves) {
    const syntax::Node* node = written_rule(plan, wave, "hold_longer_than");
    if (wave.stop_hold_ms == 0 || node == nullptr) continue;
    const bool is_never = wave.stop_hold_ms >= bound;
    if (!is_never && wave.stop_hold_ms > kShortestHoldMs) continue;
    sink.report(Kind::bad_value, node->span,
                is_never
                    ? fmt::format("no hold is longer than {}: this never stops wave `{}`",
                                  show_duration_ms(bound), printable(wave.name, 60))
                    : fmt::format("wave `{}` stops at its first account", printable(wave.name, 60)))
        .severity(Severity::warning)
        .label(is_never ? "`hold_bound` of `move` ends each hold before"
                        : fmt::format("the shortest hold that was measured is {}",
                                      show_duration_ms(kShortestHoldMs)))
        .help("write a time between what an account needs and `hold_bound`: `10s`");
  }
}

/// Fewer failures than a wave says do not keep the next one from beginning.
void look_at_failures(const Migration& migration, Sink& sink) {
  const std::vector<PlanWave>& waves = migration.plan.waves;
  std::vector<std::size_t> accounts(waves.size());
  for (const Account& account : migration.accounts) {
    if (account.wave < accounts.size()) ++accounts[account.wave];
  }
  for (std::size_t i = 0; i + 1 < waves.size(); ++i) {
    const PlanWave& wave = waves[i];
    const syntax::Node* node = written_rule(migration.plan, wave, "failed");
    if (node == nullptr || wave.is_broken || accounts[i] == 0 || wave.stop_failed_permille != 0 ||
        wave.stop_after_failed <= accounts[i])
      continue;
    sink.report(Kind::bad_value, node->span,
                fmt::format("wave `{}` has {} and never stops at {} that fail",
                            printable(wave.name, 60), counted(accounts[i], "account", "accounts"),
                            show_count(wave.stop_after_failed)))
        .severity(Severity::warning)
        .label("all of them may fail, and the next wave begins")
        .help(
            "write at most as many as the wave has, or a share (`error_rate: 5%`); without "
            "`stop_when` one that fails keeps the next wave");
  }
}

}  // namespace

void window_too_short(const Migration& migration, Sink& sink) {
  look_at_holds(migration.plan, sink);
  if (!migration.plan.are_waves_partial) look_at_failures(migration, sink);
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
  // A wave begins when the one in front of it is over, which is not before that one may begin and
  // hold.
  const auto moment_of = [](const PlanWave& wave) {
    return std::max(wave.start_after_ms, wave.complete_after_ms);
  };
  const PlanWave* in_front = nullptr;
  for (std::size_t i = 0; i < waves.size(); ++i) {
    const PlanWave& wave = waves[i];
    const PlanWave* earlier = in_front;
    if (moment_of(wave) != 0 && (in_front == nullptr || moment_of(wave) > moment_of(*in_front)))
      in_front = &wave;
    const bool waits = earlier != nullptr && moment_of(*earlier) > wave.start_after_ms;
    const std::int64_t begin = waits ? moment_of(*earlier) : wave.start_after_ms;
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
                  fmt::format("wave `{}` comes before it, and {} before this time",
                              printable(earlier->name, 60),
                              earlier->complete_after_ms != 0 ? "holds nobody" : "does not begin"));
  }
}

}  // namespace plan::check::rules
