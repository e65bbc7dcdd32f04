// ContactCard/* and CalendarEvent/* (RFC 9610, draft-ietf-jmap-calendars; RFC 9553 and 8984 for
// what is inside; reference/stalwart-admin.md 8.4).
#include <algorithm>
#include <array>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/rehearsal/content_lines.h"
#include "runtime/rehearsal/entry_query.h"
#include "runtime/rehearsal/groupware.h"
#include "runtime/rehearsal/ids.h"
#include "runtime/rehearsal/jmap.h"
#include "runtime/rehearsal/jmap_set.h"
#include "runtime/rehearsal/message.h"
#include "runtime/rehearsal/shelf.h"

namespace plan::rehearsal {
namespace {

constexpr std::size_t kBlobsParsedMax = 10;

// The members that RFC 9553 gives a Card, and what vCard has besides (RFC 9555).
constexpr std::array<std::string_view, 33> kCardMembers = {"@type",
                                                           "version",
                                                           "uid",
                                                           "created",
                                                           "kind",
                                                           "language",
                                                           "members",
                                                           "prodId",
                                                           "relatedTo",
                                                           "updated",
                                                           "name",
                                                           "nicknames",
                                                           "organizations",
                                                           "speakToAs",
                                                           "titles",
                                                           "emails",
                                                           "phones",
                                                           "onlineServices",
                                                           "preferredLanguages",
                                                           "calendars",
                                                           "schedulingAddresses",
                                                           "addresses",
                                                           "cryptoKeys",
                                                           "directories",
                                                           "links",
                                                           "media",
                                                           "localizations",
                                                           "anniversaries",
                                                           "keywords",
                                                           "notes",
                                                           "personalInfo",
                                                           "vCard",
                                                           "addressBookIds"};

// The members that JSCalendar gives an Event (one recurrence rule, as in its second edition).
constexpr std::array<std::string_view, 52> kEventMembers = {"@type",
                                                            "uid",
                                                            "relatedTo",
                                                            "prodId",
                                                            "created",
                                                            "updated",
                                                            "sequence",
                                                            "method",
                                                            "title",
                                                            "description",
                                                            "descriptionContentType",
                                                            "showWithoutTime",
                                                            "locations",
                                                            "mainLocationId",
                                                            "virtualLocations",
                                                            "links",
                                                            "locale",
                                                            "keywords",
                                                            "categories",
                                                            "color",
                                                            "recurrenceId",
                                                            "recurrenceIdTimeZone",
                                                            "recurrenceRule",
                                                            "recurrenceOverrides",
                                                            "excluded",
                                                            "priority",
                                                            "freeBusyStatus",
                                                            "privacy",
                                                            "replyTo",
                                                            "organizerCalendarAddress",
                                                            "sentBy",
                                                            "participants",
                                                            "requestStatus",
                                                            "useDefaultAlerts",
                                                            "alerts",
                                                            "localizations",
                                                            "timeZone",
                                                            "timeZones",
                                                            "endTimeZone",
                                                            "start",
                                                            "duration",
                                                            "status",
                                                            "iCalendar",
                                                            "calendarIds",
                                                            "isDraft",
                                                            "isOrigin",
                                                            "utcStart",
                                                            "utcEnd",
                                                            "mayInviteSelf",
                                                            "mayInviteOthers",
                                                            "hideAttendees",
                                                            "baseEventId"};

bool is_member(ShelfKind kind, std::string_view name) {
  const std::string_view top = name.substr(0, name.find('/'));
  // Names with a colon are a vendor's own (RFC 9553, 1.8.2).
  if (top.find(':') != std::string_view::npos) return true;
  const auto knows = [top](const auto& members) {
    return std::find(members.begin(), members.end(), top) != members.end();
  };
  return kind == ShelfKind::contacts ? knows(kCardMembers) : knows(kEventMembers);
}

ir::Value show(const ShelfNames& names, const Entry& entry, const ir::Value& properties) {
  ir::Value out = entry.body;
  out.set("id", encode_id(entry.id));
  ir::Value folders = ir::Value::map();
  for (const std::uint32_t folder : entry.folders) folders.set(encode_id(folder), true);
  out.set(std::string(names.folder_ids), std::move(folders));
  if (names.kind == ShelfKind::calendars) {
    if (!out["isDraft"].is_bool()) out.set("isDraft", false);
    // We are where it was made unless somebody else organises it.
    out.set("isOrigin", !out["organizerCalendarAddress"].is_string());
  }
  return only_properties(out, properties);
}

MethodResult get(JmapContext& context, const ShelfNames& names, MailAccount& account,
                 const ir::Value& arguments) {
  const ir::Value& ids = arguments["ids"];
  if (auto failed = too_many_ids(context.world, ids)) return *failed;
  const Shelf& shelf = shelf_of(context.world, account, names.kind);
  const std::int64_t max = limit_of(context.world, "x:Jmap", "getMaxResults", 500);
  ir::Value list = ir::Value::list();
  ir::Value missing = ir::Value::list();
  if (ids.is_list()) {
    for (const ir::Value& id : ids.items()) {
      const auto number = read_id(context, id.string_or("!"));
      const auto found = number ? shelf.entries.find(*number) : shelf.entries.end();
      if (found == shelf.entries.end())
        missing.push_back(id);
      else
        list.push_back(show(names, found->second, arguments["properties"]));
    }
  } else {
    for (const auto& [number, entry] : shelf.entries) {
      if (static_cast<std::int64_t>(list.size()) >= max) break;
      list.push_back(show(names, entry, arguments["properties"]));
    }
  }
  return MethodResult::answer(ir::Value::map({{"accountId", encode_id(account.id)},
                                              {"state", state_of(account, names.entries)},
                                              {"list", std::move(list)},
                                              {"notFound", std::move(missing)}}));
}

MethodResult query(JmapContext& context, const ShelfNames& names, MailAccount& account,
                   const ir::Value& arguments) {
  const Shelf& shelf = shelf_of(context.world, account, names.kind);
  if (const auto name = unsupported_filter(names.kind, arguments["filter"]))
    return MethodResult::error("unsupportedFilter", *name);
  std::vector<const Entry*> found;
  for (const auto& [number, entry] : shelf.entries)
    if (fits_filter(names.kind, entry, arguments["filter"])) found.push_back(&entry);
  if (const auto name = sort_entries(names.kind, found, arguments["sort"]))
    return MethodResult::error("unsupportedSort", *name);
  std::vector<std::string> ids;
  for (const Entry* entry : found) ids.push_back(encode_id(entry->id));
  return query_window(context.world, encode_id(account.id), state_of(account, names.entries),
                      std::move(ids), arguments);
}

MethodResult parse(JmapContext& context, const ShelfNames& names, MailAccount& account,
                   const ir::Value& arguments) {
  if (arguments["blobIds"].size() > kBlobsParsedMax)
    return MethodResult::error("requestTooLarge", "Too many blobs in one call.");
  ir::Value parsed = ir::Value::map();
  ir::Value missing = ir::Value::list();
  ir::Value failed = ir::Value::list();
  for (const ir::Value& id : arguments["blobIds"].items()) {
    const auto found = find_blob(context.world, context.login, account.id, id.string_or(""));
    const auto bytes = found ? read_blob(context.world, *found) : std::nullopt;
    if (!bytes) {
      missing.push_back(id);
      continue;
    }
    auto value =
        names.kind == ShelfKind::contacts ? card_of_vcard(*bytes) : events_of_icalendar(*bytes);
    if (value)
      parsed.set(std::string(id.string_or("")), std::move(*value));
    else
      failed.push_back(id);
  }
  ir::Value out = ir::Value::map({{"accountId", encode_id(account.id)}});
  if (parsed.size() > 0) out.set("parsed", std::move(parsed));
  if (failed.size() > 0) out.set("notParsable", std::move(failed));
  if (missing.size() > 0) out.set("notFound", std::move(missing));
  return MethodResult::answer(std::move(out));
}

class EntrySetter {
 public:
  EntrySetter(JmapContext& context, const ShelfNames& names, MailAccount& account,
              const ir::Value& arguments)
      : context_(context),
        names_(names),
        account_(account),
        shelf_(shelf_of(context.world, account, names.kind)),
        arguments_(arguments) {}

