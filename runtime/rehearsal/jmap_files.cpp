// FileNode/* (draft-ietf-jmap-filenode; reference/stalwart-admin.md 8.4).
#include <algorithm>
#include <array>

#include "compiler/source/text.h"
#include "runtime/rehearsal/groupware.h"
#include "runtime/rehearsal/ids.h"
#include "runtime/rehearsal/jmap.h"
#include "runtime/rehearsal/jmap_set.h"
#include "runtime/rehearsal/message.h"

namespace plan::rehearsal {
namespace {

constexpr std::size_t kNameBytesMax = 255;
constexpr int kTreeDepthMax = 64;

using Files = std::map<std::uint32_t, FileNode>;

ir::Value text_or_null(const std::string& text) {
  return text.empty() ? ir::Value() : ir::Value(text);
}

ir::Value show(const MailAccount& account, const FileNode& node, const ir::Value& properties) {
  const bool is_file = !node.blob.empty();
  ir::Value rights = ir::Value::map();
  for (const char* right :
       {"mayRead", "mayAddChildren", "mayRename", "mayDelete", "mayModifyContent", "mayShare"})
    rights.set(right, true);
  const ir::Value all = ir::Value::map(
      {{"id", encode_id(node.id)},
       {"parentId", node.parent ? ir::Value(encode_id(*node.parent)) : ir::Value()},
       {"nodeType", is_file ? "file" : "directory"},
       {"blobId", is_file ? ir::Value(email_blob_id(node.blob, account.id, node.id)) : ir::Value()},
       {"target", {}},
       {"size", is_file ? ir::Value(node.size) : ir::Value()},
       {"name", node.name},
       {"type", text_or_null(node.type)},
       {"created", text_or_null(node.created)},
       {"modified", text_or_null(node.modified)},
       {"accessed", text_or_null(node.accessed)},
       {"changed", text_or_null(node.changed)},
       {"executable", is_file ? ir::Value(node.is_executable) : ir::Value()},
       {"isSubscribed", true},
       {"myRights", std::move(rights)},
       {"shareWith", ir::Value::map()},
       {"role", {}}});
  return only_properties(all, properties);
}

MethodResult get(JmapContext& context, MailAccount& account, const ir::Value& arguments) {
  const ir::Value& ids = arguments["ids"];
  if (auto failed = too_many_ids(context.world, ids)) return *failed;
  const Files& files = account.groupware.files;
  ir::Value list = ir::Value::list();
  ir::Value missing = ir::Value::list();
  if (ids.is_list()) {
    for (const ir::Value& id : ids.items()) {
      const auto number = read_id(context, id.string_or("!"));
      const auto found = number ? files.find(*number) : files.end();
      if (found == files.end())
        missing.push_back(id);
      else
        list.push_back(show(account, found->second, arguments["properties"]));
    }
  } else {
    for (const auto& [number, node] : files)
      list.push_back(show(account, node, arguments["properties"]));
  }
  return MethodResult::answer(ir::Value::map({{"accountId", encode_id(account.id)},
                                              {"state", state_of(account, ChangeKind::file)},
                                              {"list", std::move(list)},
                                              {"notFound", std::move(missing)}}));
}

MethodResult query(JmapContext& context, MailAccount& account, const ir::Value& arguments) {
  std::vector<std::string> ids;
  const ir::Value& filter = arguments["filter"];
  for (const auto& [name, value] : filter.members())
    if (name != "parentId" && name != "name" && name != "type")
      return MethodResult::error("unsupportedFilter", name);
  for (const auto& [number, node] : account.groupware.files) {
    const auto parent =
        filter["parentId"].is_string() ? parse_id(filter["parentId"].string_or("")) : std::nullopt;
    if (filter.members().contains("parentId") &&
        (parent ? node.parent != static_cast<std::uint32_t>(*parent) : node.parent.has_value()))
      continue;
    if (filter["name"].is_string() && filter["name"].string_or("") != node.name) continue;
    if (filter["type"].is_string() && filter["type"].string_or("") != node.type) continue;
    ids.push_back(encode_id(number));
  }
  return query_window(context.world, encode_id(account.id), state_of(account, ChangeKind::file),
                      std::move(ids), arguments);
}

std::optional<ir::Value> check_name(std::string_view name) {
  if (name.empty() || name.size() > kNameBytesMax)
    return set_error("invalidProperties", "Name must be between 1 and 255 octets.", "name");
  if (name.find_first_of("/<>:\"|?*\\") != std::string_view::npos ||
      std::any_of(name.begin(), name.end(),
                  [](char c) { return static_cast<unsigned char>(c) < 0x20U; }))
    return set_error("invalidProperties", "Name contains a forbidden character.", "name");
  // The names of devices on other people's systems.
  const std::string stem = lower_ascii(name.substr(0, name.find('.')));
  const bool is_numbered = stem.size() == 4 && stem[3] >= '1' && stem[3] <= '9' &&
                           (stem.starts_with("com") || stem.starts_with("lpt"));
  if (name == "." || name == ".." || stem == "con" || stem == "prn" || stem == "aux" ||
      stem == "nul" || is_numbered)
    return set_error("invalidProperties", "Name is reserved and cannot be used.", "name");
  return std::nullopt;
}

class FileSetter {
 public:
  FileSetter(JmapContext& context, MailAccount& account, const ir::Value& arguments)
      : context_(context),
        account_(account),
        files_(account.groupware.files),
        arguments_(arguments) {}

