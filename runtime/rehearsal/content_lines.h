#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "compiler/ir/value.h"

namespace plan::rehearsal {

/// One line of a vCard or iCalendar text (RFC 6350, 3.3; RFC 5545, 3.1), unfolded. Names of
/// properties and parameters are in lower case, the value is as it stands.
struct ContentLine {
  std::string name = {};
  std::vector<std::pair<std::string, std::string>> parameters = {};
  std::string value = {};
  [[nodiscard]] std::string_view parameter(std::string_view wanted) const;
  /// Has the parameter `wanted` the word, alone or in a list? Without regard to case.
  [[nodiscard]] bool has(std::string_view wanted, std::string_view word) const;
};

/// At most 100,000 lines; lines without a colon are left out. Groups ("item1.EMAIL") are dropped.
[[nodiscard]] std::vector<ContentLine> content_lines(std::string_view text);

/// The value with `\n`, `\,`, `\;` and `\\` undone.
[[nodiscard]] std::string unescaped(std::string_view value);
/// Splits at `mark` where no backslash is before it; the pieces are unescaped.
[[nodiscard]] std::vector<std::string> split_value(std::string_view value, char mark);

/// ContactCard/parse: the first vCard of a text as JSContact (RFC 9555). What has no place there is
/// in `vCard/properties`. Nothing: no vCard.
[[nodiscard]] std::optional<ir::Value> card_of_vcard(std::string_view text);
/// CalendarEvent/parse: the events of a text as a list of JSCalendar objects. Nothing: no calendar
/// with an event.
[[nodiscard]] std::optional<ir::Value> events_of_icalendar(std::string_view text);

/// The other direction, for what is read over DAV: one event as iCalendar, one card as vCard.
[[nodiscard]] std::string icalendar_of_event(const ir::Value& event);
[[nodiscard]] std::string vcard_of_card(const ir::Value& card);

}  // namespace plan::rehearsal
