#include "runtime/rehearsal/mail_store.h"

#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "compiler/ir/digest.h"
#include "runtime/rehearsal/ids.h"
#include "runtime/rehearsal/message.h"

namespace plan::rehearsal {
namespace {

constexpr std::size_t kLogMax = 100'000;  // older changes are forgotten: cannotCalculateChanges

constexpr std::int64_t kIndexDelayMs = 4000;  // what the real server's task takes (run)

std::string hex(std::uint64_t number) {
  std::array<char, 17> buffer{};
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + 16, number, 16);
  const std::string digits(buffer.data(), end);
  return error == std::errc{} ? std::string(16 - digits.size(), '0') + digits : std::string{};
}

std::uint64_t from_hex(std::string_view text) {
  std::uint64_t number = 0;
  std::from_chars(text.data(), text.data() + text.size(), number, 16);
  return number;
}

// a: account, x: mailbox, e: email, s: script, l: change, u: upload, b: blob.
std::string key(char kind, std::uint64_t account) {
  return std::string(1, kind) + "/" + hex(account) + "/";
}
std::string key(char kind, std::uint64_t account, std::uint64_t id) {
  return key(kind, account) + hex(id);
}

ir::Value numbers(const std::map<std::uint32_t, std::uint32_t>& map) {
  ir::Value out = ir::Value::list();
  for (const auto& [left, right] : map) out.push_back(ir::Value::list({left, right}));
  return out;
}

ir::Value texts(const auto& range) {
  ir::Value out = ir::Value::list();
  for (const std::string& each : range) out.push_back(each);
  return out;
}

std::uint32_t small(const ir::Value& value) {
  return static_cast<std::uint32_t>(value.integer_or(0));
}

}  // namespace

Mailbox* MailAccount::mailbox_with_role(std::string_view role) {
  for (auto& [number, mailbox] : mailboxes)
    if (mailbox.role == role) return &mailbox;
  return nullptr;
}

void MailStore::load() {
  storage_->scan("a/", [this](std::string_view rest, const ir::Value& meta) {
    load_account(from_hex(rest.substr(0, 16)), meta);
  });
}

void MailStore::load_account(std::uint64_t id, const ir::Value& meta) {
  MailAccount& account = accounts_[id];
  account.id = id;
  account.change = static_cast<std::uint64_t>(meta["change"].integer_or(0));
  account.next_document = small(meta["document"]);
  account.next_mailbox = small(meta["mailbox"]);
  account.next_script = small(meta["script"]);
  account.vacation = meta["vacation"];
  if (meta["identities"].is_map()) account.identities = meta["identities"].members();
  storage_->scan(key('x', id), [&account](std::string_view, const ir::Value& value) {
    Mailbox mailbox;
    mailbox.id = small(value["id"]);
    mailbox.name = value["name"].string_or("");
    if (value["parent"].is_integer()) mailbox.parent = small(value["parent"]);
    mailbox.role = value["role"].string_or("");
    mailbox.sort_order = value["order"].integer_or(0);
    mailbox.uid_validity = small(value["validity"]);
    mailbox.uid_next = small(value["next"]);
    for (const ir::Value& each : value["subscribers"].items())
      mailbox.subscribers.insert(static_cast<std::uint64_t>(each.integer_or(0)));
    account.mailboxes[mailbox.id] = std::move(mailbox);
  });
  storage_->scan(key('e', id), [this, &account](std::string_view, const ir::Value& value) {
    Email email;
    email.document = small(value["document"]);
    email.thread = small(value["thread"]);
    bool is_valid = false;
    email.blob = ir::from_base64(value["blob"].string_or(""), &is_valid);
    email.size = static_cast<std::uint64_t>(value["size"].integer_or(0));
    email.received_at = value["received"].integer_or(0);
    email.modseq = static_cast<std::uint64_t>(value["modseq"].integer_or(0));
    for (const ir::Value& pair : value["mailboxes"].items())
      email.mailboxes[small(pair.item(0))] = small(pair.item(1));
    for (const ir::Value& each : value["keywords"].items())
      email.keywords.emplace(each.string_or(""));
    email.subject_base = value["subject"].string_or("");
    for (const ir::Value& each : value["ids"].items()) email.ids.emplace_back(each.string_or(""));
    email.is_text_indexed = value["indexed"].bool_or(true);
    email.are_headers_indexed = value["headers"].bool_or(false);
    email.indexed_at_ms = value["at"].integer_or(0);
    index(account, email);
    refer(email.blob);
    account.emails[email.document] = std::move(email);
  });
  storage_->scan(key('s', id), [this, &account](std::string_view, const ir::Value& value) {
    SieveScript script;
    script.id = small(value["id"]);
    script.name = value["name"].string_or("");
    bool is_valid = false;
    script.blob = ir::from_base64(value["blob"].string_or(""), &is_valid);
    script.size = static_cast<std::uint64_t>(value["size"].integer_or(0));
    script.is_active = value["active"].bool_or(false);
    refer(script.blob);
    account.scripts[script.id] = std::move(script);
  });
  storage_->scan(key('u', id), [this, &account](std::string_view rest, const ir::Value& value) {
    bool is_valid = false;
    const std::string blob = ir::from_base64(rest, &is_valid);
    account.uploads[blob] = {static_cast<std::uint64_t>(value["size"].integer_or(0)),
                             value["at"].integer_or(0)};
    refer(blob);
  });
  load_groupware(*storage_, id, account.groupware);
  for (const auto& [number, node] : account.groupware.files)
    if (!node.blob.empty()) refer(node.blob);
  storage_->scan(key('l', id), [&account](std::string_view rest, const ir::Value& value) {
    const std::string_view what = value["w"].string_or("E");
    Change change;
    change.number = from_hex(rest.substr(0, 16));
    change.kind = static_cast<ChangeKind>(what[0]);
    change.action = static_cast<ChangeAction>(what.size() > 1 ? what[1] : 'u');
    change.id = static_cast<std::uint64_t>(value["i"].integer_or(0));
    account.last_change[change.kind] = change.number;
    account.log.push_back(change);
  });
}

