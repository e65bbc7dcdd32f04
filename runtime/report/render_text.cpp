#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include "compiler/source/text.h"
#include "runtime/net/clock.h"
#include "runtime/report/run_record.h"

namespace plan::report {
namespace {

/// Members of AccountRecord::calendars that are numbers, and how they are called.
constexpr std::array<std::pair<std::string_view, std::string_view>, 13> kCalendarCounts = {{
    {"calendars", "calendars"},
    {"events", "events"},
    {"address_books", "address books"},
    {"cards", "cards"},
    {"tasks", "tasks not carried"},
    {"journals", "journals not carried"},
    {"busy_times", "lists of busy times not carried"},
    {"unread", "unreadable texts not carried"},
    {"refused", "entries refused"},
    {"shared", "calendars and address books whose sharing is not carried"},
    {"shared_with", "others who saw them"},
    {"of_others", "calendars and address books of others"},
    {"subscriptions", "subscriptions not carried"},
}};

std::string count_or_dash(const std::optional<std::uint64_t>& count) {
  return count ? show_count(*count) : "-";
}

/// Columns as wide as their widest cell; numbers to the right.
std::string table(const std::vector<std::vector<std::string>>& rows,
                  const std::vector<bool>& is_right) {
  std::vector<std::size_t> widths(is_right.size(), 0);
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      widths[i] = std::max(widths[i], display_width(row[i]));
    }
  }
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      const std::string pad(widths[i] - display_width(row[i]), ' ');
      if (i > 0) line += "  ";
      line += is_right[i] ? pad + row[i] : row[i] + pad;
    }
    while (!line.empty() && line.back() == ' ') line.pop_back();
    out += line + "\n";
  }
  return out;
}

/// What was carried besides mail and what was not, of each account and in all.
std::string calendar_lines(const RunRecord& run) {
  std::string out;
  std::map<std::string_view, std::uint64_t> sums;
  for (const AccountRecord& account : run.accounts) {
    if (!account.calendars.is_map()) continue;
    const std::string left(account.calendars["not_carried"].string_or(""));
    out += fmt::format("  {}: {}{}\n", printable(account.account, 200),
                       printable(account.calendars["carried"].string_or(""), 300),
                       left.empty() ? "" : "; not carried: " + printable(left, 400));
    for (const auto& [name, label] : kCalendarCounts)
      sums[name] += static_cast<std::uint64_t>(
          std::max<std::int64_t>(0, account.calendars[name].integer_or(0)));
  }
  if (out.empty()) return out;
  std::string all;
  for (const auto& [name, label] : kCalendarCounts)
    if (sums[name] > 0)
      all += fmt::format("{}{} {}", all.empty() ? "" : ", ", label, show_count(sums[name]));
  return fmt::format("\ncalendars and contacts\n{}  in all: {}\n", out, all.empty() ? "none" : all);
}

/// When each account was held, how long, and what was carried meanwhile; where the record has it.
std::string hold_lines(const RunRecord& run) {
  std::string out;
  for (const AccountRecord& account : run.accounts) {
    if (account.holds.empty()) continue;
    out += fmt::format("\n{}\n", printable(account.account, 200));
    if (account.copied_at_ms) {
      out += fmt::format("  {}  copied: {} messages, {}\n", net::show_utc(*account.copied_at_ms),
                         count_or_dash(account.messages),
                         account.bytes ? show_bytes(*account.bytes) : "-");
    }
    for (const HoldMoment& hold : account.holds) out += fmt::format("  {}\n", show_hold(hold));
  }
  return out.empty() ? out : "\nwhen each account was held\n" + out;
}

}  // namespace

std::string grade_words(const AccountRecord& account) {
  if (!account.not_checked.empty()) {
    std::string parts;
    for (const std::string& part : account.not_checked) parts += (parts.empty() ? "" : ", ") + part;
    return fmt::format("mail {}, not checked: {}", account.mail_grade, parts);
  }
  if (!account.grade.empty()) return account.grade;
  const bool is_on_its_way =
      account.state == "waiting" || account.state == "copying" || account.state == "held";
  return is_on_its_way ? "-" : "not checked";
}

