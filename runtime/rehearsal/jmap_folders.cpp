// AddressBook/* and Calendar/* (RFC 9610, draft-ietf-jmap-calendars; reference/stalwart-admin.md
// 8.1 and 8.4).
#include <algorithm>
#include <array>

#include "runtime/rehearsal/groupware.h"
#include "runtime/rehearsal/ids.h"
#include "runtime/rehearsal/jmap.h"
#include "runtime/rehearsal/jmap_set.h"
#include "runtime/rehearsal/shelf.h"

namespace plan::rehearsal {
namespace {

constexpr std::size_t kNameBytesMax = 255;

constexpr std::array<std::string_view, 4> kBookMembers = {"name", "description", "sortOrder",
                                                          "isSubscribed"};
constexpr std::array<std::string_view, 10> kCalendarMembers = {"name",
                                                               "description",
                                                               "color",
                                                               "timeZone",
                                                               "sortOrder",
                                                               "isSubscribed",
                                                               "isVisible",
                                                               "includeInAvailability",
                                                               "defaultAlertsWithTime",
                                                               "defaultAlertsWithoutTime"};

bool is_member(const ShelfNames& names, std::string_view member) {
  if (names.kind == ShelfKind::contacts)
    return std::find(kBookMembers.begin(), kBookMembers.end(), member) != kBookMembers.end();
  return std::find(kCalendarMembers.begin(), kCalendarMembers.end(), member) !=
         kCalendarMembers.end();
}

bool fits(std::string_view member, const ir::Value& value) {
  if (member == "name") {
    const std::string_view name = value.string_or("");
    return !name.empty() && name.size() <= kNameBytesMax;
  }
  if (member == "sortOrder") return value.is_integer() && value.integer_or(-1) >= 0;
  if (member == "isSubscribed" || member == "isVisible") return value.is_bool();
  if (member == "includeInAvailability")
    return value == ir::Value("all") || value == ir::Value("attending") ||
           value == ir::Value("none");
  if (member.starts_with("defaultAlerts")) return value.is_null() || value.is_map();
  return value.is_null() || value.is_string();
}

ir::Value rights_of(const ShelfNames& names) {
  ir::Value out = ir::Value::map();
  if (names.kind == ShelfKind::contacts) {
    for (const char* right : {"mayRead", "mayWrite", "mayDelete", "mayShare"}) out.set(right, true);
  } else {
    for (const char* right : {"mayReadFreeBusy", "mayReadItems", "mayWriteAll", "mayWriteOwn",
                              "mayUpdatePrivate", "mayRSVP", "mayShare", "mayDelete"})
      out.set(right, true);
  }
  return out;
}

// What one login sees. A login that has written nothing sees a nameless folder.
ir::Value show(const ShelfNames& names, const Shelf& shelf, const Folder& folder,
               std::uint64_t login, const ir::Value& properties) {
  static const ir::Value kNothing = ir::Value::map();
  const auto found = folder.shown.find(login);
  const ir::Value& own = found == folder.shown.end() ? kNothing : found->second;
  const bool is_book = names.kind == ShelfKind::contacts;
  ir::Value out = ir::Value::map({{"id", encode_id(folder.id)}});
  out.set("name", own["name"].string_or(is_book ? "Address Book" : ""));
  out.set("description", own["description"]);
  if (!is_book) {
    out.set("color", own["color"]);
    out.set("timeZone", own["timeZone"]);
  }
  out.set("sortOrder", own["sortOrder"].integer_or(0));
  out.set("isDefault", folder.id == shelf.default_folder);
  out.set("isSubscribed", own["isSubscribed"].bool_or(false));
  out.set("myRights", rights_of(names));
  if (!properties.is_list()) return out;
  out.set("shareWith", ir::Value::map());
  if (!is_book) {
    out.set("isVisible", own["isVisible"].bool_or(true));
    out.set("includeInAvailability", own["includeInAvailability"].string_or("all"));
    for (const char* alerts : {"defaultAlertsWithTime", "defaultAlertsWithoutTime"})
      out.set(alerts, own[alerts].is_map() ? own[alerts] : ir::Value::map());
  }
  return only_properties(out, properties);
}

MethodResult get(JmapContext& context, const ShelfNames& names, MailAccount& account,
                 const ir::Value& arguments) {
  const ir::Value& ids = arguments["ids"];
  if (auto failed = too_many_ids(context.world, ids)) return *failed;
  const Shelf& shelf = shelf_of(context.world, account, names.kind);
  ir::Value list = ir::Value::list();
  ir::Value missing = ir::Value::list();
  const auto add = [&](const Folder& folder) {
    list.push_back(show(names, shelf, folder, context.login.account, arguments["properties"]));
  };
  if (ids.is_list()) {
    for (const ir::Value& id : ids.items()) {
      const auto number = read_id(context, id.string_or("!"));
      const auto found = number ? shelf.folders.find(*number) : shelf.folders.end();
      if (found == shelf.folders.end())
        missing.push_back(id);
      else
        add(found->second);
    }
  } else {
    for (const auto& [number, folder] : shelf.folders) add(folder);
  }
  return MethodResult::answer(ir::Value::map({{"accountId", encode_id(account.id)},
                                              {"state", state_of(account, names.folders)},
                                              {"list", std::move(list)},
                                              {"notFound", std::move(missing)}}));
}

class FolderSetter {
 public:
  FolderSetter(JmapContext& context, const ShelfNames& names, MailAccount& account,
               const ir::Value& arguments)
      : context_(context),
        names_(names),
        account_(account),
        shelf_(shelf_of(context.world, account, names.kind)),
        arguments_(arguments) {}

