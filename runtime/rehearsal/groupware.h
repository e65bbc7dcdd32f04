#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>

#include "compiler/ir/value.h"
#include "runtime/rehearsal/storage.h"

namespace plan::rehearsal {

/// An address book or a calendar. Name, description, colour, order and subscription belong to the
/// login that wrote them, not to the account (reference 8.1).
struct Folder {
  std::uint32_t id = 0;
  std::map<std::uint64_t, ir::Value> shown = {};  ///< by login: what it wrote
};

/// A contact (JSContact) or an event (JSCalendar): the members as they are given back, without
/// `id` and the folders.
struct Entry {
  std::uint32_t id = 0;
  std::string uid = {};  ///< empty: none was given
  std::set<std::uint32_t> folders = {};
  ir::Value body = {};
};

/// The address books with their contacts, or the calendars with their events, of one account.
struct Shelf {
  bool is_made = false;  ///< the default folder is made when the account is first looked at
  std::uint32_t next_folder = 1;
  std::uint32_t next_entry = 1;
  std::uint32_t default_folder = 0;
  std::map<std::uint32_t, Folder> folders = {};
  std::map<std::uint32_t, Entry> entries = {};
};

/// A file or a directory of the account's file store.
struct FileNode {
  std::uint32_t id = 0;
  std::optional<std::uint32_t> parent = {};
  std::string name = {};
  std::string blob = {};  ///< 32 bytes; empty: a directory
  std::uint64_t size = 0;
  std::string type = {};  ///< media type, may be empty
  std::string created = {};
  std::string modified = {};
  std::string accessed = {};
  std::string changed = {};
  bool is_executable = false;
};

/// What a client sent by EmailSubmission/set; the message itself is in the queue.
struct Submission {
  std::uint32_t id = 0;
  std::uint64_t queue_id = 0;  ///< 0: it is no longer in the queue
  ir::Value shown = {};        ///< as EmailSubmission/get shows it, without `undoStatus`
};

/// Everything of an account that is no mail.
struct Groupware {
  Shelf contacts = {};
  Shelf calendars = {};
  std::uint32_t next_node = 1;
  std::map<std::uint32_t, FileNode> files = {};
  std::uint32_t next_submission = 1;
  std::map<std::uint32_t, Submission> submissions = {};
};

enum class ShelfKind : char { contacts = 'C', calendars = 'K' };

// On disk below the account's number. The World's lock is held; Storage::commit is the caller's.
void load_groupware(const Storage& storage, std::uint64_t account, Groupware& out);
void save_shelf(Storage& storage, std::uint64_t account, ShelfKind kind, const Shelf& shelf);
void save_folder(Storage& storage, std::uint64_t account, ShelfKind kind, const Folder& folder);
void remove_folder(Storage& storage, std::uint64_t account, ShelfKind kind, std::uint32_t id);
void save_entry(Storage& storage, std::uint64_t account, ShelfKind kind, const Entry& entry);
void remove_entry(Storage& storage, std::uint64_t account, ShelfKind kind, std::uint32_t id);
void save_file(Storage& storage, std::uint64_t account, const FileNode& node);
void remove_file(Storage& storage, std::uint64_t account, std::uint32_t id);
void save_submission(Storage& storage, std::uint64_t account, const Submission& submission);
void remove_groupware(Storage& storage, std::uint64_t account);

}  // namespace plan::rehearsal
