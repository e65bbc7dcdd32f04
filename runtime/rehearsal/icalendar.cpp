// iCalendar events to JSCalendar, as far as calendars of people use it (RFC 5545, RFC 8984).
#include <array>
#include <charconv>

#include "compiler/source/text.h"
#include "runtime/rehearsal/content_lines.h"
#include "runtime/rehearsal/message.h"

namespace plan::rehearsal {
namespace {

struct Moment {
  std::string local = {};  ///< 2026-12-01T10:00:00
  std::string zone = {};   ///< empty: floating
  bool is_date = false;
};

std::string part_of(std::string_view text, std::size_t at, std::size_t count) {
  return std::string(text.substr(at, count));
}

// 20261201T100000Z, 20261201T100000 with TZID, 20261201 with VALUE=DATE.
std::optional<Moment> read_moment(const ContentLine& line, std::string_view text) {
  const auto are_digits = [text](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i)
      if (text[i] < '0' || text[i] > '9') return false;
    return true;
  };
  Moment out;
  if (text.size() < 8 || !are_digits(0, 8)) return std::nullopt;
  out.local = part_of(text, 0, 4) + "-" + part_of(text, 4, 2) + "-" + part_of(text, 6, 2) + "T";
  if (text.size() == 8) {
    out.is_date = true;
    out.local += "00:00:00";
    return out;
  }
  if (text.size() < 15 || text[8] != 'T' || !are_digits(9, 15)) return std::nullopt;
  out.local += part_of(text, 9, 2) + ":" + part_of(text, 11, 2) + ":" + part_of(text, 13, 2);
  out.zone = text.size() > 15 && text[15] == 'Z' ? "Etc/UTC" : std::string(line.parameter("tzid"));
  return out;
}

std::string show_duration(std::int64_t seconds, bool is_date) {
  std::string out = "P";
  if (const std::int64_t days = seconds / 86'400; days > 0) out += std::to_string(days) + "D";
  seconds %= 86'400;
  if (seconds == 0 && (out.size() > 1 || is_date)) return out.size() > 1 ? out : "P0D";
  out += "T";
  if (seconds >= 3'600) out += std::to_string(seconds / 3'600) + "H";
  if (seconds % 3'600 >= 60) out += std::to_string(seconds % 3'600 / 60) + "M";
  if (seconds % 60 > 0 || out.ends_with('T')) out += std::to_string(seconds % 60) + "S";
  return out;
}

ir::Value recurrence_rule(std::string_view text) {
  ir::Value out = ir::Value::map({{"@type", "RecurrenceRule"}});
  for (const std::string_view pair : split(text, ';')) {
    const std::size_t equals = pair.find('=');
    if (equals == std::string_view::npos) continue;
    const std::string name = lower_ascii(pair.substr(0, equals));
    const std::string_view value = pair.substr(equals + 1);
    const auto number_of = [](std::string_view digits) {
      std::int64_t number = 0;
      if (digits.starts_with('+')) digits.remove_prefix(1);
      std::from_chars(digits.data(), digits.data() + digits.size(), number);
      return number;
    };
    const auto numbers = [&] {
      ir::Value list = ir::Value::list();
      for (const std::string_view each : split(value, ',')) list.push_back(number_of(each));
      return list;
    };
    if (name == "freq") out.set("frequency", lower_ascii(value));
    if (name == "interval" || name == "count") out.set(name, number_of(value));
    if (name == "until")
      if (const auto until = read_moment({}, value)) out.set("until", until->local);
    if (name == "wkst") out.set("firstDayOfWeek", lower_ascii(value));
    if (name == "bymonthday") out.set("byMonthDay", numbers());
    if (name == "byyearday") out.set("byYearDay", numbers());
    if (name == "byweekno") out.set("byWeekNo", numbers());
    if (name == "bysetpos") out.set("bySetPosition", numbers());
    if (name == "bymonth") {
      ir::Value months = ir::Value::list();
      for (const std::string_view each : split(value, ',')) months.push_back(each);
      out.set("byMonth", std::move(months));
    }
    if (name == "byday") {
      ir::Value days = ir::Value::list();
      for (const std::string_view each : split(value, ',')) {
        if (each.size() < 2) continue;
        ir::Value day =
            ir::Value::map({{"@type", "NDay"}, {"day", lower_ascii(each.substr(each.size() - 2))}});
        if (each.size() > 2) day.set("nthOfPeriod", number_of(each.substr(0, each.size() - 2)));
        days.push_back(std::move(day));
      }
      out.set("byDay", std::move(days));
    }
  }
  return out;
}

ir::Value participant(const ContentLine& line) {
  ir::Value out = ir::Value::map({{"@type", "Participant"}, {"calendarAddress", line.value}});
  if (const auto name = line.parameter("cn"); !name.empty()) out.set("name", name);
  if (const auto state = line.parameter("partstat"); !state.empty())
    out.set("participationStatus", lower_ascii(state));
  if (line.has("rsvp", "true")) out.set("expectReply", true);
  ir::Value roles = ir::Value::map({{"attendee", true}});
  if (line.has("role", "chair")) roles.set("chair", true);
  if (line.has("role", "opt-participant")) roles.set("optional", true);
  out.set("roles", std::move(roles));
  return out;
}

class EventReader {
 public:
  void take(const ContentLine& line) {
    if (!place(line)) {
      ir::Value parameters = ir::Value::map();
      for (const auto& [name, value] : line.parameters) parameters.set(name, value);
      kept_.push_back(
          ir::Value::list({line.name, std::move(parameters), "unknown", unescaped(line.value)}));
    }
  }

  ir::Value finish() {
    if (start_) {
      event_.set("start", start_->local);
      if (!start_->zone.empty()) event_.set("timeZone", start_->zone);
      if (start_->is_date) event_.set("showWithoutTime", true);
    }
    ir::Value origin = ir::Value::map({{"name", "vevent"}});
    if (start_ && end_) {
      const auto from = parse_rfc3339(start_->local + "Z");
      const auto to = parse_rfc3339(end_->local + "Z");
      if (from && to && *to >= *from) {
        event_.set("duration", show_duration(*to - *from, start_->is_date));
        origin.set("convertedProperties",
                   ir::Value::map({{"duration", ir::Value::map({{"name", "dtend"}})}}));
        if (end_->zone != start_->zone) event_.set("endTimeZone", end_->zone);
      }
    }
    if (kept_.size() > 0) origin.set("properties", std::move(kept_));
    event_.set("iCalendar", std::move(origin));
    return std::move(event_);
  }

 private:
  void add(const std::string& member, ir::Value value) {
    ir::Value all = event_[member].is_map() ? event_[member] : ir::Value::map();
    all.set("k" + std::to_string(all.size() + 1), std::move(value));
    event_.set(member, std::move(all));
  }

  bool place_text(const ContentLine& line) {
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 5> kTexts = {
        {{"uid", "uid"},
         {"summary", "title"},
         {"description", "description"},
         {"color", "color"},
         {"organizer", "organizerCalendarAddress"}}};
    for (const auto& [name, member] : kTexts) {
      if (line.name != name) continue;
      event_.set(std::string(member), unescaped(line.value));
      return true;
    }
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 2> kWords = {
        {{"status", "status"}, {"class", "privacy"}}};
    for (const auto& [name, member] : kWords) {
      if (line.name != name) continue;
      event_.set(std::string(member), lower_ascii(line.value));
      return true;
    }
    return false;
  }

  bool place(const ContentLine& line) {
    if (place_text(line)) return true;
    if (line.name == "dtstart" || line.name == "dtend") {
      auto moment = read_moment(line, line.value);
      if (!moment) return false;
      (line.name == "dtstart" ? start_ : end_) = std::move(moment);
    } else if (line.name == "dtstamp" || line.name == "created") {
      const auto moment = read_moment(line, line.value);
      if (!moment) return false;
      event_.set(line.name == "created" ? "created" : "updated", moment->local + "Z");
    } else if (line.name == "duration") {
      event_.set("duration", line.value);
    } else if (line.name == "sequence" || line.name == "priority") {
      std::int64_t number = 0;
      std::from_chars(line.value.data(), line.value.data() + line.value.size(), number);
      event_.set(line.name, number);
    } else if (line.name == "transp") {
      event_.set("freeBusyStatus",
                 equals_ignoring_case(line.value, "transparent") ? "free" : "busy");
    } else if (line.name == "location") {
      add("locations", ir::Value::map({{"@type", "Location"}, {"name", unescaped(line.value)}}));
    } else if (line.name == "url") {
      add("links", ir::Value::map({{"@type", "Link"}, {"href", line.value}}));
    } else if (line.name == "attendee") {
      add("participants", participant(line));
    } else if (line.name == "categories") {
      ir::Value keywords = event_["keywords"].is_map() ? event_["keywords"] : ir::Value::map();
      for (const std::string& each : split_value(line.value, ',')) keywords.set(each, true);
      event_.set("keywords", std::move(keywords));
    } else if (line.name == "rrule") {
      event_.set("recurrenceRule", recurrence_rule(line.value));
    } else if (line.name == "exdate") {
      ir::Value overrides =
          event_["recurrenceOverrides"].is_map() ? event_["recurrenceOverrides"] : ir::Value::map();
      for (const std::string_view each : split(line.value, ','))
        if (const auto moment = read_moment(line, each))
          overrides.set(moment->local, ir::Value::map({{"excluded", true}}));
      event_.set("recurrenceOverrides", std::move(overrides));
    } else if (line.name == "recurrence-id") {
      const auto moment = read_moment(line, line.value);
      if (!moment) return false;
      event_.set("recurrenceId", moment->local);
      if (!moment->zone.empty()) event_.set("recurrenceIdTimeZone", moment->zone);
    } else {
      return false;
    }
    return true;
  }

  ir::Value event_ = ir::Value::map({{"@type", "Event"}});
  ir::Value kept_ = ir::Value::list();
  std::optional<Moment> start_ = {};
  std::optional<Moment> end_ = {};
};

}  // namespace

std::optional<ir::Value> events_of_icalendar(std::string_view text) {
  ir::Value events = ir::Value::list();
  std::optional<EventReader> reader;
  int depth = 0;  // of components inside the event: alarms
  for (const ContentLine& line : content_lines(text)) {
    const bool is_event = equals_ignoring_case(trim(line.value), "vevent");
    if (line.name == "begin") {
      if (reader)
        ++depth;
      else if (is_event)
        reader.emplace();
    } else if (line.name == "end" && reader) {
      if (depth > 0) {
        --depth;
      } else if (is_event) {
        events.push_back(reader->finish());
        reader.reset();
      }
    } else if (reader && depth == 0) {
      reader->take(line);
    }
  }
  if (events.size() == 0) return std::nullopt;
  return events;
}

}  // namespace plan::rehearsal
