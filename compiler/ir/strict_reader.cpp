#include "compiler/ir/strict_reader.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"

namespace plan::ir {
namespace {

constexpr std::size_t kNameBytes = 80;
constexpr std::size_t kValueBytes = 60;
constexpr std::uint64_t kIntegerMax = INT64_MAX;

/// What of a value shows that it is another one: texts and numbers themselves, of all else its
/// kind.
std::string shown(const Value& value) {
  if (value.is_list()) return fmt::format("a list of {}", show_count(value.size()));
  if (value.is_map()) return "an object";
  if (value.is_string())
    return fmt::format("the text \"{}\"", printable(value.as_string(), kValueBytes));
  if (value.is_secret() || value.is_output()) return "a reference";
  return canonical_json(value);
}

std::string number_words(std::uint64_t least, std::uint64_t most) {
  if (most >= kIntegerMax) return fmt::format("a whole number from {}", show_count(least));
  return fmt::format("a whole number from {} to {}", show_count(least), show_count(most));
}

std::string list_words(std::size_t least, std::size_t most) {
  if (least == most) return fmt::format("a list of {}", show_count(least));
  if (most == SIZE_MAX) return least == 0 ? "a list" : "a list that is not empty";
  if (least == 0) return fmt::format("a list of at most {}", show_count(most));
  return fmt::format("a list of {} to {}", show_count(least), show_count(most));
}

}  // namespace

std::string Place::text() const {
  const std::string around = around_ == nullptr ? std::string() : around_->text();
  if (at_) return fmt::format("{}[{}]", around, *at_);
  const std::string name = printable(name_, kNameBytes);
  return around.empty() ? name : fmt::format("{}.{}", around, name);
}

void StrictReader::refuse(std::string words) {
  if (!refusal_) refusal_ = std::move(words);
}

void StrictReader::refuse(const Place& place, const Value& value, std::string_view wanted) {
  if (is_refused()) return;
  refuse(fmt::format("`{}` is {}, and has to be {}", place.text(), shown(value), wanted));
}

void StrictReader::object(const Value& value, Names required, Names optional, const Place& place) {
  if (is_refused()) return;
  if (!value.is_map()) return refuse(place, value, "an object");
  for (const std::string_view name : required) {
    if (!value.members().contains(name))
      return refuse(fmt::format("`{}` is missing", place.member(name).text()));
  }
  const auto is_in = [](Names names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
  };
  for (const auto& [name, unused] : value.members()) {
    if (!is_in(required, name) && !is_in(optional, name))
      return refuse(
          fmt::format("`{}` is there, which plan does not write", place.member(name).text()));
  }
}

void StrictReader::object_or_null(const Value& value, const Place& place) {
  if (!value.is_map() && !value.is_null()) refuse(place, value, "an object or null");
}

const List& StrictReader::list(const Value& value, std::size_t least, std::size_t most,
                               const Place& place) {
  static const List kNone;
  if (is_refused()) return kNone;
  if (value.is_list() && value.size() >= least && value.size() <= most) return value.items();
  refuse(place, value, list_words(least, most));
  return kNone;
}

const List& StrictReader::list(const Value& value, const Place& place) {
  return list(value, 0, SIZE_MAX, place);
}

std::string StrictReader::text(const Value& value, const Place& place) {
  if (value.is_string()) return value.as_string();
  refuse(place, value, "a text");
  return {};
}

bool StrictReader::flag(const Value& value, const Place& place) {
  if (!value.is_bool()) refuse(place, value, "true or false");
  return value.bool_or(false);
}

std::uint64_t StrictReader::count(const Value& value, std::uint64_t least, std::uint64_t most,
                                  const Place& place) {
  const std::int64_t number = value.integer_or(-1);
  if (number >= 0 && static_cast<std::uint64_t>(number) >= least &&
      static_cast<std::uint64_t>(number) <= most)
    return static_cast<std::uint64_t>(number);
  if (!is_refused()) refuse(place, value, number_words(least, most));
  return least;
}

std::optional<std::uint64_t> StrictReader::measured(const Value& value, const Place& place) {
  if (value.is_null()) return std::nullopt;
  if (value.is_integer() && value.as_integer() >= 0)
    return static_cast<std::uint64_t>(value.as_integer());
  refuse(place, value, "a whole number from 0, or null");
  return std::nullopt;
}

}  // namespace plan::ir
