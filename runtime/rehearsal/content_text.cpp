// JSCalendar and JSContact back to iCalendar and vCard: the other direction of icalendar.cpp and
// vcard.cpp, as far as those read.
#include <array>

#include "compiler/source/text.h"
#include "runtime/rehearsal/content_lines.h"

namespace plan::rehearsal {
namespace {

using ir::Value;

/// Bytes of a line before it goes on in the next (RFC 5545, 3.1).
constexpr std::size_t kLineBytes = 72;

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == ';' || c == ',') out += '\\';
    if (c == '\n')
      out += "\\n";
    else if (c != '\r')
      out += c;
  }
  return out;
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
  return out;
}

class Writer {
 public:
  /// `head` is the name with its parameters; the value goes out as it is.
  void line(std::string_view head, std::string_view value) {
    std::string whole(head);
    whole += ':';
    for (const char c : value)
      if (c != '\r' && c != '\n') whole += c;
    std::size_t room = kLineBytes;
    for (std::size_t at = 0; at < whole.size(); ++at) {
      const bool is_begin_of_character = (static_cast<unsigned char>(whole[at]) & 0xC0U) != 0x80U;
      if (room == 0 || (room <= 4 && is_begin_of_character)) {
        text_ += "\r\n ";
        room = kLineBytes;
      }
      text_ += whole[at];
      --room;
    }
    text_ += "\r\n";
  }
  void text(std::string_view head, const Value& value) {
    if (value.is_string()) line(head, escaped(value.string_or("")));
  }
  /// What had no place in the object: [name, parameters, type, value].
  void kept(const Value& properties) {
    for (const Value& one : properties.items()) {
      std::string head = upper(one.item(0).string_or(""));
      for (const auto& [name, value] : one.item(1).members())
        head += ";" + upper(name) + "=" + std::string(value.string_or(""));
      line(head, escaped(one.item(3).string_or("")));
    }
  }
  [[nodiscard]] std::string take() { return std::move(text_); }

 private:
  std::string text_;
};

/// 2026-12-01T10:00:00 to 20261201T100000.
std::string compact(std::string_view moment) {
  std::string out;
  for (const char c : moment)
    if (c != '-' && c != ':') out += c;
  return out;
}

void moment(Writer& out, std::string name, std::string_view local, std::string_view zone,
            bool is_date) {
  std::string value = compact(local);
  if (is_date) {
    name += ";VALUE=DATE";
    value = value.substr(0, 8);
  } else if (zone == "Etc/UTC") {
    value += 'Z';
  } else if (!zone.empty()) {
    name += ";TZID=" + std::string(zone);
  }
  out.line(name, value);
}

std::string joined(const Value& list) {
  std::string out;
  for (const Value& one : list.items())
    out += (out.empty() ? "" : ",") +
           (one.is_integer() ? std::to_string(one.as_integer()) : std::string(one.string_or("")));
  return out;
}

std::string joined_keys(const Value& map) {
  std::string out;
  for (const auto& [key, is_in] : map.members()) out += (out.empty() ? "" : ",") + escaped(key);
  return out;
}

std::string rule_text(const Value& rule) {
  std::string out = "FREQ=" + upper(rule["frequency"].string_or(""));
  const auto add = [&out](const char* name, const std::string& value) {
    if (!value.empty()) out += std::string(";") + name + "=" + value;
  };
  for (const auto& [member, name] :
       {std::pair("interval", "INTERVAL"), std::pair("count", "COUNT")})
    if (rule[member].is_integer()) add(name, std::to_string(rule[member].as_integer()));
  add("UNTIL", compact(rule["until"].string_or("")));
  add("WKST", upper(rule["firstDayOfWeek"].string_or("")));
  add("BYMONTHDAY", joined(rule["byMonthDay"]));
  add("BYYEARDAY", joined(rule["byYearDay"]));
  add("BYWEEKNO", joined(rule["byWeekNo"]));
  add("BYSETPOS", joined(rule["bySetPosition"]));
  add("BYMONTH", joined(rule["byMonth"]));
  std::string days;
  for (const Value& day : rule["byDay"].items())
    days +=
        (days.empty() ? "" : ",") +
        (day["nthOfPeriod"].is_integer() ? std::to_string(day["nthOfPeriod"].as_integer()) : "") +
        upper(day["day"].string_or(""));
  add("BYDAY", days);
  return out;
}

