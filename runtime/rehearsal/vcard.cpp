// vCard 3 and 4 to JSContact, as far as address books use it (RFC 6350, RFC 9553, RFC 9555).
#include <array>

#include "compiler/source/text.h"
#include "runtime/rehearsal/content_lines.h"
#include "runtime/rehearsal/message.h"

namespace plan::rehearsal {
namespace {

// Adds one object below the next free key k1, k2...
void add(ir::Value& card, const std::string& member, ir::Value value) {
  ir::Value all = card[member].is_map() ? card[member] : ir::Value::map();
  all.set("k" + std::to_string(all.size() + 1), std::move(value));
  card.set(member, std::move(all));
}

void set_contexts(const ContentLine& line, ir::Value& value) {
  ir::Value contexts = ir::Value::map();
  if (line.has("type", "home")) contexts.set("private", true);
  if (line.has("type", "work")) contexts.set("work", true);
  if (contexts.size() > 0) value.set("contexts", std::move(contexts));
  if (line.has("type", "pref") || line.parameter("pref") == "1") value.set("pref", 1);
}

ir::Value components(const ContentLine& line, const auto& kinds) {
  ir::Value out = ir::Value::list();
  const auto parts = split_value(line.value, ';');
  for (std::size_t i = 0; i < parts.size() && i < kinds.size(); ++i)
    if (!parts[i].empty()) out.push_back(ir::Value::map({{"kind", kinds[i]}, {"value", parts[i]}}));
  return out;
}

ir::Value phone(const ContentLine& line) {
  ir::Value out = ir::Value::map({{"number", unescaped(line.value)}});
  ir::Value features = ir::Value::map();
  for (const auto& [word, feature] :
       {std::pair("cell", "mobile"), std::pair("fax", "fax"), std::pair("voice", "voice"),
        std::pair("pager", "pager"), std::pair("text", "text"), std::pair("video", "video")})
    if (line.has("type", word)) features.set(feature, true);
  if (features.size() > 0) out.set("features", std::move(features));
  set_contexts(line, out);
  return out;
}

ir::Value organization(const ContentLine& line) {
  const auto parts = split_value(line.value, ';');
  ir::Value out = ir::Value::map({{"name", parts.empty() ? std::string{} : parts[0]}});
  ir::Value units = ir::Value::list();
  for (std::size_t i = 1; i < parts.size(); ++i)
    if (!parts[i].empty()) units.push_back(ir::Value::map({{"name", parts[i]}}));
  if (units.size() > 0) out.set("units", std::move(units));
  return out;
}

// 1970-02-03, 19700203, --0203.
ir::Value partial_date(std::string_view text) {
  std::string digits;
  for (const char c : text.substr(0, text.find('T')))
    if (c >= '0' && c <= '9') digits += c;
  const bool has_year = !text.starts_with("--");
  ir::Value out = ir::Value::map({{"@type", "PartialDate"}});
  std::size_t at = 0;
  const auto take = [&](std::size_t count, const char* member) {
    if (at + count <= digits.size()) out.set(member, std::stoi(digits.substr(at, count)));
    at += count;
  };
  if (has_year) take(4, "year");
  take(2, "month");
  take(2, "day");
  return out;
}

// False: the property has no place in a Card.
bool place(const ContentLine& line, ir::Value& card) {
  static constexpr std::array<std::string_view, 5> kName = {"surname", "given", "given2", "title",
                                                            "credential"};
  static constexpr std::array<std::string_view, 7> kAddress = {
      "postOfficeBox", "apartment", "name", "locality", "region", "postcode", "country"};
  const std::string text = unescaped(line.value);
  if (line.name == "uid") {
    card.set("uid", text);
  } else if (line.name == "fn" || line.name == "n") {
    ir::Value name = card["name"].is_map() ? card["name"] : ir::Value::map();
    if (line.name == "fn")
      name.set("full", text);
    else if (ir::Value parts = components(line, kName); parts.size() > 0)
      name.set("components", std::move(parts));
    card.set("name", std::move(name));
  } else if (line.name == "kind") {
    card.set("kind", lower_ascii(text));
  } else if (line.name == "prodid") {
    card.set("prodId", text);
  } else if (line.name == "rev") {
    const auto at = parse_rfc3339(text);
    if (!at) return false;
    card.set("updated", show_rfc3339(*at));
  } else if (line.name == "email") {
    ir::Value email = ir::Value::map({{"address", text}});
    set_contexts(line, email);
    add(card, "emails", std::move(email));
  } else if (line.name == "tel") {
    add(card, "phones", phone(line));
  } else if (line.name == "nickname") {
    for (const std::string& each : split_value(line.value, ','))
      add(card, "nicknames", ir::Value::map({{"name", each}}));
  } else if (line.name == "org") {
    add(card, "organizations", organization(line));
  } else if (line.name == "title" || line.name == "role") {
    add(card, "titles", ir::Value::map({{"name", text}, {"kind", line.name}}));
  } else if (line.name == "note") {
    add(card, "notes", ir::Value::map({{"note", text}}));
  } else if (line.name == "url") {
    add(card, "links", ir::Value::map({{"uri", text}}));
  } else if (line.name == "photo" && text.find(':') != std::string::npos) {
    add(card, "media", ir::Value::map({{"kind", "photo"}, {"uri", text}}));
  } else if (line.name == "adr") {
    ir::Value address = ir::Value::map({{"components", components(line, kAddress)}});
    set_contexts(line, address);
    add(card, "addresses", std::move(address));
  } else if (line.name == "bday" || line.name == "anniversary") {
    add(card, "anniversaries",
        ir::Value::map(
            {{"kind", line.name == "bday" ? "birth" : "wedding"}, {"date", partial_date(text)}}));
  } else if (line.name == "categories") {
    ir::Value keywords = card["keywords"].is_map() ? card["keywords"] : ir::Value::map();
    for (const std::string& each : split_value(line.value, ',')) keywords.set(each, true);
    card.set("keywords", std::move(keywords));
  } else if (line.name == "member") {
    ir::Value members = card["members"].is_map() ? card["members"] : ir::Value::map();
    members.set(text, true);
    card.set("members", std::move(members));
  } else {
    return false;
  }
  return true;
}

}  // namespace

std::optional<ir::Value> card_of_vcard(std::string_view text) {
  ir::Value card = ir::Value::map({{"@type", "Card"}, {"version", "1.0"}});
  ir::Value kept = ir::Value::list();
  bool is_inside = false;
  for (const ContentLine& line : content_lines(text)) {
    const bool is_card = equals_ignoring_case(trim(line.value), "vcard");
    if (line.name == "begin" && is_card) {
      is_inside = true;
    } else if (is_inside && line.name == "end" && is_card) {
      if (kept.size() > 0) card.set("vCard", ir::Value::map({{"properties", std::move(kept)}}));
      return card;
    } else if (is_inside && !place(line, card)) {
      ir::Value parameters = ir::Value::map();
      for (const auto& [name, value] : line.parameters) parameters.set(name, value);
      kept.push_back(
          ir::Value::list({line.name, std::move(parameters), "unknown", unescaped(line.value)}));
    }
  }
  return std::nullopt;
}

}  // namespace plan::rehearsal
