// Mailbox/* (RFC 8621, 2; reference/stalwart-admin.md 8.2).
#include <algorithm>
#include <array>
#include <functional>

#include "compiler/source/text.h"
#include "runtime/rehearsal/ids.h"
#include "runtime/rehearsal/jmap.h"
#include "runtime/rehearsal/jmap_set.h"

namespace plan::rehearsal {
namespace {

constexpr std::array<std::string_view, 10> kRoles = {"inbox",     "trash",  "junk",      "drafts",
                                                     "archive",   "sent",   "important", "memos",
                                                     "scheduled", "snoozed"};
constexpr int kTreeDepthMax = 64;

std::uint64_t unread_of(const MailAccount& account, const Mailbox& mailbox, std::uint64_t& threads,
                        std::uint64_t& unread_threads) {
  std::uint64_t unread = 0;
  std::set<std::uint32_t> all;
  std::set<std::uint32_t> with_unread;
  for (const auto& [uid, document] : mailbox.messages) {
    const auto found = account.emails.find(document);
    if (found == account.emails.end()) continue;
    all.insert(found->second.thread);
    if (found->second.keywords.contains("$seen") || found->second.keywords.contains("$draft"))
      continue;
    ++unread;
    with_unread.insert(found->second.thread);
  }
  threads = all.size();
  unread_threads = with_unread.size();
  return unread;
}

ir::Value show(const JmapContext& context, const MailAccount& account, const Mailbox& mailbox) {
  std::uint64_t threads = 0;
  std::uint64_t unread_threads = 0;
  const std::uint64_t unread = unread_of(account, mailbox, threads, unread_threads);
  ir::Value rights = ir::Value::map();
  for (const std::string_view right :
       {"mayReadItems", "mayAddItems", "mayRemoveItems", "maySetSeen", "maySetKeywords",
        "mayCreateChild", "mayRename", "maySubmit", "mayDelete", "mayShare"})
    rights.set(std::string(right), true);
  return ir::Value::map(
      {{"id", encode_id(mailbox.id)},
       {"name", mailbox.name},
       {"parentId", mailbox.parent ? ir::Value(encode_id(*mailbox.parent)) : ir::Value()},
       {"role", mailbox.role.empty() ? ir::Value() : ir::Value(mailbox.role)},
       {"sortOrder", mailbox.sort_order},
       {"isSubscribed", mailbox.subscribers.contains(context.login.account)},
       {"totalEmails", static_cast<std::int64_t>(mailbox.messages.size())},
       {"unreadEmails", unread},
       {"totalThreads", threads},
       {"unreadThreads", unread_threads},
       {"myRights", std::move(rights)}});
}

MethodResult get(JmapContext& context, MailAccount& account, const ir::Value& arguments) {
  ir::Value list = ir::Value::list();
  ir::Value missing = ir::Value::list();
  if (auto failed = too_many_ids(context.world, arguments["ids"])) return *failed;
  if (arguments["ids"].is_list()) {
    for (const ir::Value& id : arguments["ids"].items()) {
      const auto number = parse_id(id.string_or(""));
      const auto found = number ? account.mailboxes.find(static_cast<std::uint32_t>(*number))
                                : account.mailboxes.end();
      if (found == account.mailboxes.end())
        missing.push_back(id);
      else
        list.push_back(
            only_properties(show(context, account, found->second), arguments["properties"]));
    }
  } else {
    for (const auto& [number, mailbox] : account.mailboxes)
      list.push_back(only_properties(show(context, account, mailbox), arguments["properties"]));
  }
  return MethodResult::answer(ir::Value::map({{"accountId", encode_id(account.id)},
                                              {"state", state_of(account, ChangeKind::mailbox)},
                                              {"list", std::move(list)},
                                              {"notFound", std::move(missing)}}));
}

MethodResult query(JmapContext& context, MailAccount& account, const ir::Value& arguments) {
  std::vector<const Mailbox*> found;
  const ir::Value& filter = arguments["filter"];
  for (const auto& [name, value] : filter.members())
    if (name != "role" && name != "name" && name != "parentId" && name != "hasAnyRole" &&
        name != "isSubscribed")
      return MethodResult::error("unsupportedFilter", name);
  for (const auto& [number, mailbox] : account.mailboxes) {
    bool fits = true;
    for (const auto& [name, value] : filter.members()) {
      if (name == "role") fits = fits && mailbox.role == value.string_or("");
      if (name == "name")
        fits = fits && lower_ascii(mailbox.name).find(lower_ascii(value.string_or(""))) !=
                           std::string::npos;
      if (name == "hasAnyRole") fits = fits && mailbox.role.empty() != value.bool_or(false);
      if (name == "isSubscribed")
        fits = fits && mailbox.subscribers.contains(context.login.account) == value.bool_or(false);
      if (name == "parentId") {
        const auto parent = value.is_string() ? parse_id(value.string_or("")) : std::nullopt;
        fits = fits && (parent ? mailbox.parent == static_cast<std::uint32_t>(*parent)
                               : !mailbox.parent.has_value());
      }
    }
    if (fits) found.push_back(&mailbox);
  }
  const std::string_view property = arguments["sort"].item(0)["property"].string_or("");
  const bool is_ascending = arguments["sort"].item(0)["isAscending"].bool_or(true);
  if (!property.empty() && property != "name" && property != "sortOrder" && property != "parentId")
    return MethodResult::error("unsupportedSort", property);
  std::stable_sort(found.begin(), found.end(), [&](const Mailbox* left, const Mailbox* right) {
    if (property == "name")
      return is_ascending ? left->name < right->name : left->name > right->name;
    if (property == "sortOrder")
      return is_ascending ? left->sort_order < right->sort_order
                          : left->sort_order > right->sort_order;
    return false;
  });
  std::vector<std::string> ids;
  for (const Mailbox* mailbox : found) ids.push_back(encode_id(mailbox->id));
  return query_window(context.world, encode_id(account.id), state_of(account, ChangeKind::mailbox),
                      std::move(ids), arguments);
}

// Works on one /set call.
class Setter {
 public:
  Setter(JmapContext& context, MailAccount& account, const ir::Value& arguments)
      : context_(context), mail_(context.world.mail), account_(account), arguments_(arguments) {}