  MethodResult run() {
    const std::string old_state = state_of(account_, ChangeKind::file);
    for (const auto& [name, body] : arguments_["create"].members())
      if (auto failed = create(name, body)) answer_.not_created.set(name, std::move(*failed));
    for (const auto& [id, patch] : arguments_["update"].members())
      if (auto failed = update(id, patch)) answer_.not_updated.set(id, std::move(*failed));
    for (const ir::Value& id : arguments_["destroy"].items()) {
      const std::string text(id.string_or(""));
      if (auto failed = destroy(text)) answer_.not_destroyed.set(text, std::move(*failed));
    }
    return answer_.finish(account_, ChangeKind::file, old_state);
  }

 private:
  void open() {
    if (!is_open_) context_.world.mail.open_change(account_);
    is_open_ = true;
  }

  const FileNode* sibling(const FileNode& node) const {
    for (const auto& [number, other] : files_)
      if (number != node.id && other.parent == node.parent && other.name == node.name)
        return &other;
    return nullptr;
  }

  std::optional<ir::Value> read_parent(const ir::Value& value, FileNode& node) const {
    node.parent.reset();
    if (value.is_null()) return std::nullopt;
    const auto number = read_id(context_, value.string_or("!"));
    const auto found = number ? files_.find(*number) : files_.end();
    if (found == files_.end() || !found->second.blob.empty())
      return set_error("invalidProperties", "Parent ID does not exist.", "parentId");
    node.parent = *number;
    return std::nullopt;
  }

  std::optional<ir::Value> read_content(const ir::Value& value, FileNode& node) const {
    const auto found = find_blob(context_.world, context_.login, account_.id, value.string_or(""));
    const auto bytes = found ? read_blob(context_.world, *found) : std::nullopt;
    if (!bytes) return set_error("blobNotFound", "Blob does not exist.", "blobId");
    if (static_cast<std::int64_t>(bytes->size()) >
        limit_of(context_.world, "x:FileStorage", "maxSize", 26'214'400))
      return set_error("tooLarge", "The file is too large.");
    node.blob = context_.world.mail.put_blob(*bytes);
    node.size = bytes->size();
    return std::nullopt;
  }