MailAccount& MailStore::account(std::uint64_t id, const ir::Value& folders) {
  if (const auto found = accounts_.find(id); found != accounts_.end()) return found->second;
  MailAccount& made = accounts_[id];
  made.id = id;
  struct Default {
    std::uint32_t id;
    std::string_view role;
    std::string_view name;
    bool is_made;
  };
  static constexpr std::array<Default, 6> kDefaults = {{{0, "inbox", "Inbox", true},
                                                        {1, "trash", "Deleted Items", true},
                                                        {2, "junk", "Junk Mail", true},
                                                        {3, "drafts", "Drafts", true},
                                                        {4, "sent", "Sent Items", true},
                                                        {5, "archive", "Archive", false}}};
  open_change(made);
  const auto add = [&](std::uint32_t number, std::string_view role, std::string_view name,
                       bool is_subscribed) {
    Mailbox mailbox;
    mailbox.id = number;
    mailbox.name = std::string(name);
    mailbox.role = std::string(role);
    if (is_subscribed) mailbox.subscribers.insert(id);
    mailbox.uid_validity = new_uid_validity();
    note(made, ChangeKind::mailbox, ChangeAction::created, number);
    save(made, made.mailboxes[number] = std::move(mailbox));
  };
  for (const Default& each : kDefaults) {
    const ir::Value& wanted = folders[each.role];
    if (wanted.is_map()) {
      if (wanted["create"].bool_or(true) || each.role == "inbox")
        add(each.id, each.role, wanted["name"].string_or(each.name),
            wanted["subscribe"].bool_or(true));
    } else if (each.is_made) {
      add(each.id, each.role, each.name, true);
    }
  }
  save(made);
  return made;
}

MailAccount* MailStore::find(std::uint64_t id) {
  const auto found = accounts_.find(id);
  return found == accounts_.end() ? nullptr : &found->second;
}

void MailStore::destroy_account(std::uint64_t id) {
  const auto found = accounts_.find(id);
  if (found == accounts_.end()) return;
  for (const auto& [number, email] : found->second.emails) release(email.blob);
  for (const auto& [number, script] : found->second.scripts) release(script.blob);
  for (const auto& [blob, upload] : found->second.uploads) release(blob);
  for (const auto& [number, node] : found->second.groupware.files)
    if (!node.blob.empty()) release(node.blob);
  remove_groupware(*storage_, id);
  for (const char kind : std::string_view("axeslu")) storage_->remove_all(key(kind, id));
  accounts_.erase(found);
}

std::string MailStore::put_blob(std::string_view bytes) {
  const ir::Sha256 digest = ir::sha256(bytes);
  std::string hash(reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size());
  if (!references_.contains(hash)) {
    storage_->put_bytes("b/" + hash, bytes);
    references_[hash] = 0;
  }
  return hash;
}

std::optional<std::string> MailStore::blob(const std::string& hash) const {
  return storage_->bytes("b/" + hash);
}

void MailStore::release(const std::string& blob) {
  const auto found = references_.find(blob);
  if (found == references_.end()) return;
  if (found->second > 1) {
    --found->second;
    return;
  }
  references_.erase(found);
  storage_->remove("b/" + blob);
}

void MailStore::upload(MailAccount& account, const std::string& blob, std::uint64_t size) {
  const std::int64_t now = clock_->wall_ms();
  if (account.uploads.emplace(blob, Upload{size, now}).second) refer(blob);
  account.uploads[blob].at_ms = now;
  storage_->put(key('u', account.id) + ir::to_base64(blob, true),
                ir::Value::map({{"size", size}, {"at", now}}));
}

