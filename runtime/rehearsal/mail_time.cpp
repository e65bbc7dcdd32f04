// The three spellings of a time that mail protocols use. All are UTC seconds inside.
#include <array>
#include <charconv>
#include <cstdio>

#include "compiler/source/text.h"
#include "runtime/rehearsal/message.h"

namespace plan::rehearsal {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
constexpr std::array<std::string_view, 7> kDays = {"Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"};

// Days since 1970-01-01 of a civil date, and back (proleptic Gregorian calendar, years counted from
// March).
std::int64_t days_of(std::int64_t year, unsigned month, unsigned day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = (year >= 0 ? year : year - 399) / 400;
  const std::int64_t of_era = year - era * 400;
  const std::int64_t of_year =
      (153 * (static_cast<std::int64_t>(month) + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

struct Civil {
  std::int64_t year = 0;
  unsigned month = 0;
  unsigned day = 0;
  unsigned hour = 0;
  unsigned minute = 0;
  unsigned second = 0;
  std::int64_t days = 0;
};

Civil civil_of(std::int64_t seconds) {
  Civil civil;
  civil.days = (seconds >= 0 ? seconds : seconds - 86399) / 86400;
  const auto rest = static_cast<unsigned>(seconds - civil.days * 86400);
  civil.hour = rest / 3600;
  civil.minute = rest / 60 % 60;
  civil.second = rest % 60;
  const std::int64_t shifted = civil.days + 719468;
  const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146096) / 146097;
  const std::int64_t of_era = shifted - era * 146097;
  const std::int64_t year = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
  const std::int64_t of_year = of_era - (365 * year + year / 4 - year / 100);
  const std::int64_t month = (5 * of_year + 2) / 153;
  civil.day = static_cast<unsigned>(of_year - (153 * month + 2) / 5 + 1);
  civil.month = static_cast<unsigned>(month < 10 ? month + 3 : month - 9);
  civil.year = year + era * 400 + (civil.month <= 2 ? 1 : 0);
  return civil;
}

struct Scanner {
  std::string_view text = {};
  void skip_blanks() {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t' || text.front() == '\r' ||
                             text.front() == '\n'))
      text.remove_prefix(1);
  }
  bool take(char c) {
    if (text.empty() || text.front() != c) return false;
    text.remove_prefix(1);
    return true;
  }
  std::optional<unsigned> digits(std::size_t min, std::size_t max) {
    std::size_t size = 0;
    while (size < text.size() && size < max && text[size] >= '0' && text[size] <= '9') ++size;
    if (size < min) return std::nullopt;
    unsigned number = 0;
    std::from_chars(text.data(), text.data() + size, number);
    text.remove_prefix(size);
    return number;
  }
  std::optional<unsigned> month() {
    if (text.size() < 3) return std::nullopt;
    for (unsigned i = 0; i < kMonths.size(); ++i) {
      if (!equals_ignoring_case(text.substr(0, 3), kMonths[i])) continue;
      text.remove_prefix(3);
      return i + 1;
    }
    return std::nullopt;
  }
  // +0200, -0130; names other than those of UTC are read as UTC (RFC 5322, 4.3).
  std::optional<std::int64_t> offset() {
    skip_blanks();
    if (text.empty()) return 0;
    const bool minus = text.front() == '-';
    if (!take('+') && !take('-')) return 0;
    const auto number = digits(4, 4);
    if (!number) return std::nullopt;
    const std::int64_t seconds = static_cast<std::int64_t>(*number / 100) * 3600 +
                                 static_cast<std::int64_t>(*number % 100) * 60;
    return minus ? -seconds : seconds;
  }
};

bool is_plausible(unsigned month, unsigned day, unsigned hour, unsigned minute, unsigned second) {
  return month >= 1 && month <= 12 && day >= 1 && day <= 31 && hour < 24 && minute < 60 &&
         second <= 60;
}

std::int64_t seconds_of(std::int64_t year, unsigned month, unsigned day, unsigned hour,
                        unsigned minute, unsigned second) {
  return days_of(year, month, day) * 86400 + static_cast<std::int64_t>(hour) * 3600 +
         static_cast<std::int64_t>(minute) * 60 + second;
}

template <class... Arguments>
std::string format(const char* pattern, Arguments... arguments) {
  std::array<char, 64> buffer{};
  const int size = std::snprintf(buffer.data(), buffer.size(), pattern, arguments...);
  return {buffer.data(), static_cast<std::size_t>(size < 0 ? 0 : size)};
}

}  // namespace