void attendee(Writer& out, const Value& participant) {
  std::string head = "ATTENDEE";
  if (const auto name = participant["name"].string_or(""); !name.empty())
    head += ";CN=\"" + std::string(name) + "\"";
  if (const auto state = participant["participationStatus"].string_or(""); !state.empty())
    head += ";PARTSTAT=" + upper(state);
  if (participant["expectReply"].bool_or(false)) head += ";RSVP=TRUE";
  if (participant["roles"]["chair"].bool_or(false))
    head += ";ROLE=CHAIR";
  else if (participant["roles"]["optional"].bool_or(false))
    head += ";ROLE=OPT-PARTICIPANT";
  out.line(head, participant["calendarAddress"].string_or(""));
}

std::string types_of(const Value& value) {
  std::string out;
  const auto add = [&out](const char* word) { out += std::string(";TYPE=") + word; };
  if (value["contexts"]["private"].bool_or(false)) add("HOME");
  if (value["contexts"]["work"].bool_or(false)) add("WORK");
  for (const auto& [feature, word] :
       {std::pair("mobile", "CELL"), std::pair("fax", "FAX"), std::pair("voice", "VOICE"),
        std::pair("pager", "PAGER"), std::pair("text", "TEXT"), std::pair("video", "VIDEO")})
    if (value["features"][feature].bool_or(false)) add(word);
  if (value["pref"].integer_or(0) == 1) add("PREF");
  return out;
}

std::string parts(const Value& components, const auto& kinds) {
  std::string out;
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    if (i > 0) out += ';';
    for (const Value& one : components.items())
      if (one["kind"].string_or("") == kinds[i]) out += escaped(one["value"].string_or(""));
  }
  return out;
}

std::string date_text(const Value& date) {
  const auto two = [&date](const char* member) {
    const std::int64_t number = date[member].integer_or(0);
    return (number < 10 ? "0" : "") + std::to_string(number);
  };
  return (date["year"].is_integer() ? std::to_string(date["year"].as_integer()) : "--") +
         (date["month"].is_integer() ? two("month") : "") +
         (date["day"].is_integer() ? two("day") : "");
}

}  // namespace

std::string icalendar_of_event(const Value& event) {
  Writer out;
  out.line("BEGIN", "VCALENDAR");
  out.line("VERSION", "2.0");
  out.line("PRODID", "-//plan//rehearsal target//EN");
  out.line("BEGIN", "VEVENT");
  out.text("UID", event["uid"]);
  for (const auto& [member, name] :
       {std::pair("updated", "DTSTAMP"), std::pair("created", "CREATED")})
    if (event[member].is_string()) out.line(name, compact(event[member].string_or("")));
  const bool is_date = event["showWithoutTime"].bool_or(false);
  const std::string_view zone = event["timeZone"].string_or("");
  if (event["start"].is_string())
    moment(out, "DTSTART", event["start"].string_or(""), zone, is_date);
  if (event["duration"].is_string()) out.line("DURATION", event["duration"].string_or(""));
  out.text("SUMMARY", event["title"]);
  out.text("DESCRIPTION", event["description"]);
  out.text("COLOR", event["color"]);
  if (event["status"].is_string()) out.line("STATUS", upper(event["status"].string_or("")));
  if (event["privacy"].is_string()) out.line("CLASS", upper(event["privacy"].string_or("")));
  for (const auto& [member, name] :
       {std::pair("sequence", "SEQUENCE"), std::pair("priority", "PRIORITY")})
    if (event[member].is_integer()) out.line(name, std::to_string(event[member].as_integer()));
  if (event["freeBusyStatus"].is_string())
    out.line("TRANSP", event["freeBusyStatus"].string_or("") == "free" ? "TRANSPARENT" : "OPAQUE");
  for (const auto& [key, place] : event["locations"].members()) out.text("LOCATION", place["name"]);
  for (const auto& [key, link] : event["links"].members())
    out.line("URL", link["href"].string_or(""));
  if (event["organizerCalendarAddress"].is_string())
    out.line("ORGANIZER", event["organizerCalendarAddress"].string_or(""));
  for (const auto& [key, participant] : event["participants"].members()) attendee(out, participant);
  if (event["keywords"].size() > 0) out.line("CATEGORIES", joined_keys(event["keywords"]));
  if (event["recurrenceRule"].is_map()) out.line("RRULE", rule_text(event["recurrenceRule"]));
  for (const auto& [when, change] : event["recurrenceOverrides"].members())
    if (change["excluded"].bool_or(false)) moment(out, "EXDATE", when, zone, is_date);
  if (event["recurrenceId"].is_string())
    moment(out, "RECURRENCE-ID", event["recurrenceId"].string_or(""),
           event["recurrenceIdTimeZone"].string_or(""), is_date);
  out.kept(event["iCalendar"]["properties"]);
  out.line("END", "VEVENT");
  out.line("END", "VCALENDAR");
  return out.take();
}

