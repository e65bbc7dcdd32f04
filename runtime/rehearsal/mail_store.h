#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "compiler/ir/value.h"
#include "runtime/net/clock.h"
#include "runtime/rehearsal/groupware.h"
#include "runtime/rehearsal/storage.h"

namespace plan::rehearsal {

struct Mailbox {
  std::uint32_t id = 0;
  std::string name = {};
  std::optional<std::uint32_t> parent = {};
  std::string role = {};  ///< empty: none
  std::int64_t sort_order = 0;
  std::uint32_t uid_validity = 0;
  std::uint32_t uid_next = 1;
  std::set<std::uint64_t> subscribers = {};  ///< logins, not the account (reference 8.1)
  std::map<std::uint32_t, std::uint32_t> messages =
      {};  ///< UID to document; not stored, made from the emails
};

struct Email {
  std::uint32_t document = 0;
  std::uint32_t thread = 0;
  std::string blob = {};  ///< 32 bytes
  std::uint64_t size = 0;
  std::int64_t received_at = 0;  ///< seconds since 1970
  std::uint64_t modseq = 0;
  std::map<std::uint32_t, std::uint32_t> mailboxes = {};  ///< mailbox to UID
  std::set<std::string> keywords = {};
  std::string subject_base = {};
  std::vector<std::string> ids = {};  ///< Message-ID, References, In-Reply-To; sorted
  bool is_text_indexed = true;       ///< found by text, subject, from, to...: as x:Search said then
  bool are_headers_indexed = false;  ///< found by any header field
  std::int64_t indexed_at_ms = 0;    ///< of header fields: a background task does it
  [[nodiscard]] std::uint64_t id() const { return (std::uint64_t{thread} << 32U) | document; }
};

struct SieveScript {
  std::uint32_t id = 0;
  std::string name = {};
  std::string blob = {};
  std::uint64_t size = 0;
  bool is_active = false;
};

enum class ChangeKind : char {
  mailbox = 'M',
  email = 'E',
  thread = 'T',
  script = 'S',
  identity = 'I',
  submission = 'P',
  address_book = 'B',
  card = 'C',
  calendar = 'K',
  event = 'V',
  file = 'F'
};
enum class ChangeAction : char { created = 'c', updated = 'u', destroyed = 'd', counts = 'n' };

struct Change {
  std::uint64_t number = 0;
  ChangeKind kind = ChangeKind::email;
  ChangeAction action = ChangeAction::created;
  std::uint64_t id = 0;
};

struct Upload {
  std::uint64_t size = 0;
  std::int64_t at_ms = 0;
};

/// What one account holds.
struct MailAccount {
  std::uint64_t id = 0;
  std::uint64_t change = 0;  ///< number of the last change
  std::uint32_t next_document = 1;
  std::uint32_t next_mailbox = 7;
  std::uint32_t next_script = 1;
  std::uint64_t used_bytes = 0;  ///< not stored
  std::map<std::uint32_t, Mailbox> mailboxes = {};
  std::map<std::uint32_t, Email> emails = {};
  std::map<std::uint32_t, SieveScript> scripts = {};
  std::map<std::string, Upload> uploads = {};  ///< blob to when and how large
  ir::Value vacation = {};
  ir::Map identities = {};
  Groupware groupware = {};
  std::vector<Change> log = {};
  std::map<ChangeKind, std::uint64_t> last_change = {};  ///< by kind; not stored, made from the log
  std::unordered_map<std::string, std::uint32_t> threads =
      {};  ///< subject NUL id to thread; not stored

  [[nodiscard]] Mailbox* mailbox_with_role(std::string_view role);
};

struct NewEmail {
  std::string_view bytes = {};  ///< the message, unless `blob` is one that is here already
  std::string blob = {};
  std::set<std::uint32_t> mailboxes = {};
  std::set<std::string> keywords = {};
  std::int64_t received_at = 0;
};

/// What of a new message gets into the search index (x:Search, as live).
struct IndexRules {
  bool is_text = true;
  bool are_headers = false;
};

/// Mail of all accounts. The World's lock is held for every call; Storage::commit is the caller's.
class MailStore {
 public:
  MailStore(Storage& storage, net::Clock& clock) : storage_(&storage), clock_(&clock) {}

  void load();
  /// For messages from now on; what is there keeps what it has (reference 8.3).
  void set_index_rules(const IndexRules& rules) { index_rules_ = rules; }
  /// The account's mail; its default mailboxes are made at the first access. `folders` is
  /// Email.defaultFolders.
  [[nodiscard]] MailAccount& account(std::uint64_t id, const ir::Value& folders);
  [[nodiscard]] MailAccount* find(std::uint64_t id);
  void destroy_account(std::uint64_t id);

  // Blobs: by SHA-256. One stays while something refers to it.
  [[nodiscard]] std::string put_blob(std::string_view bytes);
  [[nodiscard]] std::optional<std::string> blob(const std::string& hash) const;
  void refer(const std::string& blob) { ++references_[blob]; }
  void release(const std::string& blob);
  void upload(MailAccount& account, const std::string& blob, std::uint64_t size);
  void expire_uploads(std::int64_t older_than_ms);

  // Changes. `open_change` starts a new number; what follows belongs to it.
  void open_change(MailAccount& account) { ++account.change; }
  void note(MailAccount& account, ChangeKind kind, ChangeAction action, std::uint64_t id);

  Email& add_email(MailAccount& account, const NewEmail& email);
  void save(MailAccount& account, Email& email);  ///< after a change of keywords or mailboxes
  void place(MailAccount& account, Email& email, std::uint32_t mailbox);  ///< gives a UID
  void displace(MailAccount& account, Email& email, std::uint32_t mailbox);
  void remove_email(MailAccount& account, std::uint32_t document);

  Mailbox& add_mailbox(MailAccount& account, Mailbox mailbox);
  void save(MailAccount& account, const Mailbox& mailbox);
  void remove_mailbox(MailAccount& account, std::uint32_t mailbox);

  SieveScript& add_script(MailAccount& account, SieveScript script);
  void save(MailAccount& account, const SieveScript& script);
  void remove_script(MailAccount& account, std::uint32_t script);
  void save(const MailAccount& account);  ///< counters, vacation, identities

  [[nodiscard]] std::uint32_t new_uid_validity();
  [[nodiscard]] const std::map<std::uint64_t, MailAccount>& all() const { return accounts_; }

 private:
  void index(MailAccount& account, const Email& email);
  void load_account(std::uint64_t id, const ir::Value& meta);

  Storage* storage_;
  net::Clock* clock_;
  IndexRules index_rules_;
  std::map<std::uint64_t, MailAccount> accounts_;
  std::unordered_map<std::string, std::uint64_t> references_;
};

}  // namespace plan::rehearsal
