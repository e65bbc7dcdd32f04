#include "compiler/syntax/scalar.h"

#include <array>
#include <charconv>
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

}  // namespace

std::optional<std::uint64_t> read_duration_ms(std::string_view text) {
  return read_quantity(text, kDurations);
}

std::optional<std::uint64_t> read_bytes(std::string_view text) {
  return read_quantity(text, kSizes);
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
