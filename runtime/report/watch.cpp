#include "runtime/report/watch.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/net/clock.h"
#include "runtime/report/sinks.h"

namespace plan::report {
namespace {

constexpr std::int64_t kWindowMs = 600'000;   ///< rates are those of the last ten minutes
constexpr std::int64_t kRateAfterMs = 5'000;  ///< nothing is said of the pace before
constexpr std::size_t kBarColumns = 24;

std::string cut(std::string line, std::size_t columns) {
  while (display_width(line) >= columns && !line.empty()) {
    line.pop_back();
    while (!line.empty() && (static_cast<unsigned char>(line.back()) & 0xC0U) == 0x80U)
      line.pop_back();
    if (first_invalid_utf8(line)) line.resize(*first_invalid_utf8(line));
  }
  return line;
}

std::string bar(std::uint64_t done, std::uint64_t all) {
  const std::size_t full =
      all == 0 ? 0 : static_cast<std::size_t>(std::min(done, all) * kBarColumns / all);
  return "[" + std::string(full, '#') + std::string(kBarColumns - full, '.') + "]";
}

std::string pace_words(const Pace& pace, bool is_running) {
  std::string words;
  if (pace.moves_per_minute)
    words += fmt::format("{:.1f} accounts a minute", *pace.moves_per_minute);
  if (pace.bytes_per_second) {
    words += fmt::format("{}{}/s copied", words.empty() ? "" : ", ",
                         show_bytes(static_cast<std::uint64_t>(*pace.bytes_per_second)));
  }
  const bool is_over = pace.moved + pace.failed >= pace.accounts;
  if (is_over || !is_running) return words;
  words += words.empty() ? "" : "; ";
  return words + (pace.left_ms ? fmt::format("about {} left", show_duration_ms(*pace.left_ms))
                               : std::string("time left not known yet"));
}

/// Everybody who is held now, longest first.
std::vector<std::pair<std::string, std::uint64_t>> held_now(const RunRecord& run,
                                                            std::int64_t now_ms) {
  std::vector<std::pair<std::string, std::uint64_t>> held;
  for (const AccountRecord& account : run.accounts) {
    if (account.holds.empty() || account.holds.back().ended_ms) continue;
    const std::int64_t since = std::max<std::int64_t>(0, now_ms - account.holds.back().begun_ms);
    held.emplace_back(account.account, static_cast<std::uint64_t>(since));
  }
  std::stable_sort(held.begin(), held.end(),
                   [](const auto& left, const auto& right) { return left.second > right.second; });
  return held;
}

}  // namespace

Pace pace_of(const RunRecord& run, std::int64_t now_ms) {
  Pace pace;
  pace.accounts = run.accounts.size();
  const std::int64_t end_ms = run.ended_ms.value_or(now_ms);
  const std::int64_t since_ms = std::max(run.started_ms, end_ms - kWindowMs);
  std::uint64_t moved_lately = 0;
  std::uint64_t bytes_lately = 0;
  for (const AccountRecord& account : run.accounts) {
    if (account.state == "moved") ++pace.moved;
    if (account.state == "failed") ++pace.failed;
    if (!account.holds.empty()) {
      const HoldMoment& last = account.holds.back();
      if (!last.ended_ms) ++pace.held;
      if (last.is_committed && last.ended_ms.value_or(0) >= since_ms) ++moved_lately;
    }
    if (account.copied_at_ms.value_or(0) < run.started_ms || !account.copied_at_ms) continue;
    pace.copied_messages += account.messages.value_or(0);
    pace.copied_bytes += account.bytes.value_or(0);
    if (*account.copied_at_ms >= since_ms) bytes_lately += account.bytes.value_or(0);
  }
  const std::int64_t elapsed_ms = end_ms - since_ms;
  if (elapsed_ms < kRateAfterMs) return pace;
  const double seconds = static_cast<double>(elapsed_ms) / 1000;
  if (bytes_lately > 0) pace.bytes_per_second = static_cast<double>(bytes_lately) / seconds;
  if (moved_lately == 0) return pace;
  pace.moves_per_minute = static_cast<double>(moved_lately) * 60 / seconds;
  const std::uint64_t left = pace.accounts - std::min(pace.accounts, pace.moved + pace.failed);
  pace.left_ms =
      static_cast<std::uint64_t>(static_cast<double>(left) * 60'000 / *pace.moves_per_minute);
  return pace;
}

std::vector<RunningStep> running_steps(std::string_view event_lines) {
  std::vector<RunningStep> running;
  const auto forget = [&](const std::string& step) {
    std::erase_if(running, [&](const RunningStep& one) { return one.step == step; });
  };
  for (const std::string_view line : split(event_lines, '\n')) {
    if (line.empty()) continue;
    const auto event = ir::parse_json(line);
    if (!event || !event->is_map()) continue;  // the first may be cut
    const std::string name((*event)["event"].string_or(""));
    const std::string step((*event)["step"].string_or(""));
    if (name == "run-started" || name == "run-ended") {
      running.clear();
    } else if (name == "step-started") {
      forget(step);
      running.push_back({step, {}});
    } else if (name == "step-progress") {
      forget(step);
      StepProgress progress;
      progress.done =
          static_cast<std::uint64_t>(std::max<std::int64_t>(0, (*event)["done"].integer_or(0)));
      progress.total =
          static_cast<std::uint64_t>(std::max<std::int64_t>(0, (*event)["total"].integer_or(0)));
      progress.unit = (*event)["unit"].string_or("");
      progress.remark = (*event)["remark"].string_or("");
      running.push_back({step, progress_words(progress)});
    } else if (name == "step-finished") {
      forget(step);
    } else if (name == "step-failed") {
      forget(std::string((*event)["failure"]["step"].string_or("")));
    }
  }
  return running;
}

std::string watch_line(const RunRecord& run, std::int64_t now_ms) {
  const Pace pace = pace_of(run, now_ms);
  std::string line =
      fmt::format("{}: {} of {} steps, {} of {} accounts moved",
                  run.is_paused ? "paused" : run.state, show_count(run.done), show_count(run.steps),
                  show_count(pace.moved), show_count(pace.accounts));
  if (pace.held > 0) line += fmt::format(", {} held", show_count(pace.held));
  if (pace.failed > 0) line += fmt::format(", {} failed", show_count(pace.failed));
  for (const std::string& subject : run.approvals_needed)
    line += fmt::format(", waits for plan approve {}", printable(approval_name(subject), 200));
  const std::string words = pace_words(pace, true);
  if (run.state == "running" && !run.is_paused && !words.empty()) line += "; " + words;
  return line;
}

std::string render_watch(const RunRecord& run, const std::vector<RunningStep>& running,
                         std::int64_t now_ms, const WatchOptions& options) {
  const Pace pace = pace_of(run, now_ms);
  std::vector<std::string> lines;
  const bool is_running = run.state == "running";
  lines.push_back(fmt::format("{}: {} {} {}", printable(run.plan_name, 200),
                              run.is_paused ? "paused" : run.state, is_running ? "for" : "after",
                              show_duration_ms(static_cast<std::uint64_t>(std::max<std::int64_t>(
                                  0, run.ended_ms.value_or(now_ms) - run.started_ms)))));
  lines.push_back(fmt::format("{} {} of {} steps", bar(run.done, run.steps), show_count(run.done),
                              show_count(run.steps)));
  lines.push_back(
      fmt::format("{} {} of {} accounts moved{}", bar(pace.moved, pace.accounts),
                  show_count(pace.moved), show_count(pace.accounts),
                  pace.failed > 0 ? fmt::format(", {} failed", show_count(pace.failed)) : ""));
  if (const std::string words = pace_words(pace, is_running && !run.is_paused); !words.empty())
    lines.push_back(words);
  if (pace.copied_messages > 0) {
    lines.push_back(fmt::format("{} messages copied in this run, {}",
                                show_count(pace.copied_messages), show_bytes(pace.copied_bytes)));
  }
  for (const std::string& subject : run.approvals_needed)
    lines.push_back(
        fmt::format("waits for: plan approve {}", printable(approval_name(subject), 200)));
  for (const WaveRecord& wave : run.waves) {
    lines.push_back(fmt::format(
        "wave {:<16} {} {} of {} moved{}", printable(wave.wave, 60), bar(wave.moved, wave.accounts),
        show_count(wave.moved), show_count(wave.accounts),
        wave.failed > 0 ? fmt::format(", {} failed", show_count(wave.failed)) : ""));
  }
  for (const auto& [account, since_ms] : held_now(run, now_ms)) {
    lines.push_back(
        fmt::format("held  {}  {}", printable(account, 200), show_duration_ms(since_ms)));
  }
  for (const RunningStep& step : running) {
    lines.push_back(fmt::format("runs  {}{}", printable(step.step, 200),
                                step.words.empty() ? "" : ": " + step.words));
  }
  std::string out;
  const std::size_t rows = std::max<std::size_t>(3, options.rows_max);
  const std::size_t shown = lines.size() < rows ? lines.size() : rows - 2;
  for (std::size_t i = 0; i < shown; ++i) {
    const std::string line = cut(lines[i], options.width_columns);
    const bool is_held = line.starts_with("held ");
    if (options.has_colour && (is_held || i == 0)) {
      out += fmt::format("{}{}\x1b[0m\n", is_held ? "\x1b[33m" : "\x1b[1m", line);
    } else {
      out += line + "\n";
    }
  }
  if (shown < lines.size())
    out +=
        cut(fmt::format("and {} more lines", lines.size() - shown), options.width_columns) + "\n";
  return out;
}

}  // namespace plan::report