void MailStore::expire_uploads(std::int64_t older_than_ms) {
  for (auto& [id, account] : accounts_) {
    for (auto it = account.uploads.begin(); it != account.uploads.end();) {
      if (it->second.at_ms >= older_than_ms) {
        ++it;
        continue;
      }
      storage_->remove(key('u', id) + ir::to_base64(it->first, true));
      release(it->first);
      it = account.uploads.erase(it);
    }
  }
}

void MailStore::note(MailAccount& account, ChangeKind kind, ChangeAction action, std::uint64_t id) {
  account.log.push_back({account.change, kind, action, id});
  account.last_change[kind] = account.change;
  const char what[3] = {static_cast<char>(kind), static_cast<char>(action), 0};
  storage_->put(key('l', account.id, account.change) + "." + what[0] + what[1] + hex(id),
                ir::Value::map({{"w", what}, {"i", id}}));
  if (account.log.size() > kLogMax + kLogMax / 10) {
    const std::uint64_t keep = account.log[account.log.size() - kLogMax].number;
    const auto first = std::find_if(account.log.begin(), account.log.end(),
                                    [keep](const Change& each) { return each.number >= keep; });
    for (auto it = account.log.begin(); it != first; ++it)
      storage_->remove_all(key('l', account.id, it->number) + ".");
    account.log.erase(account.log.begin(), first);
  }
}

void MailStore::index(MailAccount& account, const Email& email) {
  for (const auto& [mailbox, uid] : email.mailboxes) {
    const auto found = account.mailboxes.find(mailbox);
    if (found != account.mailboxes.end()) found->second.messages[uid] = email.document;
  }
  for (const std::string& id : email.ids)
    account.threads.emplace(email.subject_base + '\0' + id, email.thread);
  account.used_bytes += email.size;
}

Email& MailStore::add_email(MailAccount& account, const NewEmail& fresh) {
  Email email;
  std::string bytes;
  std::string_view content = fresh.bytes;
  if (fresh.blob.empty()) {
    email.blob = put_blob(content);
  } else {
    email.blob = fresh.blob;
    bytes = blob(fresh.blob).value_or("");
    content = bytes;
  }
  refer(email.blob);
  email.size = content.size();
  email.keywords = fresh.keywords;
  email.received_at = fresh.received_at;
  email.is_text_indexed = index_rules_.is_text;
  email.are_headers_indexed = index_rules_.is_text && index_rules_.are_headers;
  email.indexed_at_ms = clock_->wall_ms() + kIndexDelayMs;
  MessageIdentity identity = identity_of(view_message(content));
  email.subject_base = std::move(identity.subject);
  email.ids = std::move(identity.ids);
  for (const std::string& id : email.ids) {
    const auto found = account.threads.find(email.subject_base + '\0' + id);
    if (found == account.threads.end()) continue;
    email.thread = found->second;
    break;
  }
  open_change(account);
  email.document = account.next_document++;
  if (email.thread == 0) {
    email.thread = email.document;
    note(account, ChangeKind::thread, ChangeAction::created, email.thread);
  } else {
    note(account, ChangeKind::thread, ChangeAction::updated, email.thread);
  }
  email.modseq = account.change;
  for (const std::uint32_t mailbox : fresh.mailboxes) {
    Mailbox& box = account.mailboxes[mailbox];
    email.mailboxes[mailbox] = box.uid_next++;
    save(account, box);
    note(account, ChangeKind::mailbox, ChangeAction::counts, mailbox);
  }
  note(account, ChangeKind::email, ChangeAction::created, email.id());
  index(account, email);
  Email& stored = account.emails[email.document] = std::move(email);
  save(account, stored);
  save(account);
  return stored;
}

void MailStore::save(MailAccount& account, Email& email) {
  email.modseq = account.change;
  storage_->put(key('e', account.id, email.document),
                ir::Value::map({{"document", email.document},
                                {"thread", email.thread},
                                {"blob", ir::to_base64(email.blob)},
                                {"size", email.size},
                                {"received", email.received_at},
                                {"modseq", email.modseq},
                                {"mailboxes", numbers(email.mailboxes)},
                                {"keywords", texts(email.keywords)},
                                {"subject", email.subject_base},
                                {"ids", texts(email.ids)},
                                {"indexed", email.is_text_indexed},
                                {"headers", email.are_headers_indexed},
                                {"at", email.indexed_at_ms}}));
}

void MailStore::place(MailAccount& account, Email& email, std::uint32_t mailbox) {
  if (email.mailboxes.contains(mailbox)) return;
  Mailbox& box = account.mailboxes[mailbox];
  const std::uint32_t uid = box.uid_next++;
  email.mailboxes[mailbox] = uid;
  box.messages[uid] = email.document;
  save(account, box);
  note(account, ChangeKind::mailbox, ChangeAction::counts, mailbox);
}