  MethodResult run() {
    const std::string old_state = state_of(account_, ChangeKind::mailbox);
    create();
    update();
    destroy();
    return answer_.finish(account_, ChangeKind::mailbox, old_state);
  }

 private:
  void open() {
    if (!is_open_) mail_.open_change(account_);
    is_open_ = true;
  }

  // Parents before children, whatever their order in the call; a reference to nothing created stays
  // an error.
  std::vector<std::string> creation_order() const {
    std::vector<std::string> order;
    std::set<std::string> done;
    const std::function<void(const std::string&, int)> add = [&](const std::string& name,
                                                                 int depth) {
      if (done.contains(name) || depth > 500) return;
      const ir::Value& body = arguments_["create"][name];
      const std::string_view parent = body["parentId"].string_or("");
      if (parent.starts_with('#') && arguments_["create"].members().contains(parent.substr(1)))
        add(std::string(parent.substr(1)), depth + 1);
      if (done.insert(name).second) order.push_back(name);
    };
    for (const auto& [name, body] : arguments_["create"].members()) add(name, 0);
    return order;
  }

  std::optional<ir::Value> check_name(const std::string& name, std::optional<std::uint32_t> parent,
                                      std::optional<std::uint32_t> self) const {
    if (name.empty())
      return set_error("invalidProperties", "Mailbox name cannot be empty.", "name");
    if (static_cast<std::int64_t>(name.size()) >=
        limit_of(context_.world, "x:Email", "maxMailboxNameLength", 255))
      return set_error("invalidProperties", "Mailbox name is too long.", "name");
    const std::string lower = lower_ascii(name);
    for (const auto& [number, other] : account_.mailboxes) {
      if (self == number || other.parent != parent || lower_ascii(other.name) != lower) continue;
      ir::Value error =
          set_error("alreadyExists", "A mailbox with name '" + name + "' already exists.");
      error.set("existingId", encode_id(number));
      return error;
    }
    return std::nullopt;
  }

  std::optional<ir::Value> read_parent(const ir::Value& value,
                                       std::optional<std::uint32_t>& parent) const {
    if (value.is_null()) {
      parent.reset();
      return std::nullopt;
    }
    std::string text(value.string_or("!"));
    if (text.starts_with('#')) {
      const auto found = context_.created_ids.find(text.substr(1));
      if (found == context_.created_ids.end())
        return set_error("invalidProperties", "Invalid property or value.", "parentId");
      text = found->second;
    }
    const auto number = parse_id(text);
    if (!number || !account_.mailboxes.contains(static_cast<std::uint32_t>(*number)))
      return set_error("invalidProperties", "Parent ID does not exist.");
    parent = static_cast<std::uint32_t>(*number);
    return std::nullopt;
  }