  MethodResult run() {
    const std::string old_state = state_of(account_, names_.folders);
    for (const auto& [name, body] : arguments_["create"].members())
      if (auto failed = create(name, body)) answer_.not_created.set(name, std::move(*failed));
    for (const auto& [id, patch] : arguments_["update"].members())
      if (auto failed = update(id, patch)) answer_.not_updated.set(id, std::move(*failed));
    for (const ir::Value& id : arguments_["destroy"].items()) {
      const std::string text(id.string_or(""));
      if (auto failed = destroy(text))
        answer_.not_destroyed.set(text, std::move(*failed));
      else
        answer_.destroyed.push_back(text);
    }
    // The wish counts only when nothing failed; it changes no state.
    if (!answer_.has_failed() && arguments_["onSuccessSetIsDefault"].is_string()) {
      const auto wanted = read_id(context_, arguments_["onSuccessSetIsDefault"].string_or(""));
      if (wanted && shelf_.folders.contains(*wanted)) shelf_.default_folder = *wanted;
    }
    save_shelf(*context_.world.storage, account_.id, names_.kind, shelf_);
    return answer_.finish(account_, names_.folders, old_state);
  }

 private:
  void open() {
    if (!is_open_) context_.world.mail.open_change(account_);
    is_open_ = true;
  }

  std::optional<ir::Value> apply(ir::Value& shown, const ir::Value& body) const {
    for (const auto& [member, value] : body.members()) {
      if (member == "shareWith" || member.starts_with("shareWith/")) continue;
      if (!is_member(names_, member) || !fits(member, value))
        return set_error("invalidProperties", "Field could not be set.", member);
      shown.set(member, value);
    }
    return std::nullopt;
  }

  std::optional<ir::Value> create(const std::string& name, const ir::Value& body) {
    Folder folder;
    ir::Value shown = ir::Value::map();
    if (auto failed = apply(shown, body)) return failed;
    if (!shown["name"].is_string()) return set_error("invalidProperties", "Missing name.", "name");
    const std::int64_t max = limit_of(context_.world, names_.settings, names_.folders_max, 250);
    if (static_cast<std::int64_t>(shelf_.folders.size()) >= max)
      return set_error("overQuota",
                       "There are too many of these, please delete some before adding a new one.");
    open();
    folder.id = shelf_.next_folder++;
    folder.shown[context_.login.account] = std::move(shown);
    save_folder(*context_.world.storage, account_.id, names_.kind, folder);
    context_.world.mail.note(account_, names_.folders, ChangeAction::created, folder.id);
    context_.created_ids[name] = encode_id(folder.id);
    answer_.created.set(name, ir::Value::map({{"id", encode_id(folder.id)}}));
    shelf_.folders[folder.id] = std::move(folder);
    return std::nullopt;
  }

  std::optional<ir::Value> update(const std::string& id, const ir::Value& patch) {
    const auto number = parse_id(id);
    const auto found =
        number ? shelf_.folders.find(static_cast<std::uint32_t>(*number)) : shelf_.folders.end();
    if (found == shelf_.folders.end()) return set_error("notFound");
    const auto known = found->second.shown.find(context_.login.account);
    ir::Value shown = known == found->second.shown.end() ? ir::Value::map() : known->second;
    if (auto failed = apply(shown, patch)) return failed;
    open();
    found->second.shown[context_.login.account] = std::move(shown);
    save_folder(*context_.world.storage, account_.id, names_.kind, found->second);
    context_.world.mail.note(account_, names_.folders, ChangeAction::updated, found->first);
    answer_.updated.set(id, {});
    return std::nullopt;
  }