  MethodResult run() {
    const std::string old_state = state_of(account_, names_.entries);
    for (const auto& [name, body] : arguments_["create"].members())
      if (auto failed = create(name, body)) answer_.not_created.set(name, std::move(*failed));
    for (const auto& [id, patch] : arguments_["update"].members())
      if (auto failed = update(id, patch)) answer_.not_updated.set(id, std::move(*failed));
    for (const ir::Value& id : arguments_["destroy"].items()) destroy(id);
    save_shelf(*context_.world.storage, account_.id, names_.kind, shelf_);
    return answer_.finish(account_, names_.entries, old_state);
  }

 private:
  void open() {
    if (!is_open_) context_.world.mail.open_change(account_);
    is_open_ = true;
  }

  // The folders of a whole object, `{"b": true}`. The name of a folder that is not there, or
  // nothing.
  std::optional<ir::Value> read_folders(const ir::Value& given, Entry& entry) const {
    std::set<std::uint32_t> folders;
    for (const auto& [text, is_in] : given.members()) {
      if (!is_in.bool_or(false)) continue;
      const auto number = read_id(context_, text);
      if (!number || !shelf_.folders.contains(*number))
        return set_error("invalidProperties",
                         std::string(names_.folder_word) + " does not exist: " + text + ".",
                         names_.folder_ids);
      folders.insert(*number);
    }
    if (folders.empty())
      return set_error("invalidProperties",
                       std::string(names_.entry_word) + " has to belong to at least one " +
                           std::string(names_.folder_word) + ".",
                       names_.folder_ids);
    entry.folders = std::move(folders);
    return std::nullopt;
  }