  // Applies the members of a create or patch to `mailbox`.
  std::optional<ir::Value> apply(const ir::Value& body, Mailbox& mailbox, bool is_create) {
    for (const auto& [name, value] : body.members()) {
      const auto invalid = set_error("invalidProperties", "Invalid property or value.", name);
      if (name == "name") {
        if (!value.is_string()) return invalid;
        mailbox.name = std::string(trim(value.string_or("")));
      } else if (name == "parentId") {
        if (auto failed = read_parent(value, mailbox.parent)) return failed;
      } else if (name == "role") {
        const std::string role = lower_ascii(value.string_or(""));
        if (!value.is_null() && std::find(kRoles.begin(), kRoles.end(), role) == kRoles.end())
          return invalid;
        const bool is_fixed =
            mailbox.role == "inbox" || mailbox.role == "junk" || mailbox.role == "trash";
        if (!is_create && is_fixed && role != mailbox.role)
          return set_error(
              "invalidProperties",
              "You are not allowed to change the role of Inbox, Junk or Trash folders.", "role");
        const Mailbox* holder = role.empty() ? nullptr : account_.mailbox_with_role(role);
        if (holder != nullptr && (is_create || holder->id != mailbox.id))
          return set_error("invalidProperties",
                           "A mailbox with role '" + role + "' already exists.", "role");
        mailbox.role = role;
      } else if (name == "sortOrder") {
        if (!value.is_integer() || value.integer_or(-1) < 0) return invalid;
        mailbox.sort_order = value.integer_or(0);
      } else if (name == "isSubscribed") {
        if (!value.is_bool()) return invalid;
        if (value.bool_or(false))
          mailbox.subscribers.insert(context_.login.account);
        else
          mailbox.subscribers.erase(context_.login.account);
      } else if (name != "shareWith" && !name.starts_with("shareWith/")) {
        return invalid;
      }
    }
    return std::nullopt;
  }

  std::size_t depth_of(std::optional<std::uint32_t> parent) const {
    std::size_t depth = 0;
    while (parent && depth < kTreeDepthMax) {
      const auto found = account_.mailboxes.find(*parent);
      if (found == account_.mailboxes.end()) break;
      parent = found->second.parent;
      ++depth;
    }
    return depth;
  }

  void create() {
    std::set<std::uint32_t> fresh;
    for (const std::string& name : creation_order()) {
      const ir::Value& body = arguments_["create"][name];
      Mailbox mailbox;
      auto failed = apply(body, mailbox, true);
      if (!failed) failed = check_name(mailbox.name, mailbox.parent, std::nullopt);
      // The depth is only counted against mailboxes that were there before the call
      // (reference 8.2).
      if (!failed && mailbox.parent && !fresh.contains(*mailbox.parent) &&
          static_cast<std::int64_t>(depth_of(mailbox.parent)) >=
              limit_of(context_.world, "x:Email", "maxMailboxDepth", 10))
        failed =
            set_error("invalidProperties", "Mailbox parent hierarchy is too deep.", "parentId");
      if (!failed && static_cast<std::int64_t>(account_.mailboxes.size()) >=
                         limit_of(context_.world, "x:Email", "maxMailboxes", 250))
        failed =
            set_error("overQuota",
                      "There are too many mailboxes, please delete some before adding a new one.");
      if (failed) {
        answer_.not_created.set(name, std::move(*failed));
        continue;
      }
      open();
      const Mailbox& made = mail_.add_mailbox(account_, std::move(mailbox));
      fresh.insert(made.id);
      context_.created_ids[name] = encode_id(made.id);
      answer_.created.set(name, ir::Value::map({{"id", encode_id(made.id)}}));
    }
  }

  bool is_inside(std::uint32_t child, std::uint32_t ancestor) const {
    std::optional<std::uint32_t> at = child;
    for (int depth = 0; at && depth < kTreeDepthMax; ++depth) {
      if (*at == ancestor) return true;
      const auto found = account_.mailboxes.find(*at);
      if (found == account_.mailboxes.end()) return false;
      at = found->second.parent;
    }
    return false;
  }

  void update() {
    for (const auto& [text, patch] : arguments_["update"].members()) {
      const auto number = parse_id(text);
      const auto found = number ? account_.mailboxes.find(static_cast<std::uint32_t>(*number))
                                : account_.mailboxes.end();
      if (found == account_.mailboxes.end()) {
        answer_.not_updated.set(text, set_error("notFound"));
        continue;
      }
      Mailbox changed = found->second;
      auto failed = apply(patch, changed, false);
      if (!failed && changed.parent && is_inside(*changed.parent, changed.id))
        failed =
            set_error("invalidProperties", "Mailbox cannot be a parent of itself.", "parentId");
      if (!failed && (changed.name != found->second.name || changed.parent != found->second.parent))
        failed = check_name(changed.name, changed.parent, changed.id);
      if (failed) {
        answer_.not_updated.set(text, std::move(*failed));
        continue;
      }
      if (changed.name != found->second.name || changed.parent != found->second.parent)
        changed.uid_validity =
            mail_.new_uid_validity();  // the real server's UIDVALIDITY follows the name
      open();
      found->second = std::move(changed);
      mail_.note(account_, ChangeKind::mailbox, ChangeAction::updated, found->first);
      mail_.save(account_, found->second);
      mail_.save(account_);
      answer_.updated.set(text, {});
    }
  }

