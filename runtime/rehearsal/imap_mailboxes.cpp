// IMAP: LIST, STATUS, SELECT, CREATE, DELETE, RENAME, APPEND.
#include <algorithm>

#include "compiler/source/text.h"
#include "runtime/rehearsal/imap_session.h"
#include "runtime/rehearsal/jmap.h"
#include "runtime/rehearsal/keywords.h"
#include "runtime/rehearsal/message.h"

namespace plan::rehearsal {
namespace {

std::string use_of(std::string_view role) {
  if (role.empty() || role == "inbox") return {};
  std::string out(role);
  out[0] = static_cast<char>(out[0] - 'a' + 'A');
  return "\\" + out;
}

std::uint64_t bytes_of(const MailAccount& account, const Mailbox& mailbox) {
  std::uint64_t total = 0;
  for (const auto& [uid, document] : mailbox.messages)
    if (const auto found = account.emails.find(document); found != account.emails.end())
      total += found->second.size;
  return total;
}

}  // namespace

MailAccount& ImapSession::account() { return world_.account(login_->account); }

std::string ImapSession::path_of(const MailAccount& account, const Mailbox& mailbox) {
  std::string path = mailbox.role == "inbox" && mailbox.name == "Inbox" ? "INBOX" : mailbox.name;
  std::optional<std::uint32_t> parent = mailbox.parent;
  for (int depth = 0; parent && depth < 64; ++depth) {
    const auto found = account.mailboxes.find(*parent);
    if (found == account.mailboxes.end()) break;
    path = found->second.name + "/" + path;
    parent = found->second.parent;
  }
  return path;
}

Mailbox* ImapSession::find_mailbox(MailAccount& account, const std::string& wire_name) {
  const std::string name = is_utf8_ ? wire_name : from_utf7(wire_name).value_or(wire_name);
  if (equals_ignoring_case(name, "inbox")) return account.mailbox_with_role("inbox");
  for (auto& [id, mailbox] : account.mailboxes)
    if (path_of(account, mailbox) == name) return &mailbox;
  return nullptr;
}

std::string ImapSession::status_line(MailAccount& account, const Mailbox& mailbox,
                                     const std::vector<std::string>& items) const {
  std::string values;
  for (const std::string& item : items) {
    const std::string upper = lower_ascii(item);
    std::uint64_t unseen = 0;
    std::uint64_t deleted = 0;
    for (const auto& [uid, document] : mailbox.messages) {
      const auto found = account.emails.find(document);
      if (found == account.emails.end()) continue;
      if (!found->second.keywords.contains("$seen")) ++unseen;
      if (found->second.keywords.contains("$deleted")) ++deleted;
    }
    std::string value;
    if (upper == "messages")
      value = "MESSAGES " + std::to_string(mailbox.messages.size());
    else if (upper == "uidnext")
      value = "UIDNEXT " + std::to_string(mailbox.uid_next);
    else if (upper == "uidvalidity")
      value = "UIDVALIDITY " + std::to_string(mailbox.uid_validity);
    else if (upper == "unseen")
      value = "UNSEEN " + std::to_string(unseen);
    else if (upper == "deleted")
      value = "DELETED " + std::to_string(deleted);
    else if (upper == "recent")
      value = "RECENT 0";
    else if (upper == "size")
      value = "SIZE " + std::to_string(bytes_of(account, mailbox));
    else if (upper == "highestmodseq")
      value = "HIGHESTMODSEQ " + std::to_string(account.change);
    else
      continue;
    values += (values.empty() ? "" : " ") + value;
  }
  const std::string path = path_of(account, mailbox);
  return "* STATUS " + imap_quoted(is_utf8_ ? path : to_utf7(path)) + " (" + values + ")\r\n";
}

void ImapSession::list(const Tokens& arguments, bool is_lsub) {
  // [selection options] reference pattern|(patterns) [RETURN (...)]
  std::size_t at = 0;
  bool only_subscribed = is_lsub;
  bool shows_subscribed = is_lsub;
  const auto group = [&]() {
    std::vector<std::string> out;
    int depth = 0;
    do {
      if (at >= arguments.size()) break;
      if (arguments[at].kind == ImapToken::Kind::open)
        ++depth;
      else if (arguments[at].kind == ImapToken::Kind::close)
        --depth;
      else
        out.push_back(arguments[at].text);
      ++at;
    } while (depth > 0);
    return out;
  };
  if (at < arguments.size() && arguments[at].kind == ImapToken::Kind::open)
    for (const std::string& option : group())
      if (equals_ignoring_case(option, "subscribed")) only_subscribed = shows_subscribed = true;
  const std::vector<std::string> reference = group();
  const std::vector<std::string> patterns = group();
  if (reference.empty() || patterns.empty()) return bad("Expected a reference and a pattern.");
  std::vector<std::string> status_items;
  if (at < arguments.size() && equals_ignoring_case(arguments[at].text, "return")) {
    ++at;
    const std::vector<std::string> options = group();
    for (std::size_t i = 0; i < options.size(); ++i) {
      if (equals_ignoring_case(options[i], "subscribed")) shows_subscribed = true;
      if (equals_ignoring_case(options[i], "status")) {
        status_items.assign(options.begin() + static_cast<std::ptrdiff_t>(i) + 1, options.end());
        break;
      }
    }
  }
  std::string out;
  const char* name = is_lsub ? "LSUB" : "LIST";
  if (patterns[0].empty()) {
    line("* LIST (\\Noselect) \"/\" \"\"");
    return ok("LIST completed");
  }
  {
    const std::lock_guard lock(world_.mutex);
    MailAccount& mail = account();
    std::map<std::string, const Mailbox*> sorted;
    for (const auto& [id, mailbox] : mail.mailboxes) sorted[path_of(mail, mailbox)] = &mailbox;
    for (const auto& [path, mailbox] : sorted) {
      const std::string wire = is_utf8_ ? path : to_utf7(path);
      const bool fits =
          std::any_of(patterns.begin(), patterns.end(), [&](const std::string& pattern) {
            const std::string whole = reference[0] + pattern;
            return list_matches(whole, wire) ||
                   (wire == "INBOX" && equals_ignoring_case(whole, "inbox"));
          });
      const bool is_subscribed = mailbox->subscribers.contains(login_->account);
      if (!fits || (only_subscribed && !is_subscribed)) continue;
      std::string attributes;
      if (shows_subscribed && is_subscribed) attributes = "\\Subscribed";
      const std::string use = use_of(mailbox->role);
      if (!use.empty()) attributes += (attributes.empty() ? "" : " ") + use;
      out += "* " + std::string(name) + " (" + attributes + ") \"/\" " + imap_quoted(wire) + "\r\n";
      if (!status_items.empty()) out += status_line(mail, *mailbox, status_items);
    }
  }
  send(out);
  ok(std::string(name) + " completed");
}

void ImapSession::status(const Tokens& arguments) {
  if (arguments.size() < 4) return bad("Expected a mailbox and items.");
  std::vector<std::string> items;
  for (std::size_t i = 1; i < arguments.size(); ++i)
    if (arguments[i].kind == ImapToken::Kind::atom) items.push_back(arguments[i].text);
  std::string out;
  {
    const std::lock_guard lock(world_.mutex);
    MailAccount& mail = account();
    if (const Mailbox* mailbox = find_mailbox(mail, arguments[0].text))
      out = status_line(mail, *mailbox, items);
  }
  if (out.empty()) return no("[NONEXISTENT] Mailbox does not exist.");
  send(out);
  ok("STATUS completed");
}

void ImapSession::select(const Tokens& arguments, bool is_read_only) {
  if (arguments.empty()) return bad("Expected a mailbox.");
  std::string out;
  {
    const std::lock_guard lock(world_.mutex);
    MailAccount& mail = account();
    Mailbox* mailbox = find_mailbox(mail, arguments[0].text);
    if (selected_) out += "* OK [CLOSED] Closed previous mailbox\r\n";
    selected_.reset();
    if (mailbox != nullptr) {
      selected_ = mailbox->id;
      is_read_only_ = is_read_only;
      view_.clear();
      known_.clear();
      for (const auto& [uid, document] : mailbox->messages) {
        view_.push_back(uid);
        if (const auto found = mail.emails.find(document); found != mail.emails.end())
          known_[uid] = found->second.modseq;
      }
      out +=
          "* " + std::to_string(view_.size()) +
          " EXISTS\r\n* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)\r\n* 0 RECENT\r\n" +
          "* OK [PERMANENTFLAGS (\\Deleted \\Seen \\Answered \\Flagged \\Draft \\*)] All "
          "allowed\r\n* OK [UIDVALIDITY " +
          std::to_string(mailbox->uid_validity) + "] UIDs valid\r\n* OK [UIDNEXT " +
          std::to_string(mailbox->uid_next) + "] Next predicted UID\r\n";
      for (const ImapToken& token : arguments)
        if (equals_ignoring_case(token.text, "condstore") ||
            equals_ignoring_case(token.text, "qresync")) {
          out += "* OK [HIGHESTMODSEQ " + std::to_string(mail.change) + "] Highest Modseq\r\n";
          break;
        }
    }
  }
  if (!selected_) return no("[NONEXISTENT] Mailbox does not exist.");
  send(out);
  ok(is_read_only ? "[READ-ONLY] EXAMINE completed" : "[READ-WRITE] SELECT completed");
}

void ImapSession::create(const Tokens& arguments) {
  if (arguments.empty()) return bad("Expected a mailbox name.");
  std::string complaint;
  {
    const std::lock_guard lock(world_.mutex);
    MailAccount& mail = account();
    std::string name =
        is_utf8_ ? arguments[0].text : from_utf7(arguments[0].text).value_or(std::string{});
    while (name.ends_with('/')) name.pop_back();
    if (name.empty())
      complaint = "Invalid mailbox name.";
    else if (find_mailbox(mail, is_utf8_ ? name : to_utf7(name)) != nullptr)
      complaint = "[ALREADYEXISTS] Mailbox already exists.";
    else if (static_cast<std::int64_t>(mail.mailboxes.size()) >=
             limit_of(world_, "x:Email", "maxMailboxes", 250))
      complaint = "[OVERQUOTA] Too many mailboxes.";
    std::optional<std::uint32_t> parent;
    bool is_open = false;
    if (complaint.empty())
      for (const std::string_view part : split(name, '/')) {
        const Mailbox* found = nullptr;
        for (const auto& [id, mailbox] : mail.mailboxes)
          if (mailbox.parent == parent &&
              (mailbox.name == part ||
               (mailbox.role == "inbox" && equals_ignoring_case(part, "inbox") && !parent)))
            found = &mailbox;
        if (found == nullptr) {
          Mailbox fresh;
          fresh.name = std::string(part);
          fresh.parent = parent;
          for (std::size_t i = 1; i < arguments.size(); ++i)
            if (arguments[i].text.starts_with('\\')) {
              const std::string role = lower_ascii(arguments[i].text.substr(1));
              if (mail.mailbox_with_role(role) == nullptr) fresh.role = role;
            }
          if (!is_open) world_.mail.open_change(mail);
          is_open = true;
          found = &world_.mail.add_mailbox(mail, std::move(fresh));
        }
        parent = found->id;
      }
    world_.commit();
  }
  if (!complaint.empty()) return no(complaint);
  ok("Mailbox created.");
}

void ImapSession::remove(const Tokens& arguments) {
  if (arguments.empty()) return bad("Expected a mailbox name.");
  std::string complaint;
  {
    const std::lock_guard lock(world_.mutex);
    MailAccount& mail = account();
    const Mailbox* mailbox = find_mailbox(mail, arguments[0].text);
    if (mailbox == nullptr)
      complaint = "[NONEXISTENT] Mailbox does not exist.";
    else if (mailbox->role == "inbox" || mailbox->role == "trash" || mailbox->role == "junk")
      complaint = "[CANNOT] You are not allowed to delete Inbox, Junk or Trash folders.";
    else if (std::any_of(mail.mailboxes.begin(), mail.mailboxes.end(),
                         [&](const auto& each) { return each.second.parent == mailbox->id; }))
      complaint = "[HASCHILDREN] Mailbox has children";
    if (complaint.empty()) {
      const std::uint32_t id = mailbox->id;
      world_.mail.open_change(mail);
      const std::map<std::uint32_t, std::uint32_t> messages = mailbox->messages;
      for (const auto& [uid, document] : messages) {
        const auto email = mail.emails.find(document);
        if (email == mail.emails.end()) continue;
        world_.mail.displace(mail, email->second, id);
        if (email->second.mailboxes.empty())
          world_.mail.remove_email(mail, document);
        else
          world_.mail.save(mail, email->second);
      }
      world_.mail.remove_mailbox(mail, id);
      if (selected_ == id) selected_.reset();
      world_.commit();
    }
  }
  if (!complaint.empty()) return no(complaint);
  ok("Mailbox deleted.");
}

void ImapSession::rename(const Tokens& arguments) {
  if (arguments.size() < 2) return bad("Expected two mailbox names.");
  std::string complaint;
  {
    const std::lock_guard lock(world_.mutex);
    MailAccount& mail = account();
    Mailbox* mailbox = find_mailbox(mail, arguments[0].text);
    const std::string target =
        is_utf8_ ? arguments[1].text : from_utf7(arguments[1].text).value_or(std::string{});
    if (mailbox == nullptr)
      complaint = "[NONEXISTENT] Mailbox does not exist.";
    else if (target.empty())
      complaint = "Invalid mailbox name.";
    else if (find_mailbox(mail, arguments[1].text) != nullptr)
      complaint = "[ALREADYEXISTS] Mailbox already exists.";
    if (complaint.empty()) {
      const std::size_t slash = target.rfind('/');
      std::optional<std::uint32_t> parent;
      if (slash != std::string::npos) {
        const std::string above = target.substr(0, slash);
        const Mailbox* found = find_mailbox(mail, is_utf8_ ? above : to_utf7(above));
        if (found == nullptr)
          complaint = "[NONEXISTENT] Parent mailbox does not exist.";
        else
          parent = found->id;
      }
      if (complaint.empty()) {
        world_.mail.open_change(mail);
        mailbox->name = slash == std::string::npos ? target : target.substr(slash + 1);
        mailbox->parent = parent;
        mailbox->uid_validity = world_.mail.new_uid_validity();
        world_.mail.note(mail, ChangeKind::mailbox, ChangeAction::updated, mailbox->id);
        world_.mail.save(mail, *mailbox);
        world_.mail.save(mail);
        world_.commit();
      }
    }
  }
  if (!complaint.empty()) return no(complaint);
  ok("RENAME completed");
}

void ImapSession::subscribe(const Tokens& arguments, bool is_subscribed) {
  if (arguments.empty()) return bad("Expected a mailbox name.");
  bool is_found = false;
  {
    const std::lock_guard lock(world_.mutex);
    MailAccount& mail = account();
    if (Mailbox* mailbox = find_mailbox(mail, arguments[0].text)) {
      is_found = true;
      if (is_subscribed)
        mailbox->subscribers.insert(login_->account);
      else
        mailbox->subscribers.erase(login_->account);
      world_.mail.open_change(mail);
      world_.mail.note(mail, ChangeKind::mailbox, ChangeAction::updated, mailbox->id);
      world_.mail.save(mail, *mailbox);
      world_.mail.save(mail);
      world_.commit();
    }
  }
  if (!is_found) return no("[NONEXISTENT] Mailbox does not exist.");
  ok(is_subscribed ? "Mailbox subscribed." : "Mailbox unsubscribed.");
}

void ImapSession::append(const Tokens& arguments) {
  if (arguments.size() < 2) return bad("Expected a mailbox and a message.");
  struct Item {
    std::set<std::string> keywords;
    std::optional<std::int64_t> at;
    std::string_view bytes;
  };
  std::vector<Item> items;
  Item item;
  bool in_flags = false;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    const ImapToken& token = arguments[i];
    if (token.kind == ImapToken::Kind::open)
      in_flags = true;
    else if (token.kind == ImapToken::Kind::close)
      in_flags = false;
    else if (in_flags)
      item.keywords.insert(keyword_of_flag(token.text));
    else if (token.kind == ImapToken::Kind::text && i + 1 < arguments.size() &&
             token.text.size() < 40 && parse_imap_date(token.text))
      item.at = parse_imap_date(token.text);
    else if (token.kind == ImapToken::Kind::text) {
      item.bytes = token.text;
      items.push_back(std::move(item));
      item = {};
    }
  }
  if (items.empty()) return bad("Expected a message.");
  std::string complaint;
  std::string code;
  {
    const std::lock_guard lock(world_.mutex);
    MailAccount& mail = account();
    const Mailbox* mailbox = find_mailbox(mail, arguments[0].text);
    if (mailbox == nullptr) complaint = "[TRYCREATE] Mailbox does not exist.";
    const ir::Value* object = world_.registry.find("x:Account", login_->account);
    const std::int64_t quota_bytes =
        object == nullptr ? 0 : (*object)["quotas"]["maxDiskQuota"].integer_or(0);
    std::uint64_t total = 0;
    for (const Item& each : items) {
      total += each.bytes.size();
      if (complaint.empty() && !is_message(view_message(each.bytes)))
        complaint = "Internal Server Error";
    }
    if (complaint.empty() && quota_bytes > 0 &&
        mail.used_bytes + total > static_cast<std::uint64_t>(quota_bytes))
      complaint = "[OVERQUOTA] Quota exceeded.";
    if (complaint.empty()) {
      const std::uint32_t first = mailbox->uid_next;
      for (const Item& each : items) {
        NewEmail fresh;
        fresh.bytes = each.bytes;
        fresh.mailboxes = {mailbox->id};
        fresh.keywords = each.keywords;
        fresh.received_at = stored_time(each.at.value_or(world_.now_seconds()));
        world_.mail.add_email(mail, fresh);
      }
      const std::uint32_t last = mailbox->uid_next - 1;
      code = "[APPENDUID " + std::to_string(mailbox->uid_validity) + " " + std::to_string(first) +
             (last == first ? std::string{} : ":" + std::to_string(last)) + "] ";
      world_.commit();
    }
  }
  if (!complaint.empty()) return no(complaint);
  if (selected_) refresh();
  ok(code + "APPEND completed");
}

void ImapSession::quota(const Tokens& arguments, bool is_root) {
  std::string out;
  {
    const std::lock_guard lock(world_.mutex);
    const std::string root = "\"#" + std::to_string(login_->account) + "\"";
    const ir::Value* object = world_.registry.find("x:Account", login_->account);
    const std::int64_t limit =
        object == nullptr ? 0 : (*object)["quotas"]["maxDiskQuota"].integer_or(0);
    if (is_root && !arguments.empty())
      out = "* QUOTAROOT " + imap_quoted(arguments[0].text) + " " + root + "\r\n";
    out += "* QUOTA " + root + " (" +
           (limit > 0 ? "STORAGE " + std::to_string(account().used_bytes / 1024) + " " +
                            std::to_string(limit / 1024)
                      : "") +
           ")\r\n";
  }
  send(out);
  ok(is_root ? "GETQUOTAROOT successful." : "GETQUOTA successful.");
}

}  // namespace plan::rehearsal
