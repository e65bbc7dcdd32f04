#include "runtime/net/imap/date.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <chrono>

#include "compiler/source/text.h"

namespace plan::net::imap {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

std::optional<int> digits(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || number < 0 ||
      text.front() == '-')
    return {};
  return number;
}

struct Fields {
  std::optional<int> year = {}, month = {}, day = {}, hour = {}, minute = {}, second = {};
  int zone_minutes = 0;
};

std::optional<InternalDate> assemble(const Fields& fields) {
  using namespace std::chrono;
  if (!fields.year || !fields.month || !fields.day || !fields.hour || !fields.minute ||
      !fields.second)
    return {};
  const year_month_day date(year(*fields.year), month(static_cast<unsigned>(*fields.month)),
                            day(static_cast<unsigned>(*fields.day)));
  if (!date.ok() || *fields.hour > 23 || *fields.minute > 59 || *fields.second > 60) return {};
  const std::int64_t days = sys_days(date).time_since_epoch().count();
  return InternalDate{.unix_seconds = days * 86400 + *fields.hour * 3600 + *fields.minute * 60 +
                                      *fields.second - std::int64_t{fields.zone_minutes} * 60,
                      .zone_minutes = fields.zone_minutes};
}

std::optional<int> zone(std::string_view text) {
  if (text.size() != 5 || (text[0] != '+' && text[0] != '-')) return {};
  const auto hours = digits(text.substr(1, 2));
  const auto minutes = digits(text.substr(3, 2));
  if (!hours || !minutes || *hours > 23 || *minutes > 59) return {};
  return (text[0] == '-' ? -1 : 1) * (*hours * 60 + *minutes);
}

struct Civil {
  int year = 0;
  unsigned month = 0, day = 0;
  int hour = 0, minute = 0, second = 0;
};

Civil civil_of(std::int64_t local_seconds) {
  using namespace std::chrono;
  const auto days_since = floor<days>(seconds(local_seconds));
  const year_month_day date{sys_days(days_since)};
  const auto left = static_cast<int>(local_seconds - days_since.count() * std::int64_t{86400});
  return {static_cast<int>(date.year()),
          static_cast<unsigned>(date.month()),
          static_cast<unsigned>(date.day()),
          left / 3600,
          left / 60 % 60,
          left % 60};
}

}  // namespace

std::string InternalDate::rfc3339() const {
  const Civil at = civil_of(unix_seconds + zone_minutes * 60);
  std::string text = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", at.year, at.month, at.day,
                                 at.hour, at.minute, at.second);
  if (zone_minutes == 0) return text + "Z";
  const int minutes = zone_minutes < 0 ? -zone_minutes : zone_minutes;
  return text +
         fmt::format("{}{:02}:{:02}", zone_minutes < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

std::string InternalDate::imap() const {
  const Civil at = civil_of(unix_seconds + zone_minutes * 60);
  const int minutes = zone_minutes < 0 ? -zone_minutes : zone_minutes;
  return fmt::format("{:2}-{}-{:04} {:02}:{:02}:{:02} {}{:02}{:02}", at.day, kMonths[at.month - 1],
                     at.year, at.hour, at.minute, at.second, zone_minutes < 0 ? '-' : '+',
                     minutes / 60, minutes % 60);
}

std::optional<InternalDate> parse_internal_date(std::string_view text) {
  text = trim(text);
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos || dash > 2 || text.size() != dash + 24) return {};
  const std::string_view rest = text.substr(dash + 1);  // May-2025 10:00:00 +0200
  if (rest[3] != '-' || rest[8] != ' ' || rest[11] != ':' || rest[14] != ':' || rest[17] != ' ')
    return {};
  Fields fields{.year = digits(rest.substr(4, 4)),
                .day = digits(text.substr(0, dash)),
                .hour = digits(rest.substr(9, 2)),
                .minute = digits(rest.substr(12, 2)),
                .second = digits(rest.substr(15, 2))};
  for (std::size_t index = 0; index < kMonths.size(); ++index)
    if (equals_ignoring_case(rest.substr(0, 3), kMonths[index]))
      fields.month = static_cast<int>(index) + 1;
  const auto offset = zone(rest.substr(18));
  if (!offset) return {};
  fields.zone_minutes = *offset;
  return assemble(fields);
}

std::optional<InternalDate> parse_rfc3339(std::string_view text) {
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || text[13] != ':' || text[16] != ':' ||
      (text[10] != 'T' && text[10] != 't' && text[10] != ' '))
    return {};
  Fields fields{.year = digits(text.substr(0, 4)),
                .month = digits(text.substr(5, 2)),
                .day = digits(text.substr(8, 2)),
                .hour = digits(text.substr(11, 2)),
                .minute = digits(text.substr(14, 2)),
                .second = digits(text.substr(17, 2))};
  std::string_view rest = text.substr(19);
  if (rest.starts_with('.')) {
    const std::size_t end = rest.find_first_not_of("0123456789", 1);
    if (end == 1 || end == std::string_view::npos) return {};
    rest.remove_prefix(end);
  }
  if (rest == "Z" || rest == "z") return assemble(fields);
  if (rest.size() != 6 || rest[3] != ':') return {};
  const std::string compact = std::string(rest.substr(0, 3)) + std::string(rest.substr(4));
  const auto offset = zone(compact);
  if (!offset) return {};
  fields.zone_minutes = *offset;
  return assemble(fields);
}

}  // namespace plan::net::imap
