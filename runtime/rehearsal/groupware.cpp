#include "runtime/rehearsal/groupware.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "compiler/ir/digest.h"

namespace plan::rehearsal {
namespace {

std::string hex(std::uint64_t number) {
  std::array<char, 17> buffer{};
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + 16, number, 16);
  const std::string digits(buffer.data(), end);
  return error == std::errc{} ? std::string(16 - digits.size(), '0') + digits : std::string{};
}

// g/ACCOUNT/ and: C contacts, K calendars, each with m (counters), f (folder), e (entry); N files;
// P submissions.
std::string base(std::uint64_t account) { return "g/" + hex(account) + "/"; }

std::string shelf_key(std::uint64_t account, ShelfKind kind, char part) {
  return base(account) + static_cast<char>(kind) + part;
}

std::uint32_t small(const ir::Value& value) {
  return static_cast<std::uint32_t>(value.integer_or(0));
}

std::uint64_t number_of(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

void load_shelf(const Storage& storage, std::uint64_t account, ShelfKind kind, Shelf& shelf) {
  storage.scan(shelf_key(account, kind, 'm'), [&](std::string_view, const ir::Value& value) {
    shelf.is_made = true;
    shelf.next_folder = small(value["folder"]);
    shelf.next_entry = small(value["entry"]);
    shelf.default_folder = small(value["default"]);
  });
  storage.scan(shelf_key(account, kind, 'f'), [&](std::string_view, const ir::Value& value) {
    Folder folder;
    folder.id = small(value["id"]);
    for (const auto& [login, shown] : value["shown"].members())
      folder.shown[number_of(login)] = shown;
    shelf.folders[folder.id] = std::move(folder);
  });
  storage.scan(shelf_key(account, kind, 'e'), [&](std::string_view, const ir::Value& value) {
    Entry entry;
    entry.id = small(value["id"]);
    entry.uid = value["uid"].string_or("");
    for (const ir::Value& each : value["folders"].items()) entry.folders.insert(small(each));
    entry.body = value["body"];
    shelf.entries[entry.id] = std::move(entry);
  });
}

}  // namespace

void load_groupware(const Storage& storage, std::uint64_t account, Groupware& out) {
  load_shelf(storage, account, ShelfKind::contacts, out.contacts);
  load_shelf(storage, account, ShelfKind::calendars, out.calendars);
  storage.scan(base(account) + "N", [&](std::string_view, const ir::Value& value) {
    FileNode node;
    node.id = small(value["id"]);
    if (value["parent"].is_integer()) node.parent = small(value["parent"]);
    node.name = value["name"].string_or("");
    bool is_valid = false;
    node.blob = ir::from_base64(value["blob"].string_or(""), &is_valid);
    node.size = static_cast<std::uint64_t>(value["size"].integer_or(0));
    node.type = value["type"].string_or("");
    node.created = value["created"].string_or("");
    node.modified = value["modified"].string_or("");
    node.accessed = value["accessed"].string_or("");
    node.changed = value["changed"].string_or("");
    node.is_executable = value["executable"].bool_or(false);
    out.next_node = std::max(out.next_node, node.id + 1);
    out.files[node.id] = std::move(node);
  });
  storage.scan(base(account) + "P", [&](std::string_view, const ir::Value& value) {
    Submission submission;
    submission.id = small(value["id"]);
    submission.queue_id = static_cast<std::uint64_t>(value["queue"].integer_or(0));
    submission.shown = value["shown"];
    out.next_submission = std::max(out.next_submission, submission.id + 1);
    out.submissions[submission.id] = std::move(submission);
  });
}

void save_shelf(Storage& storage, std::uint64_t account, ShelfKind kind, const Shelf& shelf) {
  storage.put(shelf_key(account, kind, 'm'), ir::Value::map({{"folder", shelf.next_folder},
                                                             {"entry", shelf.next_entry},
                                                             {"default", shelf.default_folder}}));
}

void save_folder(Storage& storage, std::uint64_t account, ShelfKind kind, const Folder& folder) {
  ir::Value shown = ir::Value::map();
  for (const auto& [login, members] : folder.shown) shown.set(std::to_string(login), members);
  storage.put(shelf_key(account, kind, 'f') + hex(folder.id),
              ir::Value::map({{"id", folder.id}, {"shown", std::move(shown)}}));
}

void remove_folder(Storage& storage, std::uint64_t account, ShelfKind kind, std::uint32_t id) {
  storage.remove(shelf_key(account, kind, 'f') + hex(id));
}

void save_entry(Storage& storage, std::uint64_t account, ShelfKind kind, const Entry& entry) {
  ir::Value folders = ir::Value::list();
  for (const std::uint32_t folder : entry.folders) folders.push_back(folder);
  storage.put(shelf_key(account, kind, 'e') + hex(entry.id),
              ir::Value::map({{"id", entry.id},
                              {"uid", entry.uid},
                              {"folders", std::move(folders)},
                              {"body", entry.body}}));
}

void remove_entry(Storage& storage, std::uint64_t account, ShelfKind kind, std::uint32_t id) {
  storage.remove(shelf_key(account, kind, 'e') + hex(id));
}

void save_file(Storage& storage, std::uint64_t account, const FileNode& node) {
  storage.put(base(account) + "N" + hex(node.id),
              ir::Value::map({{"id", node.id},
                              {"parent", node.parent ? ir::Value(*node.parent) : ir::Value()},
                              {"name", node.name},
                              {"blob", ir::to_base64(node.blob)},
                              {"size", node.size},
                              {"type", node.type},
                              {"created", node.created},
                              {"modified", node.modified},
                              {"accessed", node.accessed},
                              {"changed", node.changed},
                              {"executable", node.is_executable}}));
}

void remove_file(Storage& storage, std::uint64_t account, std::uint32_t id) {
  storage.remove(base(account) + "N" + hex(id));
}

void save_submission(Storage& storage, std::uint64_t account, const Submission& submission) {
  storage.put(base(account) + "P" + hex(submission.id),
              ir::Value::map({{"id", submission.id},
                              {"queue", static_cast<std::int64_t>(submission.queue_id)},
                              {"shown", submission.shown}}));
}

void remove_groupware(Storage& storage, std::uint64_t account) {
  storage.remove_all(base(account));
}

}  // namespace plan::rehearsal
