#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "runtime/report/run_record.h"

namespace plan::report {

// What `plan watch` shows: a picture of a run from its record (the journal) and from the last
// events of its event file. Pure: the clock is an argument.

/// A step at work, with the last that was heard of it.
struct RunningStep {
  std::string step = {};
  std::string words = {};  ///< "1,200 of 2,000 messages (60 %)"; empty: it only began
};

/// What can be counted from a record.
struct Pace {
  std::uint64_t accounts = 0;
  std::uint64_t moved = 0;
  std::uint64_t held = 0;
  std::uint64_t failed = 0;
  std::uint64_t copied_messages = 0;  ///< of copies that ended in the run
  std::uint64_t copied_bytes = 0;
  /// Absent: too little has happened to say.
  std::optional<double> moves_per_minute = {};
  std::optional<double> bytes_per_second = {};
  std::optional<std::uint64_t> left_ms = {};  ///< until the last account has moved
};
/// The rates are those of the last ten minutes, or since the run began.
[[nodiscard]] Pace pace_of(const RunRecord& run, std::int64_t now_ms);

/// The steps that run now, from lines of an event file (the last ones; the first may be cut),
/// oldest first.
[[nodiscard]] std::vector<RunningStep> running_steps(std::string_view event_lines);

struct WatchOptions {
  std::size_t width_columns = 80;
  std::size_t rows_max = 24;
  bool has_colour = false;
};
/// A whole screen: the run, its waves, who is held and for how long, what is at work, rates and the
/// time that is left. No line is wider than the terminal, and not more than `rows_max` of them.
[[nodiscard]] std::string render_watch(const RunRecord& run,
                                       const std::vector<RunningStep>& running, std::int64_t now_ms,
                                       const WatchOptions& options);
/// The same in one line, without time and line end, for output that is no terminal.
[[nodiscard]] std::string watch_line(const RunRecord& run, std::int64_t now_ms);

}  // namespace plan::report