  void destroy() {
    for (const ir::Value& id : arguments_["destroy"].items()) {
      const std::string text(id.string_or(""));
      const auto number = parse_id(text);
      const auto found = number ? account_.mailboxes.find(static_cast<std::uint32_t>(*number))
                                : account_.mailboxes.end();
      std::optional<ir::Value> failed;
      if (found == account_.mailboxes.end()) {
        failed = set_error("notFound");
      } else if (found->second.role == "inbox" || found->second.role == "trash" ||
                 found->second.role == "junk") {
        failed =
            set_error("forbidden", "You are not allowed to delete Inbox, Junk or Trash folders.");
      } else if (std::any_of(
                     account_.mailboxes.begin(), account_.mailboxes.end(),
                     [&](const auto& each) { return each.second.parent == found->first; })) {
        failed = set_error("mailboxHasChild", "Mailbox has at least one children.");
      } else if (!found->second.messages.empty() &&
                 !arguments_["onDestroyRemoveEmails"].bool_or(false)) {
        failed = set_error("mailboxHasEmail", "Mailbox is not empty.");
      }
      if (failed) {
        answer_.not_destroyed.set(text, std::move(*failed));
        continue;
      }
      open();
      const std::map<std::uint32_t, std::uint32_t> messages = found->second.messages;
      for (const auto& [uid, document] : messages) {
        const auto email = account_.emails.find(document);
        if (email == account_.emails.end()) continue;
        mail_.displace(account_, email->second, found->first);
        if (email->second.mailboxes.empty()) {
          mail_.remove_email(account_, document);
        } else {
          mail_.note(account_, ChangeKind::email, ChangeAction::updated, email->second.id());
          mail_.save(account_, email->second);
        }
      }
      mail_.remove_mailbox(account_, found->first);
      answer_.destroyed.push_back(text);
    }
  }

  JmapContext& context_;
  MailStore& mail_;
  MailAccount& account_;
  const ir::Value& arguments_;
  bool is_open_ = false;
  SetAnswer answer_;
};

MethodResult query_changes(JmapContext& context, MailAccount& account, const ir::Value& arguments) {
  ir::Value asked = ir::Value::map({{"sinceState", arguments["sinceQueryState"]}});
  MethodResult changes = changes_of(context, account, ChangeKind::mailbox, asked);
  if (changes.kind != MethodResult::Kind::answer) return changes;
  std::set<std::string, std::less<>> touched;
  ir::Value removed = ir::Value::list();
  for (const char* kind : {"updated", "destroyed"})
    for (const ir::Value& id : changes.arguments[kind].items()) removed.push_back(id);
  for (const char* kind : {"created", "updated"})
    for (const ir::Value& id : changes.arguments[kind].items()) touched.emplace(id.string_or(""));
  ir::Value added = ir::Value::list();
  int index = 0;
  for (const auto& [number, mailbox] : account.mailboxes) {
    if (touched.contains(encode_id(number)))
      added.push_back(ir::Value::map({{"id", encode_id(number)}, {"index", index}}));
    ++index;
  }
  return MethodResult::answer(ir::Value::map({{"accountId", encode_id(account.id)},
                                              {"oldQueryState", arguments["sinceQueryState"]},
                                              {"newQueryState", changes.arguments["newState"]},
                                              {"removed", std::move(removed)},
                                              {"added", std::move(added)}}));
}

}  // namespace

std::optional<MethodResult> mailbox_method(JmapContext& context, std::string_view name,
                                           const ir::Value& arguments) {
  if (!name.starts_with("Mailbox/")) return std::nullopt;
  const std::string_view verb = name.substr(8);
  if (verb != "get" && verb != "set" && verb != "query" && verb != "changes" &&
      verb != "queryChanges")
    return std::nullopt;
  const AccountAccess access = account_of(context, arguments);
  if (access.failed) return access.failed;
  MailAccount& account = context.world.account(access.id);
  if (verb == "get") return get(context, account, arguments);
  if (verb == "query") return query(context, account, arguments);
  if (verb == "changes") return changes_of(context, account, ChangeKind::mailbox, arguments);
  if (verb == "queryChanges") return query_changes(context, account, arguments);
  if (context.world.registry.find("x:Account", access.id) == nullptr &&
      access.id != kAdministratorId)
    return MethodResult::error("serverUnavailable",
                               "This server is temporarily unavailable. Attempting this same "
                               "operation later may succeed.");
  if (auto failed = too_many_objects(context.world, arguments)) return failed;
  if (auto failed = check_state(account, ChangeKind::mailbox, arguments)) return failed;
  for (const char* member : {"create", "update"})
    if (!arguments[member].is_null() && !arguments[member].is_map())
      return MethodResult::not_request();
  return Setter(context, account, arguments).run();
}

}  // namespace plan::rehearsal