void MailStore::displace(MailAccount& account, Email& email, std::uint32_t mailbox) {
  const auto found = email.mailboxes.find(mailbox);
  if (found == email.mailboxes.end()) return;
  account.mailboxes[mailbox].messages.erase(found->second);
  email.mailboxes.erase(found);
  note(account, ChangeKind::mailbox, ChangeAction::counts, mailbox);
}

void MailStore::remove_email(MailAccount& account, std::uint32_t document) {
  const auto found = account.emails.find(document);
  if (found == account.emails.end()) return;
  Email& email = found->second;
  while (!email.mailboxes.empty()) displace(account, email, email.mailboxes.begin()->first);
  note(account, ChangeKind::email, ChangeAction::destroyed, email.id());
  const std::uint32_t thread = email.thread;
  account.used_bytes -= std::min(account.used_bytes, email.size);
  for (const std::string& id : email.ids) account.threads.erase(email.subject_base + '\0' + id);
  storage_->remove(key('e', account.id, document));
  release(email.blob);
  account.emails.erase(found);
  bool has_more = false;
  for (const auto& [number, other] : account.emails) {
    if (other.thread != thread) continue;
    has_more = true;
    for (const std::string& id : other.ids)
      account.threads.emplace(other.subject_base + '\0' + id, other.thread);
  }
  note(account, ChangeKind::thread, has_more ? ChangeAction::updated : ChangeAction::destroyed,
       thread);
  save(account);
}

Mailbox& MailStore::add_mailbox(MailAccount& account, Mailbox mailbox) {
  mailbox.id = account.next_mailbox++;
  mailbox.uid_validity = new_uid_validity();
  note(account, ChangeKind::mailbox, ChangeAction::created, mailbox.id);
  Mailbox& stored = account.mailboxes[mailbox.id] = std::move(mailbox);
  save(account, stored);
  save(account);
  return stored;
}

void MailStore::save(MailAccount& account, const Mailbox& mailbox) {
  ir::Value subscribers = ir::Value::list();
  for (const std::uint64_t each : mailbox.subscribers) subscribers.push_back(each);
  storage_->put(
      key('x', account.id, mailbox.id),
      ir::Value::map({{"id", mailbox.id},
                      {"name", mailbox.name},
                      {"parent", mailbox.parent ? ir::Value(*mailbox.parent) : ir::Value()},
                      {"role", mailbox.role},
                      {"order", mailbox.sort_order},
                      {"validity", mailbox.uid_validity},
                      {"next", mailbox.uid_next},
                      {"subscribers", std::move(subscribers)}}));
}

void MailStore::remove_mailbox(MailAccount& account, std::uint32_t mailbox) {
  note(account, ChangeKind::mailbox, ChangeAction::destroyed, mailbox);
  account.mailboxes.erase(mailbox);
  storage_->remove(key('x', account.id, mailbox));
  save(account);
}

SieveScript& MailStore::add_script(MailAccount& account, SieveScript script) {
  script.id = account.next_script++;
  refer(script.blob);
  note(account, ChangeKind::script, ChangeAction::created, script.id);
  SieveScript& stored = account.scripts[script.id] = std::move(script);
  save(account, stored);
  save(account);
  return stored;
}

void MailStore::save(MailAccount& account, const SieveScript& script) {
  storage_->put(key('s', account.id, script.id),
                ir::Value::map({{"id", script.id},
                                {"name", script.name},
                                {"blob", ir::to_base64(script.blob)},
                                {"size", script.size},
                                {"active", script.is_active}}));
}

void MailStore::remove_script(MailAccount& account, std::uint32_t script) {
  const auto found = account.scripts.find(script);
  if (found == account.scripts.end()) return;
  note(account, ChangeKind::script, ChangeAction::destroyed, script);
  release(found->second.blob);
  account.scripts.erase(found);
  storage_->remove(key('s', account.id, script));
  save(account);
}

void MailStore::save(const MailAccount& account) {
  storage_->put(key('a', account.id), ir::Value::map({{"change", account.change},
                                                      {"document", account.next_document},
                                                      {"mailbox", account.next_mailbox},
                                                      {"script", account.next_script},
                                                      {"vacation", account.vacation},
                                                      {"identities", account.identities}}));
}

std::uint32_t MailStore::new_uid_validity() {
  std::uint32_t number = 0;
  if (RAND_bytes(reinterpret_cast<unsigned char*>(&number), sizeof number) != 1 || number == 0)
    number = static_cast<std::uint32_t>(clock_->wall_ms());
  return number;
}

}  // namespace plan::rehearsal
