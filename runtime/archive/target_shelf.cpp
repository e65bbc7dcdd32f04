#include "runtime/archive/target_shelf.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/archive/digest.h"
#include "runtime/archive/limits.h"
#include "runtime/net/errors.h"

namespace plan::archive {
namespace {

using ir::Value;
using net::dav::Kind;
namespace jmap = net::jmap;

/// Blobs of one /parse (reference/stalwart-admin.md 8.4).
constexpr std::size_t kParseBatch = 10;
constexpr std::size_t kMembersNamed = 5;

constexpr ShelfWords kCalendar = {.capability = "urn:ietf:params:jmap:calendars",
                                  .parse_capability = "urn:ietf:params:jmap:calendars:parse",
                                  .folder_type = "Calendar",
                                  .entry_type = "CalendarEvent",
                                  .folder_ids = "calendarIds",
                                  .media_type = "text/calendar",
                                  .one = "event",
                                  .many = "events"};
constexpr ShelfWords kAddressBook = {.capability = "urn:ietf:params:jmap:contacts",
                                     .parse_capability = "urn:ietf:params:jmap:contacts:parse",
                                     .folder_type = "AddressBook",
                                     .entry_type = "ContactCard",
                                     .folder_ids = "addressBookIds",
                                     .media_type = "text/vcard",
                                     .one = "card",
                                     .many = "cards"};

TargetEntry entry_of(Kind kind, const Value& object) {
  const ShelfWords& words = words_of(kind);
  TargetEntry entry{.id = std::string(object["id"].string_or("")),
                    .uid = std::string(object["uid"].string_or("")),
                    .body = Value::map()};
  for (const auto& [name, value] : object.members()) {
    if (name == words.folder_ids) {
      for (const auto& [folder, is_in] : value.members())
        if (is_in.bool_or(false)) entry.folders.insert(folder);
    } else if (name != "id") {
      entry.body.set(name, value);
    }
  }
  entry.digest = entry_digest(kind, entry.body);
  return entry;
}

/// One resource is one event with its exceptions, or one card.
ParsedText parsed_text(Kind kind, const Value& answer, const std::string& fallback_uid) {
  ParsedText parsed;
  const Value* entry = &answer;
  if (answer.is_list()) {
    if (answer.size() != 1) {
      parsed.problem =
          fmt::format("the target reads {} {} in it, and one is what it can store of a resource",
                      answer.size(), words_of(kind).many);
      return parsed;
    }
    entry = &answer.item(0);
  }
  if (!entry->is_map()) {
    parsed.problem = fmt::format("the target reads no {} in it", words_of(kind).one);
    return parsed;
  }
  Value body = *entry;
  body.as_map().erase("id");
  body.as_map().erase(words_of(kind).folder_ids);
  if (body["uid"].string_or("").empty()) body.set("uid", fallback_uid);
  parsed.entry = std::move(body);
  return parsed;
}

}  // namespace

const ShelfWords& words_of(Kind kind) { return kind == Kind::calendar ? kCalendar : kAddressBook; }

Value normal_entry(Kind kind, const Value& body) {
  Value normal = Value::map();
  for (const auto& [name, value] : body.members()) {
    const bool is_stamp = name == "id" || name == words_of(kind).folder_ids || name == "updated" ||
                          name == "isDraft" || name == "isOrigin" || name == "useDefaultAlerts";
    if (is_stamp || value.is_null()) continue;
    // How the text said it ("duration" was an end) is no content; properties without a place are.
    if (name == "iCalendar" && value.is_map()) {
      Value kept = value;
      kept.as_map().erase("convertedProperties");
      kept.as_map().erase("name");
      if (kept.size() > 0) normal.set(name, std::move(kept));
      continue;
    }
    normal.set(name, value);
  }
  if (kind == Kind::calendar && !normal["organizerCalendarAddress"].is_string() &&
      !normal["replyTo"].is_map()) {
    if (Value* participants = normal.as_map().find("participants");
        participants != nullptr && participants->is_map())
      for (auto& [key, one] : participants->as_map())
        if (one.is_map()) one.as_map().erase("roles");
  }
  return normal;
}

std::string entry_digest(Kind kind, const Value& body) {
  return sha256_raw(ir::canonical_json(normal_entry(kind, body)));
}

std::string members_that_differ(Kind kind, const Value& left, const Value& right) {
  const Value one = normal_entry(kind, left);
  const Value other = normal_entry(kind, right);
  std::set<std::string> names;
  for (const auto& [name, value] : one.members())
    if (!(other[name] == value)) names.insert(name);
  for (const auto& [name, value] : other.members())
    if (!(one[name] == value)) names.insert(name);
  std::string text;
  std::size_t count = 0;
  for (const std::string& name : names) {
    if (++count > kMembersNamed) break;
    text += (text.empty() ? "" : ", ") + printable(name, 60);
  }
  return text;
}

Result<std::vector<TargetEntry>> read_entries(const TargetAccount& target, Kind kind,
                                              const std::vector<std::string>& ids) {
  std::vector<TargetEntry> entries;
  if (ids.empty()) return entries;
  const ShelfWords& words = words_of(kind);
  PLAN_TRY(objects, target.client().get(words.entry_type, target.account_id(), ids, {},
                                        target.reading(words.capability)));
  entries.reserve(objects.size());
  for (const Value& object : objects) entries.push_back(entry_of(kind, object));
  return entries;
}

Result<std::vector<TargetFolder>> read_folders(const TargetAccount& target, Kind kind) {
  const ShelfWords& words = words_of(kind);
  std::vector<TargetFolder> all;
  PLAN_TRY(folders, target.client().call_one(
                        fmt::format("{}/get", words.folder_type),
                        Value::map({{"accountId", target.account_id()}, {"ids", nullptr}}),
                        target.reading(words.capability)));
  for (const Value& one : folders["list"].items())
    all.push_back({.id = std::string(one["id"].string_or("")),
                   .name = std::string(one["name"].string_or("")),
                   .is_default = one["isDefault"].bool_or(false)});
  return all;
}

Result<TargetShelf> read_shelf(const TargetAccount& target, Kind kind) {
  const ShelfWords& words = words_of(kind);
  TargetShelf shelf;
  PLAN_TRY(folders, read_folders(target, kind));
  shelf.folders = std::move(folders);
  PLAN_TRY(ids, target.client().query(words.entry_type, target.account_id(), {}, {},
                                      target.reading(words.capability)));
  PLAN_TRY(entries, read_entries(target, kind, ids));
  for (TargetEntry& entry : entries) {
    const std::string id = entry.id;
    shelf.entries[id] = std::move(entry);
  }
  return shelf;
}

Result<std::vector<ParsedText>> parse_at_target(const TargetAccount& target, Kind kind,
                                                const std::vector<std::string_view>& texts,
                                                const std::vector<std::string>& fallback_uids) {
  const ShelfWords& words = words_of(kind);
  jmap::CallOptions options = target.reading(words.capability);
  options.capabilities.emplace_back(words.parse_capability);
  std::vector<ParsedText> all;
  all.reserve(texts.size());
  for (std::size_t begin = 0; begin < texts.size(); begin += kParseBatch) {
    const std::size_t end = std::min(texts.size(), begin + kParseBatch);
    std::vector<std::string> blobs;
    ir::List wanted;
    for (std::size_t at = begin; at < end; ++at) {
      PLAN_TRY(blob, target.client().upload(target.account_id(), texts[at], words.media_type));
      if (std::find(blobs.begin(), blobs.end(), blob) == blobs.end()) wanted.emplace_back(blob);
      blobs.push_back(blob);
    }
    PLAN_TRY(answer, target.client().call_one(fmt::format("{}/parse", words.entry_type),
                                              Value::map({{"accountId", target.account_id()},
                                                          {"blobIds", Value(std::move(wanted))}}),
                                              options));
    for (std::size_t at = begin; at < end; ++at)
      all.push_back(parsed_text(kind, answer["parsed"][blobs[at - begin]], fallback_uids[at]));
  }
  return all;
}

}  // namespace plan::archive
