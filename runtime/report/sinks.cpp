#include "runtime/report/sinks.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <vector>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/net/clock.h"

namespace plan::report {
namespace {

constexpr std::int64_t kLineProgressEveryMs = 10'000;
constexpr std::int64_t kRedrawEveryMs = 100;

std::string named_progress(const StepProgress& progress) {
  return printable(progress.step, 200) + ": " + progress_words(progress);
}

}  // namespace

std::string progress_words(const StepProgress& progress) {
  std::string words;
  const bool is_bytes = progress.unit == "bytes";
  const auto show = [&](std::uint64_t count) {
    return is_bytes ? show_bytes(count) : show_count(count);
  };
  words += show(progress.done);
  if (progress.total > 0) {
    words += " of " + show(progress.total);
    words +=
        fmt::format(" ({} %)", std::min<std::uint64_t>(100, progress.done * 100 / progress.total));
  }
  if (!is_bytes && !progress.unit.empty()) words += " " + printable(progress.unit, 40);
  if (!progress.remark.empty()) words += ", " + printable(progress.remark, 200);
  return words;
}

void LineLog::on(const Event& event) {
  std::string line = to_line(event);
  if (const auto* progress = std::get_if<StepProgress>(&event.what)) {
    // The first report of a step only starts its clock: most steps are over before ten seconds.
    const auto [shown, is_first] = progress_shown_ms_.emplace(progress->step, event.wall_ms);
    if (is_first || event.wall_ms - shown->second < kLineProgressEveryMs) return;
    shown->second = event.wall_ms;
    line = named_progress(*progress);
  } else if (const auto* finished = std::get_if<StepFinished>(&event.what)) {
    progress_shown_ms_.erase(finished->step);
  }
  if (!line.empty()) write_(net::show_utc(event.wall_ms) + " " + line + "\n");
}

void NdjsonLog::on(const Event& event) { write_(ir::write_json(to_document(event)) + "\n"); }

// --- TerminalProgress ---

struct TerminalProgress::State {
  Write write;
  TerminalOptions options;
  struct Running {
    std::string step;
    std::string words;
  };
  std::vector<Running> running;  ///< in the order in which they began
  std::uint64_t done = 0;
  std::uint64_t total = 0;
  std::uint64_t moved = 0;
  std::uint64_t accounts = 0;
  std::uint64_t held = 0;
  std::size_t rows_drawn = 0;
  std::int64_t drawn_ms = 0;

  [[nodiscard]] std::string cut(std::string line) const {
    // Characters beyond the width would wrap and spoil the count of rows.
    while (display_width(line) >= options.width_columns && !line.empty()) {
      line.pop_back();
      while (!line.empty() && (static_cast<unsigned char>(line.back()) & 0xC0U) == 0x80U) {
        line.pop_back();
      }
      if (first_invalid_utf8(line)) line.resize(*first_invalid_utf8(line));
    }
    return line;
  }

  [[nodiscard]] std::string erase() {
    if (rows_drawn == 0) return {};
    // The cursor is not at the left edge when the terminal has echoed a key, such as ^C.
    std::string text = fmt::format("\r\x1b[{}A\x1b[J", rows_drawn);
    rows_drawn = 0;
    return text;
  }

  [[nodiscard]] std::string block() {
    std::string text;
    const std::size_t shown = std::min(running.size(), options.rows_max);
    for (std::size_t i = 0; i < shown; ++i) {
      text += cut("  " + running[i].words) + "\n";
      ++rows_drawn;
    }
    if (running.size() > shown) {
      text += cut(fmt::format("  and {} more", running.size() - shown)) + "\n";
      ++rows_drawn;
    }
    std::string summary = fmt::format("{} of {} steps", show_count(done), show_count(total));
    if (accounts > 0) {
      summary += fmt::format(", {} of {} accounts moved", show_count(moved), show_count(accounts));
    }
    if (held > 0) summary += fmt::format(", {} held now", show_count(held));
    text += cut(std::move(summary)) + "\n";
    ++rows_drawn;
    return text;
  }

  void forget(const std::string& step) {
    std::erase_if(running, [&](const Running& r) { return r.step == step; });
  }
};

TerminalProgress::TerminalProgress(Write write, TerminalOptions options)
    : state_(std::make_unique<State>()) {
  state_->write = std::move(write);
  state_->options = options;
}

TerminalProgress::~TerminalProgress() = default;

void TerminalProgress::on(const Event& event) {
  State& s = *state_;
  bool is_ended = false;
  std::string colour;
  if (const auto* run = std::get_if<RunStarted>(&event.what)) {
    s.total = run->steps;
    s.done = run->steps_done_before;
    s.accounts = run->accounts;
    s.moved = run->accounts_moved_before;
  } else if (const auto* started = std::get_if<StepStarted>(&event.what)) {
    s.forget(started->step);
    s.running.push_back(
        {started->step, (started->is_undo ? "undoing " : "") + printable(started->step, 200)});
  } else if (const auto* progress = std::get_if<StepProgress>(&event.what)) {
    for (State::Running& running : s.running) {
      if (running.step == progress->step) running.words = named_progress(*progress);
    }
  } else if (const auto* finished = std::get_if<StepFinished>(&event.what)) {
    s.forget(finished->step);
    if (!finished->is_undo) ++s.done;
  } else if (const auto* failed = std::get_if<StepFailed>(&event.what)) {
    s.forget(failed->failure.step);
    colour = "\x1b[31m";
  } else if (std::holds_alternative<AccountHeld>(event.what)) {
    ++s.held;
  } else if (const auto* released = std::get_if<AccountReleased>(&event.what)) {
    if (s.held > 0) --s.held;
    if (released->is_committed) ++s.moved;
    colour = released->is_committed ? "\x1b[32m" : "\x1b[33m";
  } else if (std::holds_alternative<RunEnded>(event.what)) {
    s.running.clear();
    is_ended = true;
  }
  // Single steps would drown the rest; accounts, waves and what went wrong scroll up as lines.
  const bool is_quiet = std::holds_alternative<StepStarted>(event.what) ||
                        std::holds_alternative<StepProgress>(event.what) ||
                        std::holds_alternative<StepFinished>(event.what);
  const std::string line = is_quiet ? std::string() : to_line(event);
  const bool is_due = event.wall_ms - s.drawn_ms >= kRedrawEveryMs || event.wall_ms < s.drawn_ms;
  if (line.empty() && !is_due && !is_ended) return;
  if (s.options.width_now) s.options.width_columns = s.options.width_now();
  std::string text = s.erase();
  if (!line.empty()) {
    text += s.options.has_colour && !colour.empty() ? colour + line + "\x1b[0m\n" : line + "\n";
  }
  if (!is_ended) text += s.block();
  s.drawn_ms = event.wall_ms;
  if (!text.empty()) s.write(text);
}

}  // namespace plan::report
