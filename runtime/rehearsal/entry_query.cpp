#include "runtime/rehearsal/entry_query.h"

#include <algorithm>
#include <array>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/rehearsal/ids.h"
#include "runtime/rehearsal/message.h"

namespace plan::rehearsal {
namespace {

constexpr int kDepthMax = 16;

constexpr std::array<std::string_view, 14> kCardConditions = {
    "inAddressBook", "uid",  "hasMember", "kind",  "createdBefore", "createdAfter", "updatedBefore",
    "updatedAfter",  "text", "name",      "email", "phone",         "organization", "note"};
constexpr std::array<std::string_view, 9> kEventConditions = {
    "inCalendar", "uid", "after", "before", "text", "title", "description", "location", "owner"};

bool contains_text(const ir::Value& value, const std::string& wanted) {
  return lower_ascii(ir::write_json(value)).find(wanted) != std::string::npos;
}

// Local times compare as if they were UTC: the zone of the question is the zone of the answer.
std::optional<std::int64_t> local_seconds(std::string_view text) {
  return parse_rfc3339(text.ends_with('Z') ? std::string(text) : std::string(text) + "Z");
}

std::int64_t period_seconds(std::string_view frequency) {
  constexpr std::int64_t kDay = 86'400;
  if (frequency == "yearly") return 366 * kDay;
  if (frequency == "monthly") return 31 * kDay;
  if (frequency == "weekly") return 7 * kDay;
  if (frequency == "daily") return kDay;
  if (frequency == "hourly") return 3'600;
  return frequency == "minutely" ? 60 : 1;
}

// Does it happen between the two? A recurring event counts from its first to its last occurrence:
// which days between them it falls on is not looked at.
bool happens(const Entry& entry, const ir::Value& filter) {
  const auto start = local_seconds(entry.body["start"].string_or(""));
  if (!start) return false;
  std::int64_t end =
      *start + duration_seconds(entry.body["duration"].string_or("PT0S")).value_or(0);
  const ir::Value& rule = entry.body["recurrenceRule"];
  if (rule.is_map()) {
    const std::int64_t step = period_seconds(rule["frequency"].string_or("daily")) *
                              std::clamp<std::int64_t>(rule["interval"].integer_or(1), 1, 10'000);
    if (const auto until = local_seconds(rule["until"].string_or("")))
      end = std::max(end, *until);
    else if (rule["count"].is_integer())
      end += step * std::clamp<std::int64_t>(rule["count"].integer_or(1) - 1, 0, 100'000);
    else
      end = INT64_MAX;
  }
  if (filter["before"].is_string()) {
    const auto before = local_seconds(filter["before"].string_or(""));
    if (!before || *start >= *before) return false;
  }
  if (filter["after"].is_string()) {
    const auto after = local_seconds(filter["after"].string_or(""));
    if (!after || end <= *after) return false;
  }
  return true;
}

bool fits_one(const Entry& entry, std::string_view name, const ir::Value& value) {
  if (name == "uid") return entry.uid == value.string_or("");
  if (name == "inAddressBook" || name == "inCalendar") {
    const auto number = parse_id(value.string_or("!"));
    return number && entry.folders.contains(static_cast<std::uint32_t>(*number));
  }
  if (name == "hasMember") return entry.body["members"].members().contains(value.string_or(""));
  if (name == "kind") return entry.body["kind"].string_or("individual") == value.string_or("");
  if (name.ends_with("Before") || name.ends_with("After")) {
    const auto at = parse_rfc3339(entry.body[name.substr(0, 7)].string_or(""));
    const auto limit = parse_rfc3339(value.string_or(""));
    return at && limit && (name.ends_with("Before") ? *at < *limit : *at >= *limit);
  }
  const std::string wanted = lower_ascii(value.string_or(""));
  if (name == "text") return contains_text(entry.body, wanted);
  if (name == "email") return contains_text(entry.body["emails"], wanted);
  if (name == "phone") return contains_text(entry.body["phones"], wanted);
  if (name == "organization") return contains_text(entry.body["organizations"], wanted);
  if (name == "note") return contains_text(entry.body["notes"], wanted);
  if (name == "location") return contains_text(entry.body["locations"], wanted);
  if (name == "owner") return contains_text(entry.body["participants"], wanted);
  return contains_text(entry.body[name], wanted);
}

std::optional<std::string> unsupported(ShelfKind kind, const ir::Value& filter, int depth) {
  if (depth > kDepthMax) return "conditions";
  if (filter["operator"].is_string()) {
    for (const ir::Value& each : filter["conditions"].items())
      if (auto name = unsupported(kind, each, depth + 1)) return name;
    return std::nullopt;
  }
  for (const auto& [name, value] : filter.members()) {
    const bool is_known = kind == ShelfKind::contacts
                              ? std::find(kCardConditions.begin(), kCardConditions.end(), name) !=
                                    kCardConditions.end()
                              : std::find(kEventConditions.begin(), kEventConditions.end(), name) !=
                                    kEventConditions.end();
    if (!is_known) return name;
  }
  return std::nullopt;
}

bool fits(ShelfKind kind, const Entry& entry, const ir::Value& filter, int depth) {
  if (!filter.is_map() || depth > kDepthMax) return true;
  if (filter["operator"].is_string()) {
    const std::string_view word = filter["operator"].string_or("AND");
    const auto& conditions = filter["conditions"].items();
    const auto one = [&](const ir::Value& each) { return fits(kind, entry, each, depth + 1); };
    if (word == "OR") return std::any_of(conditions.begin(), conditions.end(), one);
    if (word == "NOT") return std::none_of(conditions.begin(), conditions.end(), one);
    return std::all_of(conditions.begin(), conditions.end(), one);
  }
  const bool has_window = filter["after"].is_string() || filter["before"].is_string();
  if (has_window && !happens(entry, filter)) return false;
  return std::all_of(filter.members().begin(), filter.members().end(), [&](const auto& each) {
    return each.first == "after" || each.first == "before" ||
           fits_one(entry, each.first, each.second);
  });
}

}  // namespace

std::optional<std::string> unsupported_filter(ShelfKind kind, const ir::Value& filter) {
  return unsupported(kind, filter, 0);
}

bool fits_filter(ShelfKind kind, const Entry& entry, const ir::Value& filter) {
  return fits(kind, entry, filter, 0);
}

std::optional<std::string> sort_entries(ShelfKind kind, std::vector<const Entry*>& entries,
                                        const ir::Value& sort) {
  const ir::Value& first = sort.item(0);
  const std::string property(first["property"].string_or(""));
  if (property.empty()) return std::nullopt;
  static constexpr std::array<std::string_view, 5> kKnown = {"uid", "created", "updated", "start",
                                                             "recurrenceId"};
  const bool is_known = std::find(kKnown.begin(), kKnown.end(), property) != kKnown.end();
  if (!is_known || (kind == ShelfKind::contacts && property == "start")) return property;
  const bool is_ascending = first["isAscending"].bool_or(true);
  std::stable_sort(entries.begin(), entries.end(), [&](const Entry* left, const Entry* right) {
    const std::string_view a = left->body[property].string_or("");
    const std::string_view b = right->body[property].string_or("");
    return is_ascending ? a < b : b < a;
  });
  return std::nullopt;
}

std::optional<std::int64_t> duration_seconds(std::string_view text) {
  if (!text.starts_with('P')) return std::nullopt;
  std::int64_t total = 0;
  std::int64_t number = 0;
  bool has_number = false;
  bool is_time = false;
  for (const char c : text.substr(1)) {
    if (c >= '0' && c <= '9') {
      number = number * 10 + (c - '0');
      has_number = true;
      if (number > 1'000'000'000) return std::nullopt;
      continue;
    }
    if (c == 'T' && !has_number) {
      is_time = true;
      continue;
    }
    std::int64_t unit = 0;
    if (c == 'W') unit = 604'800;
    if (c == 'D') unit = 86'400;
    if (c == 'H' && is_time) unit = 3'600;
    if (c == 'M' && is_time) unit = 60;
    if (c == 'S' && is_time) unit = 1;
    if (unit == 0 || !has_number) return std::nullopt;
    total += number * unit;
    number = 0;
    has_number = false;
  }
  if (has_number) return std::nullopt;
  return total;
}

}  // namespace plan::rehearsal
