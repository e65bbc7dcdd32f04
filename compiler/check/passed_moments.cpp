#include "compiler/check/passed_moments.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>

#include "compiler/source/text.h"

namespace plan::check {
namespace {

/// "2026-12-01T02:00:00Z"
std::string utc(std::int64_t moment_ms) {
  namespace chrono = std::chrono;
  const chrono::sys_time<chrono::milliseconds> moment{chrono::milliseconds(moment_ms)};
  const auto day = chrono::floor<chrono::days>(moment);
  const chrono::year_month_day date(day);
  const chrono::hh_mm_ss time(chrono::floor<chrono::seconds>(moment - day));
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count());
}

/// Calls `take(step, moment_ms, is_of_copies)` for each moment that a step waits for.
template <class Take>
void each_moment(const ir::StepGraph& graph, const std::function<bool(ir::StepId)>& is_over,
                 const Take& take) {
  std::vector<bool> is_judged(graph.waves().size() + 1);  // its accounts wait for one moment
  for (const ir::StepId step : graph.order()) {
    const ir::StepKind kind = graph.kind(step);
    const auto wave = static_cast<std::size_t>(graph.wave(step));
    const bool is_copy = kind == ir::StepKind::archive_copy && wave != 0 && !is_judged[wave];
    if ((kind != ir::StepKind::window && !is_copy) || (is_over && is_over(step))) continue;
    if (is_copy) is_judged[wave] = true;
    const std::int64_t moment_ms =
        graph.argument(step, is_copy ? "keep_until_ms" : "not_before_ms").integer_or(0);
    if (moment_ms != 0) take(step, moment_ms, is_copy);
  }
}

}  // namespace

std::vector<PassedMoment> passed_moments(const ir::StepGraph& graph, std::int64_t now_ms,
                                         const std::function<bool(ir::StepId step)>& is_over) {
  std::vector<PassedMoment> passed;
  each_moment(graph, is_over, [&](ir::StepId step, std::int64_t moment_ms, bool is_of_copies) {
    if (moment_ms > now_ms) return;
    PassedMoment one{step, moment_ms, is_of_copies, {}};
    if (is_of_copies) {
      const ir::WaveInfo* wave = graph.wave_info(graph.wave(step));
      one.words = fmt::format("wave `{}` completes after {}, which has passed",
                              wave == nullptr ? "" : printable(wave->name, 60), utc(moment_ms));
    } else {
      one.words = fmt::format("`{}` waits for {}, which has passed", printable(graph.id(step), 200),
                              utc(moment_ms));
    }
    passed.push_back(std::move(one));
  });
  return passed;
}

std::optional<std::int64_t> next_moment(const ir::StepGraph& graph, std::int64_t now_ms) {
  std::optional<std::int64_t> next;
  each_moment(graph, {}, [&](ir::StepId, std::int64_t moment_ms, bool) {
    if (moment_ms > now_ms && (!next || moment_ms < *next)) next = moment_ms;
  });
  return next;
}

}  // namespace plan::check