  std::optional<ir::Value> check_body(const Entry& entry) const {
    for (const auto& [key, media] : entry.body["media"].members())
      if (media["blobId"].is_string() && names_.kind == ShelfKind::contacts)
        return set_error("invalidProperties", "blobIds in media is not supported.", "media");
    const auto size = static_cast<std::int64_t>(ir::write_json(entry.body).size());
    const std::int64_t max = limit_of(context_.world, names_.settings, names_.size_max, 524'288);
    if (size > max)
      return set_error("invalidProperties", std::string(names_.entry_word) + " size " +
                                                std::to_string(size) +
                                                " exceeds the maximum allowed size of " +
                                                std::to_string(max) + " bytes.");
    return std::nullopt;
  }

  // What the server keeps of a participant has no roles while nobody organises the event: iTIP
  // knows them only beside an organizer.
  void drop_roles(Entry& entry) const {
    if (names_.kind != ShelfKind::calendars) return;
    if (entry.body["organizerCalendarAddress"].is_string() || entry.body["replyTo"].is_map())
      return;
    ir::Value* participants = entry.body.as_map().find("participants");
    if (participants == nullptr || !participants->is_map()) return;
    for (auto& [key, each] : participants->as_map())
      if (each.is_map()) each.as_map().erase("roles");
  }

  void stamp(Entry& entry) const {
    if (names_.kind == ShelfKind::calendars && !entry.body["updated"].is_string())
      entry.body.set("updated", show_rfc3339(context_.world.now_seconds()));
  }

  std::optional<ir::Value> check_uid(const Entry& entry) const {
    if (entry.uid.empty()) return std::nullopt;
    for (const auto& [number, other] : shelf_.entries) {
      if (other.uid != entry.uid) continue;
      // A contact's uid is unique in its book, an event's in the account.
      const bool is_shared =
          names_.kind == ShelfKind::calendars ||
          std::any_of(entry.folders.begin(), entry.folders.end(),
                      [&](std::uint32_t folder) { return other.folders.contains(folder); });
      if (is_shared)
        return set_error("invalidProperties",
                         std::string(names_.entry_word) + " with UID " + entry.uid +
                             " already exists with id " + encode_id(number) + ".",
                         "uid");
    }
    return std::nullopt;
  }

  std::optional<ir::Value> create(const std::string& name, const ir::Value& body) {
    Entry entry;
    entry.body = ir::Value::map();
    for (const auto& [member, value] : body.members()) {
      if (!is_member(names_.kind, member) || member.find('/') != std::string::npos)
        return set_error("invalidProperties", "Invalid property.", member);
      if (member != names_.folder_ids && !value.is_null()) entry.body.set(member, value);
    }
    if (auto failed = read_folders(body[names_.folder_ids], entry)) return failed;
    entry.uid = entry.body["uid"].string_or("");
    if (auto failed = check_uid(entry)) return failed;
    if (auto failed = check_body(entry)) return failed;
    const std::int64_t max =
        limit_of(context_.world, names_.settings, names_.entries_max, 4'294'967'295);
    if (static_cast<std::int64_t>(shelf_.entries.size()) >= max)
      return set_error("overQuota", "There are too many of these.");
    drop_roles(entry);
    stamp(entry);
    open();
    entry.id = shelf_.next_entry++;
    save_entry(*context_.world.storage, account_.id, names_.kind, entry);
    context_.world.mail.note(account_, names_.entries, ChangeAction::created, entry.id);
    context_.created_ids[name] = encode_id(entry.id);
    answer_.created.set(name, ir::Value::map({{"id", encode_id(entry.id)}}));
    shelf_.entries[entry.id] = std::move(entry);
    return std::nullopt;
  }

  std::optional<ir::Value> update(const std::string& id, const ir::Value& patch) {
    const auto number = parse_id(id);
    const auto found =
        number ? shelf_.entries.find(static_cast<std::uint32_t>(*number)) : shelf_.entries.end();
    if (found == shelf_.entries.end()) return set_error("notFound");
    Entry changed = found->second;
    // The folders are patched as the object that a /get shows.
    ir::Value whole = changed.body;
    ir::Value folders = ir::Value::map();
    for (const std::uint32_t folder : changed.folders) folders.set(encode_id(folder), true);
    const std::string folder_ids(names_.folder_ids);
    whole.set(folder_ids, std::move(folders));
    for (const auto& [pointer, value] : patch.members()) {
      if (!is_member(names_.kind, pointer))
        return set_error("invalidProperties", "Invalid property.", pointer);
      if (!write_pointer(whole, pointer, value))
        return set_error("invalidPatch", "Invalid patch.", pointer);
    }
    if (auto failed = read_folders(whole[folder_ids], changed)) return failed;
    whole.as_map().erase(folder_ids);
    changed.body = std::move(whole);
    changed.uid = changed.body["uid"].string_or("");
    if (changed.uid != found->second.uid)
      return set_error("invalidProperties", "The UID cannot be changed.", "uid");
    if (auto failed = check_body(changed)) return failed;
    drop_roles(changed);
    if (names_.kind == ShelfKind::calendars && !patch.members().contains("updated"))
      changed.body.set("updated", show_rfc3339(context_.world.now_seconds()));
    open();
    save_entry(*context_.world.storage, account_.id, names_.kind, changed);
    context_.world.mail.note(account_, names_.entries, ChangeAction::updated, changed.id);
    found->second = std::move(changed);
    answer_.updated.set(id, {});
    return std::nullopt;
  }

  void destroy(const ir::Value& id) {
    const std::string text(id.string_or(""));
    const auto number = parse_id(text);
    if (!number || shelf_.entries.erase(static_cast<std::uint32_t>(*number)) == 0) {
      answer_.not_destroyed.set(text, set_error("notFound"));
      return;
    }
    open();
    remove_entry(*context_.world.storage, account_.id, names_.kind,
                 static_cast<std::uint32_t>(*number));
    context_.world.mail.note(account_, names_.entries, ChangeAction::destroyed, *number);
    answer_.destroyed.push_back(text);
  }

  JmapContext& context_;
  const ShelfNames& names_;
  MailAccount& account_;
  Shelf& shelf_;
  const ir::Value& arguments_;
  bool is_open_ = false;
  SetAnswer answer_;
};

}  // namespace

std::optional<MethodResult> entry_method(JmapContext& context, std::string_view name,
                                         const ir::Value& arguments) {
  const bool is_card = name.starts_with("ContactCard/");
  if (!is_card && !name.starts_with("CalendarEvent/")) return std::nullopt;
  const std::string_view verb = name.substr(name.find('/') + 1);
  static constexpr std::array<std::string_view, 5> kVerbs = {"get", "set", "query", "changes",
                                                             "parse"};
  if (std::find(kVerbs.begin(), kVerbs.end(), verb) == kVerbs.end()) return std::nullopt;
  const AccountAccess access = account_of(context, arguments);
  if (access.failed) return access.failed;
  MailAccount& account = context.world.account(access.id);
  const ShelfNames& names = names_of(is_card ? ShelfKind::contacts : ShelfKind::calendars);
  if (verb == "get") return get(context, names, account, arguments);
  if (verb == "query") return query(context, names, account, arguments);
  if (verb == "parse") return parse(context, names, account, arguments);
  if (verb == "changes") return changes_of(context, account, names.entries, arguments);
  if (auto failed = too_many_objects(context.world, arguments)) return failed;
  if (auto failed = check_state(account, names.entries, arguments)) return failed;
  for (const char* member : {"create", "update"})
    if (!arguments[member].is_null() && !arguments[member].is_map())
      return MethodResult::not_request();
  MethodResult result = EntrySetter(context, names, account, arguments).run();
  context.world.mail.save(account);
  return result;
}

}  // namespace plan::rehearsal