std::optional<std::int64_t> parse_rfc3339(std::string_view text) {
  Scanner scan{text};
  const auto year = scan.digits(4, 4);
  if (!year || !scan.take('-')) return std::nullopt;
  const auto month = scan.digits(2, 2);
  if (!month || !scan.take('-')) return std::nullopt;
  const auto day = scan.digits(2, 2);
  if (!day || (!scan.take('T') && !scan.take('t') && !scan.take(' '))) return std::nullopt;
  const auto hour = scan.digits(2, 2);
  if (!hour || !scan.take(':')) return std::nullopt;
  const auto minute = scan.digits(2, 2);
  if (!minute || !scan.take(':')) return std::nullopt;
  const auto second = scan.digits(2, 2);
  if (!second || !is_plausible(*month, *day, *hour, *minute, *second)) return std::nullopt;
  if (scan.take('.') && !scan.digits(1, 12)) return std::nullopt;
  std::int64_t offset = 0;
  if (!scan.text.empty() && !scan.take('Z') && !scan.take('z')) {
    const bool minus = scan.text.front() == '-';
    if (!scan.take('+') && !scan.take('-')) return std::nullopt;
    const auto hours = scan.digits(2, 2);
    if (!hours || !scan.take(':')) return std::nullopt;
    const auto minutes = scan.digits(2, 2);
    if (!minutes) return std::nullopt;
    offset = (static_cast<std::int64_t>(*hours) * 3600 + static_cast<std::int64_t>(*minutes) * 60) *
             (minus ? -1 : 1);
  }
  if (!scan.text.empty()) return std::nullopt;
  return seconds_of(*year, *month, *day, *hour, *minute, *second) - offset;
}

std::string show_rfc3339(std::int64_t seconds) {
  const Civil civil = civil_of(seconds);
  return format("%04lld-%02u-%02uT%02u:%02u:%02uZ", static_cast<long long>(civil.year), civil.month,
                civil.day, civil.hour, civil.minute, civil.second);
}

std::optional<std::int64_t> parse_mail_date(std::string_view value) {
  Scanner scan{value};
  scan.skip_blanks();
  if (const std::size_t comma = scan.text.find(','); comma != std::string_view::npos && comma < 12)
    scan.text.remove_prefix(comma + 1);
  scan.skip_blanks();
  const auto day = scan.digits(1, 2);
  scan.skip_blanks();
  const auto month = day ? scan.month() : std::nullopt;
  scan.skip_blanks();
  auto year = month ? scan.digits(2, 4) : std::nullopt;
  scan.skip_blanks();
  const auto hour = year ? scan.digits(1, 2) : std::nullopt;
  if (!hour || !scan.take(':')) return std::nullopt;
  const auto minute = scan.digits(1, 2);
  if (!minute) return std::nullopt;
  unsigned second = 0;
  if (scan.take(':')) {
    const auto found = scan.digits(1, 2);
    if (!found) return std::nullopt;
    second = *found;
  }
  const auto offset = scan.offset();
  if (!offset || !is_plausible(*month, *day, *hour, *minute, second)) return std::nullopt;
  if (*year < 50)
    *year += 2000;
  else if (*year < 1000)
    *year += 1900;
  return seconds_of(*year, *month, *day, *hour, *minute, second) - *offset;
}

std::optional<std::int64_t> parse_imap_date(std::string_view text) {
  Scanner scan{text};
  scan.skip_blanks();
  const auto day = scan.digits(1, 2);
  if (!day || !scan.take('-')) return std::nullopt;
  const auto month = scan.month();
  if (!month || !scan.take('-')) return std::nullopt;
  const auto year = scan.digits(4, 4);
  if (!year || !scan.take(' ')) return std::nullopt;
  const auto hour = scan.digits(2, 2);
  if (!hour || !scan.take(':')) return std::nullopt;
  const auto minute = scan.digits(2, 2);
  if (!minute || !scan.take(':')) return std::nullopt;
  const auto second = scan.digits(2, 2);
  if (!second || !is_plausible(*month, *day, *hour, *minute, *second)) return std::nullopt;
  const auto offset = scan.offset();
  if (!offset || !scan.text.empty()) return std::nullopt;
  return seconds_of(*year, *month, *day, *hour, *minute, *second) - *offset;
}

std::string show_imap_date(std::int64_t seconds) {
  const Civil civil = civil_of(seconds);
  return format("%02u-%s-%04lld %02u:%02u:%02u +0000", civil.day, kMonths[civil.month - 1].data(),
                static_cast<long long>(civil.year), civil.hour, civil.minute, civil.second);
}

std::string show_mail_date(std::int64_t seconds) {
  const Civil civil = civil_of(seconds);
  const auto weekday = static_cast<std::size_t>(((civil.days % 7) + 7) % 7);
  return format("%s, %u %s %04lld %02u:%02u:%02u +0000", kDays[weekday].data(), civil.day,
                kMonths[civil.month - 1].data(), static_cast<long long>(civil.year), civil.hour,
                civil.minute, civil.second);
}

}  // namespace plan::rehearsal