  std::optional<ir::Value> apply(const ir::Value& body, FileNode& node) const {
    for (const auto& [member, value] : body.members()) {
      const auto is_time = [&value] {
        return value.is_string() && parse_rfc3339(value.string_or("")).has_value();
      };
      if (member == "name") {
        if (auto failed = check_name(value.string_or(""))) return failed;
        node.name = value.string_or("");
      } else if (member == "parentId") {
        if (auto failed = read_parent(value, node)) return failed;
      } else if (member == "blobId") {
        if (value.is_null()) continue;
        if (auto failed = read_content(value, node)) return failed;
      } else if (member == "type" && (value.is_string() || value.is_null())) {
        node.type = value.string_or("");
      } else if (member == "created" && is_time()) {
        node.created = value.string_or("");
      } else if (member == "modified" && is_time()) {
        node.modified = value.string_or("");
        node.changed = node.modified;
      } else if (member == "accessed" && is_time()) {
        node.accessed = value.string_or("");
      } else if (member == "executable" && value.is_bool()) {
        node.is_executable = value.bool_or(false);
      } else if (member != "isSubscribed" && member != "shareWith" && member != "role") {
        return set_error("invalidProperties", "Field could not be set.", member);
      }
    }
    return std::nullopt;
  }

  // A name that is taken: what the argument onExists says. False: an error is in `failed`.
  std::optional<ir::Value> make_room(FileNode& node, bool& is_renamed) {
    const FileNode* other = sibling(node);
    if (other == nullptr) return std::nullopt;
    const std::string_view wish = arguments_["onExists"].string_or("reject");
    const bool is_newer = wish == "newest" && other->modified < node.modified;
    if (wish == "replace" || is_newer) {
      const std::uint32_t id = other->id;
      remove(id);
      return std::nullopt;
    }
    if (wish == "rename") {
      const std::size_t dot = node.name.rfind('.');
      const std::string stem = node.name.substr(0, dot);
      const std::string end = dot == std::string::npos ? std::string{} : node.name.substr(dot);
      for (int number = 2; sibling(node) != nullptr; ++number)
        node.name = stem + " (" + std::to_string(number) + ")" + end;
      is_renamed = true;
      return std::nullopt;
    }
    ir::Value error = set_error("alreadyExists");
    error.set("existingId", encode_id(other->id));
    return error;
  }

