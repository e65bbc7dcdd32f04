#include "compiler/syntax/scalar.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <utility>

namespace plan::syntax {
namespace {

using Unit = std::pair<std::string_view, std::uint64_t>;

constexpr std::array kDurations = {Unit{"ms", 1}, Unit{"s", 1000}, Unit{"m", 60'000},
                                   Unit{"h", 3'600'000}, Unit{"d", 86'400'000}};
constexpr std::array kSizes = {Unit{"B", 1},
                               Unit{"KiB", 1ULL << 10U},
                               Unit{"MiB", 1ULL << 20U},
                               Unit{"GiB", 1ULL << 30U},
                               Unit{"TiB", 1ULL << 40U},
                               Unit{"kB", 1000},
                               Unit{"MB", 1'000'000},
                               Unit{"GB", 1'000'000'000},
                               Unit{"TB", 1'000'000'000'000}};

template <std::size_t N>
std::optional<std::uint64_t> read_quantity(std::string_view text,
                                           const std::array<Unit, N>& units) {
  std::uint64_t count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  if (error != std::errc()) return std::nullopt;
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  for (const auto& [name, factor] : units) {
    if (unit != name) continue;
    if (count > static_cast<std::uint64_t>(INT64_MAX) / factor) return std::nullopt;
    return count * factor;
  }
  return std::nullopt;
}

template <std::size_t N>
bool has_unit(std::string_view unit, const std::array<Unit, N>& units) {
  return std::any_of(units.begin(), units.end(),
                     [&](const Unit& one) { return one.first == unit; });
}

bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::optional<double> read_fraction(std::string_view text) {
  std::size_t i = !text.empty() && text.front() == '-' ? 1 : 0;
  const std::size_t whole = i;
  while (i < text.size() && is_digit(text[i])) ++i;
  if (i == whole || i + 1 >= text.size() || text[i] != '.') return std::nullopt;
  for (std::size_t j = i + 1; j < text.size(); ++j) {
    if (!is_digit(text[j])) return std::nullopt;
  }
  if (text.size() > 40) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

/// Takes `count` digits from the front of `text`.
std::optional<int> take_digits(std::string_view& text, std::size_t count) {
  if (text.size() < count) return std::nullopt;
  int value = 0;
  for (const char c : text.substr(0, count)) {
    if (!is_digit(c)) return std::nullopt;
    value = value * 10 + (c - '0');
  }
  text.remove_prefix(count);
  return value;
}

bool take(std::string_view& text, char wanted) {
  if (text.empty() || text.front() != wanted) return false;
  text.remove_prefix(1);
  return true;
}

/// "Z", "+01:00": minutes east of Greenwich.
std::optional<int> read_zone(std::string_view text) {
  if (text == "Z") return 0;
  const int sign = text.starts_with('-') ? -1 : 1;
  if (!take(text, '+') && !take(text, '-')) return std::nullopt;
  const auto hours = take_digits(text, 2);
  if (!hours || !take(text, ':')) return std::nullopt;
  const auto minutes = take_digits(text, 2);
  if (!minutes || !text.empty() || *hours > 23 || *minutes > 59) return std::nullopt;
  return sign * (*hours * 60 + *minutes);
}

}  // namespace

std::optional<std::uint32_t> read_permille(std::string_view text) {
  if (!text.ends_with('%') || text.size() > 6) return std::nullopt;
  text.remove_suffix(1);
  const std::size_t point = text.find('.');
  const auto whole = read_integer(text.substr(0, point));
  if (!whole || *whole < 0 || *whole > 100) return std::nullopt;
  std::uint32_t permille = static_cast<std::uint32_t>(*whole) * 10;
  if (point != std::string_view::npos) {
    const std::string_view rest = text.substr(point + 1);
    if (rest.size() != 1 || !is_digit(rest.front())) return std::nullopt;
    permille += static_cast<std::uint32_t>(rest.front() - '0');
  }
  if (permille > 1000) return std::nullopt;
  return permille;
}

std::optional<std::int64_t> read_time_ms(std::string_view text) {
  namespace chrono = std::chrono;
  const auto year = take_digits(text, 4);
  if (!year || *year < 1970 || *year > 2999 || !take(text, '-')) return std::nullopt;
  const auto month = take_digits(text, 2);
  if (!month || !take(text, '-')) return std::nullopt;
  const auto day = take_digits(text, 2);
  if (!day || !take(text, 'T')) return std::nullopt;
  const auto hour = take_digits(text, 2);
  if (!hour || *hour > 23 || !take(text, ':')) return std::nullopt;
  const auto minute = take_digits(text, 2);
  if (!minute || *minute > 59) return std::nullopt;
  int second = 0;
  if (take(text, ':')) {
    const auto seconds = take_digits(text, 2);
    if (!seconds || *seconds > 59) return std::nullopt;
    second = *seconds;
  }
  const auto zone = read_zone(text);
  const chrono::year_month_day date{chrono::year(*year),
                                    chrono::month(static_cast<unsigned>(*month)),
                                    chrono::day(static_cast<unsigned>(*day))};
  if (!zone || !date.ok()) return std::nullopt;
  const auto moment = chrono::sys_days(date) + chrono::hours(*hour) + chrono::minutes(*minute) +
                      chrono::seconds(second) - chrono::minutes(*zone);
  return chrono::duration_cast<chrono::milliseconds>(moment.time_since_epoch()).count();
}

std::optional<std::uint64_t> read_duration_ms(std::string_view text) {
  return read_quantity(text, kDurations);
}

std::optional<std::uint64_t> read_bytes(std::string_view text) {
  return read_quantity(text, kSizes);
}

bool is_too_large(std::string_view text) {
  std::string_view rest = text.starts_with('-') ? text.substr(1) : text;
  const std::size_t digits = std::min(rest.find_first_not_of("0123456789"), rest.size());
  if (digits == 0) return false;
  const std::string_view unit = rest.substr(digits);
  if (unit.empty()) return rest.front() != '0' && !read_integer(text);
  if (rest.size() != text.size() || (!has_unit(unit, kDurations) && !has_unit(unit, kSizes)))
    return false;
  return !read_duration_ms(text) && !read_bytes(text);
}

std::optional<std::int64_t> read_integer(std::string_view text) {
  const std::string_view digits = text.starts_with('-') ? text.substr(1) : text;
  if (digits.empty() || (digits.size() > 1 && digits.front() == '0')) return std::nullopt;
  for (const char c : digits) {
    if (!is_digit(c)) return std::nullopt;
  }
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

ir::Value scalar_value(const Node& scalar) {
  if (scalar.is_null()) return {};
  if (scalar.is_quoted) return scalar.text;
  if (scalar.text == "true") return true;
  if (scalar.text == "false") return false;
  if (const auto integer = read_integer(scalar.text)) return *integer;
  if (const auto fraction = read_fraction(scalar.text)) return *fraction;
  return scalar.text;
}

}  // namespace plan::syntax
