#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "compiler/ir/value.h"
#include "runtime/report/event.h"

namespace plan::report {

/// One time that an account was held.
struct HoldMoment {
  std::int64_t begun_ms = 0;
  std::optional<std::int64_t> ended_ms = {};  ///< absent: it is held
  bool is_committed = false;                  ///< it ended with the account at the target
  bool is_way_back = false;                   ///< a rollback, or a move that was undone
  std::string carried = {};  ///< what was carried in it; empty: nothing, or not read
};

/// What is known about one account at the end of a run (or so far).
struct AccountRecord {
  std::string account = {};
  std::string wave = {};
  /// waiting, copying, held, moved, undone, failed, rolled-back
  std::string state = {};
  std::string grade = {};       ///< empty: not checked
  std::string mail_grade = {};  ///< of what is carried; another one where a part is not checked
  std::vector<std::string> not_checked = {};  ///< parts of it without evidence, by name
  /// Calendars and contacts, where they are carried: numbers by name, and in words `carried` and
  /// `not_carried`; else null.
  ir::Value calendars = {};
  std::optional<std::uint64_t> messages = {};
  std::optional<std::uint64_t> bytes = {};
  std::optional<std::uint64_t> carried = {};     ///< messages carried in the hold
  std::optional<std::uint64_t> stragglers = {};  ///< found by the sweep
  std::optional<std::int64_t> held_at_ms = {};
  std::optional<std::uint64_t> held_ms = {};
  std::uint64_t attempts = 0;                     ///< times its transaction was begun
  std::optional<std::int64_t> copied_at_ms = {};  ///< end of its copy
  std::vector<HoldMoment> holds = {};             ///< all of them, in order
};

/// One line of the time line.
struct MomentRecord {
  std::int64_t wall_ms = 0;
  std::string step = {};
  std::string account = {};
  std::string what =
      {};  ///< started, done, satisfied, failed, unknown, undo-started, undone, held, released
  std::uint32_t attempt = 0;
  std::string text = {};       ///< error line or remark
  std::string place = {};      ///< in the plan: what the step is about
  std::string procedure = {};  ///< place of the step in the procedure
};

struct WaveRecord {
  std::string wave = {};
  std::uint64_t accounts = 0;
  std::uint64_t moved = 0;
  std::uint64_t failed = 0;
};

/// A bound of `plan throttle` that was not taken away: it holds for later runs too.
struct ThrottleRecord {
  std::string host = {};               ///< source, target
  std::uint32_t connections = 0;       ///< steps at a time; 0: no bound
  std::uint64_t bytes_per_second = 0;  ///< of copying; 0: no bound
};

/// A whole run as plain data, from the journal (engine/status.h); what `plan report` and `plan
/// status` show.
struct RunRecord {
  std::string plan_name = {};
  std::string run_id = {};
  std::string state = {};  ///< running, interrupted, finished, stopped, failed, needs-approval
  std::int64_t started_ms = 0;
  std::optional<std::int64_t> ended_ms = {};
  std::uint64_t steps = 0;
  std::uint64_t done = 0;
  std::uint64_t failed = 0;
  std::vector<WaveRecord> waves = {};
  std::vector<AccountRecord> accounts = {};
  std::vector<Failure> failures = {};
  std::vector<MomentRecord> timeline = {};
  std::vector<std::string> approvals_needed = {};
  std::vector<std::string> points = {};  ///< rollback points that were reached, oldest first
  bool is_rollback = false;              ///< the run was one of `plan rollback`
  bool is_paused = false;                ///< it runs, and begins nothing until `plan resume`
  std::vector<ThrottleRecord> throttles = {};
};

/// One self-contained HTML page: no script, no font, no picture from elsewhere. All text is
/// escaped. `timeline_rows_max` bounds the page; what is left out is counted on it.
[[nodiscard]] std::string render_html(const RunRecord& run, std::size_t timeline_rows_max = 5000);
/// The grade in words: "not checked" of an account that has none, "-" while it is still on its way
/// there.
[[nodiscard]] std::string grade_words(const AccountRecord& account);
/// "2026-09-21T14:13:20Z  held for 1.9 s, moved to the target; carried: 3 messages".
[[nodiscard]] std::string show_hold(const HoldMoment& hold);
/// The same as a table for a terminal; with a time line also each account's holds.
[[nodiscard]] std::string render_text(const RunRecord& run);
/// `{"format":1,"run":…,"accounts":[…],…}`, every member always present, null when not known.
[[nodiscard]] ir::Value to_document(const RunRecord& run);

}  // namespace plan::report