  std::optional<ir::Value> create(const std::string& name, const ir::Value& body) {
    const std::string now = show_rfc3339(context_.world.now_seconds());
    FileNode node;
    node.created = node.modified = node.accessed = node.changed = now;
    if (auto failed = apply(body, node)) return failed;
    if (node.name.empty()) return check_name("");
    const std::string_view limit = node.blob.empty() ? "maxFolders" : "maxFiles";
    if (static_cast<std::int64_t>(files_.size()) >=
        limit_of(context_.world, "x:FileStorage", limit, 4'294'967'295))
      return set_error("overQuota", "There are too many of these.");
    bool is_renamed = false;
    if (auto failed = make_room(node, is_renamed)) return failed;
    open();
    node.id = account_.groupware.next_node++;
    if (!node.blob.empty()) context_.world.mail.refer(node.blob);
    save_file(*context_.world.storage, account_.id, node);
    context_.world.mail.note(account_, ChangeKind::file, ChangeAction::created, node.id);
    context_.created_ids[name] = encode_id(node.id);
    ir::Value shown = ir::Value::map({{"id", encode_id(node.id)}});
    if (is_renamed) shown.set("name", node.name);
    answer_.created.set(name, std::move(shown));
    files_[node.id] = std::move(node);
    return std::nullopt;
  }

  bool is_inside(std::optional<std::uint32_t> child, std::uint32_t ancestor) const {
    for (int depth = 0; child && depth < kTreeDepthMax; ++depth) {
      if (*child == ancestor) return true;
      const auto found = files_.find(*child);
      if (found == files_.end()) return false;
      child = found->second.parent;
    }
    return false;
  }

  std::optional<ir::Value> update(const std::string& id, const ir::Value& patch) {
    const auto number = parse_id(id);
    const auto found = number ? files_.find(static_cast<std::uint32_t>(*number)) : files_.end();
    if (found == files_.end()) return set_error("notFound");
    FileNode changed = found->second;
    changed.modified = changed.changed = show_rfc3339(context_.world.now_seconds());
    if (auto failed = apply(patch, changed)) return failed;
    if (is_inside(changed.parent, changed.id))
      return set_error("invalidProperties", "A folder cannot be inside itself.", "parentId");
    bool is_renamed = false;
    if (auto failed = make_room(changed, is_renamed)) return failed;
    open();
    if (changed.blob != found->second.blob) {
      if (!changed.blob.empty()) context_.world.mail.refer(changed.blob);
      if (!found->second.blob.empty()) context_.world.mail.release(found->second.blob);
    }
    save_file(*context_.world.storage, account_.id, changed);
    context_.world.mail.note(account_, ChangeKind::file, ChangeAction::updated, changed.id);
    answer_.updated.set(id, is_renamed ? ir::Value::map({{"name", changed.name}}) : ir::Value());
    files_[changed.id] = std::move(changed);
    return std::nullopt;
  }

  void remove(std::uint32_t id) {
    const auto found = files_.find(id);
    if (found == files_.end()) return;
    open();
    if (!found->second.blob.empty()) context_.world.mail.release(found->second.blob);
    remove_file(*context_.world.storage, account_.id, id);
    context_.world.mail.note(account_, ChangeKind::file, ChangeAction::destroyed, id);
    files_.erase(found);
    answer_.destroyed.push_back(encode_id(id));
  }

  std::optional<ir::Value> destroy(const std::string& id) {
    const auto number = parse_id(id);
    const auto found = number ? files_.find(static_cast<std::uint32_t>(*number)) : files_.end();
    if (found == files_.end()) {
      // It may have gone with its parent in this very call.
      const auto& gone = answer_.destroyed.items();
      if (std::find(gone.begin(), gone.end(), ir::Value(id)) != gone.end()) return std::nullopt;
      return set_error("notFound");
    }
    const std::uint32_t top = found->first;
    std::vector<std::uint32_t> inside;
    for (const auto& [each, node] : files_)
      if (each != top && is_inside(node.parent, top)) inside.push_back(each);
    if (!inside.empty() && !arguments_["onDestroyRemoveChildren"].bool_or(false))
      return set_error("nodeHasChildren", "Cannot delete non-empty folder.");
    for (auto it = inside.rbegin(); it != inside.rend(); ++it) remove(*it);
    remove(top);
    return std::nullopt;
  }

  JmapContext& context_;
  MailAccount& account_;
  Files& files_;
  const ir::Value& arguments_;
  bool is_open_ = false;
  SetAnswer answer_;
};

}  // namespace

std::optional<MethodResult> file_method(JmapContext& context, std::string_view name,
                                        const ir::Value& arguments) {
  if (!name.starts_with("FileNode/")) return std::nullopt;
  const std::string_view verb = name.substr(name.find('/') + 1);
  if (verb != "get" && verb != "set" && verb != "query" && verb != "changes") return std::nullopt;
  const AccountAccess access = account_of(context, arguments);
  if (access.failed) return access.failed;
  MailAccount& account = context.world.account(access.id);
  if (verb == "get") return get(context, account, arguments);
  if (verb == "query") return query(context, account, arguments);
  if (verb == "changes") return changes_of(context, account, ChangeKind::file, arguments);
  if (auto failed = too_many_objects(context.world, arguments)) return failed;
  if (auto failed = check_state(account, ChangeKind::file, arguments)) return failed;
  for (const char* member : {"create", "update"})
    if (!arguments[member].is_null() && !arguments[member].is_map())
      return MethodResult::not_request();
  MethodResult result = FileSetter(context, account, arguments).run();
  context.world.mail.save(account);
  return result;
}

}  // namespace plan::rehearsal