std::string show_hold(const HoldMoment& hold) {
  std::string line = net::show_utc(hold.begun_ms) + "  held";
  if (!hold.ended_ms) return line + ", still is";
  line += " for " + show_duration_ms(static_cast<std::uint64_t>(
                        std::max<std::int64_t>(0, *hold.ended_ms - hold.begun_ms)));
  line += hold.is_committed ? ", moved to the target" : ", given back to the source";
  if (!hold.carried.empty()) line += "; carried: " + printable(hold.carried, 600);
  return line;
}

std::string render_text(const RunRecord& run) {
  std::string out = fmt::format("{}: {}{} (run {}, since {})\n", printable(run.plan_name, 200),
                                run.is_rollback ? "rollback " : "", run.state, run.run_id,
                                net::show_utc(run.started_ms));
  out += fmt::format("{} of {} steps done", show_count(run.done), show_count(run.steps));
  if (run.failed > 0) out += fmt::format(", {} failed", show_count(run.failed));
  out += "\n";
  if (run.is_paused) out += "paused: nothing begins until plan resume\n";
  for (const ThrottleRecord& throttle : run.throttles) {
    const std::string host = printable(throttle.host, 100);
    if (throttle.connections > 0)
      out += fmt::format(
          "throttled: at most {} {} at a time on the {} until plan throttle --host {} "
          "--connections 0\n",
          show_count(throttle.connections), throttle.connections == 1 ? "step" : "steps", host,
          host);
    if (throttle.bytes_per_second > 0)
      out += fmt::format(
          "throttled: copying takes at most {} a second of the {} until plan throttle --host {} "
          "--rate 0\n",
          show_bytes(throttle.bytes_per_second), host, host);
  }
  if (!run.waves.empty()) {
    std::vector<std::vector<std::string>> rows = {{"wave", "accounts", "moved", "failed"}};
    for (const WaveRecord& wave : run.waves) {
      rows.push_back({printable(wave.wave, 100), show_count(wave.accounts), show_count(wave.moved),
                      show_count(wave.failed)});
    }
    out += "\n" + table(rows, {false, true, true, true});
  }
  if (!run.accounts.empty()) {
    std::vector<std::vector<std::string>> rows = {
        {"account", "wave", "state", "grade", "messages", "carried", "stragglers", "hold"}};
    for (const AccountRecord& account : run.accounts) {
      rows.push_back({printable(account.account, 200), printable(account.wave, 100), account.state,
                      printable(grade_words(account), 80), count_or_dash(account.messages),
                      count_or_dash(account.carried), count_or_dash(account.stragglers),
                      account.held_ms ? show_duration_ms(*account.held_ms) : "-"});
    }
    out += "\n" + table(rows, {false, false, false, false, true, true, true, true});
  }
  out += calendar_lines(run);
  if (!run.timeline.empty()) out += hold_lines(run);
  if (!run.points.empty()) {
    out += "\nrollback points reached:";
    for (std::size_t i = 0; i < run.points.size(); ++i)
      out += (i == 0 ? " " : ", ") + printable(run.points[i], 100);
    out += "\n";
  }
  for (const Failure& failure : run.failures) {
    out += fmt::format("\n{}: {}\n", printable(failure.step, 300), printable(failure.message));
    if (!failure.place.empty()) out += fmt::format("  from {}\n", failure.place);
    if (!failure.remedy.empty()) out += fmt::format("  help: {}\n", failure.remedy);
  }
  for (const std::string& subject : run.approvals_needed) {
    out += fmt::format("\nwaits for: plan approve {}\n", printable(approval_name(subject), 300));
  }
  return out;
}

}  // namespace plan::report