  std::optional<ir::Value> destroy(const std::string& id) {
    const auto number = parse_id(id);
    const auto found =
        number ? shelf_.folders.find(static_cast<std::uint32_t>(*number)) : shelf_.folders.end();
    if (found == shelf_.folders.end()) return set_error("notFound");
    const std::uint32_t folder = found->first;
    std::vector<std::uint32_t> inside;
    for (const auto& [entry, each] : shelf_.entries)
      if (each.folders.contains(folder)) inside.push_back(entry);
    if (!inside.empty() && !arguments_[names_.remove_contents].bool_or(false))
      return set_error(names_.has_contents, names_.kind == ShelfKind::contacts
                                                ? "Address book is not empty."
                                                : "Calendar is not empty.");
    open();
    for (const std::uint32_t entry : inside) leave(entry, folder);
    shelf_.folders.erase(found);
    if (shelf_.default_folder == folder)
      shelf_.default_folder = shelf_.folders.empty() ? 0 : shelf_.folders.begin()->first;
    remove_folder(*context_.world.storage, account_.id, names_.kind, folder);
    context_.world.mail.note(account_, names_.folders, ChangeAction::destroyed, folder);
    return std::nullopt;
  }

  // An entry that is in no folder any more goes with the folder.
  void leave(std::uint32_t id, std::uint32_t folder) {
    Entry& entry = shelf_.entries[id];
    entry.folders.erase(folder);
    const bool is_gone = entry.folders.empty();
    context_.world.mail.note(account_, names_.entries,
                             is_gone ? ChangeAction::destroyed : ChangeAction::updated, id);
    if (!is_gone) {
      save_entry(*context_.world.storage, account_.id, names_.kind, entry);
      return;
    }
    remove_entry(*context_.world.storage, account_.id, names_.kind, id);
    shelf_.entries.erase(id);
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

const ShelfNames& names_of(ShelfKind kind) {
  static constexpr ShelfNames kContacts = {ShelfKind::contacts,
                                           ChangeKind::address_book,
                                           ChangeKind::card,
                                           "x:AddressBook",
                                           "maxAddressBooks",
                                           "maxContacts",
                                           "maxVCardSize",
                                           "addressBookIds",
                                           "onDestroyRemoveContents",
                                           "addressBookHasContents",
                                           "Contact",
                                           "address book"};
  static constexpr ShelfNames kCalendars = {ShelfKind::calendars,
                                            ChangeKind::calendar,
                                            ChangeKind::event,
                                            "x:Calendar",
                                            "maxCalendars",
                                            "maxEvents",
                                            "maxICalendarSize",
                                            "calendarIds",
                                            "onDestroyRemoveEvents",
                                            "calendarHasEvent",
                                            "Event",
                                            "calendar"};
  return kind == ShelfKind::contacts ? kContacts : kCalendars;
}

Shelf& shelf_of(World& world, MailAccount& account, ShelfKind kind) {
  Shelf& shelf =
      kind == ShelfKind::contacts ? account.groupware.contacts : account.groupware.calendars;
  if (shelf.is_made) return shelf;
  const ShelfNames& names = names_of(kind);
  shelf.is_made = true;
  const ir::Value& settings = world.live->singleton(names.settings);
  const std::string_view display = settings["defaultDisplayName"].string_or("");
  // Without a name for it no default folder is made.
  const ir::Value* owner = world.registry.find("x:Account", account.id);
  if (!display.empty()) {
    Folder folder;
    folder.id = shelf.next_folder++;
    std::string name(display);
    if (owner != nullptr) name += " (" + address_of(world, *owner) + ")";
    folder.shown[account.id] = ir::Value::map({{"name", name}, {"isSubscribed", true}});
    shelf.default_folder = folder.id;
    world.mail.open_change(account);
    world.mail.note(account, names.folders, ChangeAction::created, folder.id);
    save_folder(*world.storage, account.id, kind, folder);
    shelf.folders[folder.id] = std::move(folder);
  }
  save_shelf(*world.storage, account.id, kind, shelf);
  world.mail.save(account);
  return shelf;
}

std::optional<MethodResult> folder_method(JmapContext& context, std::string_view name,
                                          const ir::Value& arguments) {
  const bool is_book = name.starts_with("AddressBook/");
  if (!is_book && !name.starts_with("Calendar/")) return std::nullopt;
  const std::string_view verb = name.substr(name.find('/') + 1);
  if (verb != "get" && verb != "set" && verb != "changes") return std::nullopt;
  const AccountAccess access = account_of(context, arguments);
  if (access.failed) return access.failed;
  MailAccount& account = context.world.account(access.id);
  const ShelfNames& names = names_of(is_book ? ShelfKind::contacts : ShelfKind::calendars);
  if (verb == "get") return get(context, names, account, arguments);
  static_cast<void>(shelf_of(context.world, account, names.kind));
  if (verb == "changes") return changes_of(context, account, names.folders, arguments);
  if (auto failed = too_many_objects(context.world, arguments)) return failed;
  if (auto failed = check_state(account, names.folders, arguments)) return failed;
  for (const char* member : {"create", "update"})
    if (!arguments[member].is_null() && !arguments[member].is_map())
      return MethodResult::not_request();
  MethodResult result = FolderSetter(context, names, account, arguments).run();
  context.world.mail.save(account);
  return result;
}

}  // namespace plan::rehearsal