std::string vcard_of_card(const Value& card) {
  static constexpr std::array<std::string_view, 5> kName = {"surname", "given", "given2", "title",
                                                            "credential"};
  static constexpr std::array<std::string_view, 7> kAddress = {
      "postOfficeBox", "apartment", "name", "locality", "region", "postcode", "country"};
  Writer out;
  out.line("BEGIN", "VCARD");
  const Value& kept = card["vCard"]["properties"];
  bool has_version = false;
  for (const Value& one : kept.items())
    has_version = has_version || one.item(0).string_or("") == "version";
  if (!has_version) out.line("VERSION", "4.0");
  out.kept(kept);
  out.text("UID", card["uid"]);
  out.text("FN", card["name"]["full"]);
  if (card["name"]["components"].size() > 0)
    out.line("N", parts(card["name"]["components"], kName));
  out.text("KIND", card["kind"]);
  out.text("PRODID", card["prodId"]);
  for (const auto& [key, one] : card["emails"].members())
    out.text("EMAIL" + types_of(one), one["address"]);
  for (const auto& [key, one] : card["phones"].members())
    out.text("TEL" + types_of(one), one["number"]);
  for (const auto& [key, one] : card["nicknames"].members()) out.text("NICKNAME", one["name"]);
  for (const auto& [key, one] : card["organizations"].members()) {
    std::string value = escaped(one["name"].string_or(""));
    for (const Value& unit : one["units"].items())
      value += ";" + escaped(unit["name"].string_or(""));
    out.line("ORG", value);
  }
  for (const auto& [key, one] : card["titles"].members())
    out.text(upper(one["kind"].string_or("title")), one["name"]);
  for (const auto& [key, one] : card["notes"].members()) out.text("NOTE", one["note"]);
  for (const auto& [key, one] : card["links"].members()) out.text("URL", one["uri"]);
  for (const auto& [key, one] : card["media"].members()) out.text("PHOTO", one["uri"]);
  for (const auto& [key, one] : card["addresses"].members())
    out.line("ADR" + types_of(one), parts(one["components"], kAddress));
  for (const auto& [key, one] : card["anniversaries"].members())
    out.line(one["kind"].string_or("") == "birth" ? "BDAY" : "ANNIVERSARY", date_text(one["date"]));
  if (card["keywords"].size() > 0) out.line("CATEGORIES", joined_keys(card["keywords"]));
  for (const auto& [member, is_in] : card["members"].members()) out.line("MEMBER", escaped(member));
  out.line("END", "VCARD");
  return out.take();
}

}  // namespace plan::rehearsal
