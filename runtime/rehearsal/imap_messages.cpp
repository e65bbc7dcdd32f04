// IMAP: FETCH, STORE, SEARCH, COPY, MOVE, EXPUNGE and the news of the selected mailbox.
#include <algorithm>
#include <charconv>

#include "compiler/source/text.h"
#include "runtime/rehearsal/imap_session.h"
#include "runtime/rehearsal/keywords.h"
#include "runtime/rehearsal/message.h"

namespace plan::rehearsal {
namespace {

std::string literal(std::string_view bytes) {
  return "{" + std::to_string(bytes.size()) + "}\r\n" + std::string(bytes);
}

std::string nil_or_quoted(const std::string& text) {
  if (text.empty()) return "NIL";
  if (text.find_first_of("\r\n") != std::string::npos ||
      std::any_of(text.begin(), text.end(),
                  [](char c) { return static_cast<unsigned char>(c) >= 0x80; }))
    return literal(text);
  return imap_quoted(text);
}

std::string address_list(const MessageView& view, std::string_view field) {
  const auto value = view.field(field);
  if (!value) return "NIL";
  std::string out = "(";
  for (const Address& address : parse_addresses(*value)) {
    const std::size_t at = address.email.rfind('@');
    out += "(" + nil_or_quoted(address.name) + " NIL " +
           nil_or_quoted(address.email.substr(0, at)) + " " +
           nil_or_quoted(at == std::string::npos ? std::string{} : address.email.substr(at + 1)) +
           ")";
  }
  return out == "(" ? "NIL" : out + ")";
}

std::string envelope(const MessageView& view) {
  const auto text = [&view](std::string_view name) {
    const auto value = view.field(name);
    return value ? nil_or_quoted(std::string(trim(*value))) : std::string("NIL");
  };
  const std::string from = address_list(view, "from");
  const auto or_from = [&](std::string_view field) {
    std::string list = address_list(view, field);
    return list == "NIL" ? from : list;
  };
  return "(" + text("date") + " " + text("subject") + " " + from + " " + or_from("sender") + " " +
         or_from("reply-to") + " " + address_list(view, "to") + " " + address_list(view, "cc") +
         " " + address_list(view, "bcc") + " " + text("in-reply-to") + " " + text("message-id") +
         ")";
}

// A simple BODYSTRUCTURE: the parts below one multipart, flat.
std::string body_structure(const std::vector<Part>& parts) {
  const auto show = [](const Part& part) {
    const std::size_t slash = part.type.find('/');
    std::string out = "(" + imap_quoted(part.type.substr(0, slash)) + " " +
                      imap_quoted(part.type.substr(slash + 1)) + " " +
                      (part.charset.empty() ? std::string("NIL")
                                            : "(\"charset\" " + imap_quoted(part.charset) + ")") +
                      " NIL NIL " + imap_quoted(part.encoding.empty() ? "7bit" : part.encoding) +
                      " " + std::to_string(part.content.size());
    if (part.type.starts_with("text/"))
      out += " " + std::to_string(std::count(part.content.begin(), part.content.end(), '\n'));
    return out + ")";
  };
  if (parts.empty()) return "NIL";
  if (!parts.front().type.starts_with("multipart/")) return show(parts.front());
  std::string out = "(";
  for (const Part& part : parts)
    if (!part.type.starts_with("multipart/")) out += show(part);
  return out + " " + imap_quoted(parts.front().type.substr(10)) + ")";
}

std::string header_fields(const MessageView& view, std::string_view spec, bool is_not) {
  const std::size_t open = spec.find('(');
  const std::size_t close = spec.rfind(')');
  std::vector<std::string> names;
  if (open != std::string_view::npos && close != std::string_view::npos && close > open)
    for (const std::string_view name : split(spec.substr(open + 1, close - open - 1), ' '))
      if (!name.empty()) names.push_back(lower_ascii(name));
  std::string out;
  for (const HeaderField& field : view.fields) {
    const bool is_named =
        std::find(names.begin(), names.end(), lower_ascii(field.name)) != names.end();
    if (is_named != is_not)
      out += std::string(field.name) + ":" + std::string(field.value) + "\r\n";
  }
  return out + "\r\n";
}

// BODY[...]<...>: the section's bytes.
std::string section_of(const std::string& bytes, std::string_view section) {
  const MessageView view = view_message(bytes);
  const std::string lower = lower_ascii(section);
  if (section.empty()) return bytes;
  if (lower == "header") return std::string(view.header);
  if (lower == "text") return std::string(view.body);
  if (lower.starts_with("header.fields.not")) return header_fields(view, section, true);
  if (lower.starts_with("header.fields")) return header_fields(view, section, false);
  const auto parts = parts_of(bytes);
  std::size_t number = 0;
  std::from_chars(lower.data(), lower.data() + lower.size(), number);
  std::vector<const Part*> leaves;
  for (const Part& part : parts)
    if (!part.type.starts_with("multipart/")) leaves.push_back(&part);
  if (number == 0 || number > leaves.size()) return {};
  return std::string(lower.find(".mime") != std::string::npos ? leaves[number - 1]->header
                                                              : leaves[number - 1]->content);
}

}  // namespace

Mailbox* ImapSession::selected_mailbox(MailAccount& mail) {
  const auto found = selected_ ? mail.mailboxes.find(*selected_) : mail.mailboxes.end();
  return found == mail.mailboxes.end() ? nullptr : &found->second;
}

std::size_t ImapSession::position_of(std::uint32_t uid) const {
  const auto found = std::lower_bound(view_.begin(), view_.end(), uid);
  return found == view_.end() || *found != uid
             ? 0
             : static_cast<std::size_t>(found - view_.begin()) + 1;
}

std::string ImapSession::flags_of(const Email& email) {
  std::string out;
  for (const std::string& keyword : email.keywords)
    out += (out.empty() ? "" : " ") + imap_flag(keyword);
  return "(" + out + ")";
}

std::vector<std::uint32_t> ImapSession::chosen(std::string_view set, bool is_uid) {
  std::vector<std::uint32_t> out;
  const std::uint32_t last =
      view_.empty() ? 0 : (is_uid ? view_.back() : static_cast<std::uint32_t>(view_.size()));
  const auto ranges = imap_ranges(set, last);
  if (!ranges) return out;
  for (std::size_t i = 0; i < view_.size(); ++i)
    if (in_ranges(*ranges, is_uid ? view_[i] : static_cast<std::uint32_t>(i + 1)))
      out.push_back(view_[i]);
  return out;
}

void ImapSession::refresh() {
  if (!selected_ || !login_) return;
  std::string out;
  {
    const std::lock_guard lock(world_.mutex);
    MailAccount& mail = account();
    Mailbox* mailbox = selected_mailbox(mail);
    if (mailbox == nullptr) return;
    for (std::size_t i = view_.size(); i > 0; --i) {
      if (mailbox->messages.contains(view_[i - 1])) continue;
      out += "* " + std::to_string(i) + " EXPUNGE\r\n";
      known_.erase(view_[i - 1]);
      view_.erase(view_.begin() + static_cast<std::ptrdiff_t>(i - 1));
    }
    bool is_grown = false;
    for (const auto& [uid, document] : mailbox->messages) {
      const auto email = mail.emails.find(document);
      if (email == mail.emails.end()) continue;
      const auto known = known_.find(uid);
      if (known == known_.end()) {
        view_.push_back(uid);
        is_grown = true;
      } else if (known->second != email->second.modseq) {
        out += "* " + std::to_string(position_of(uid)) + " FETCH (UID " + std::to_string(uid) +
               " FLAGS " + flags_of(email->second) + ")\r\n";
      }
      known_[uid] = email->second.modseq;
    }
    if (is_grown) out += "* " + std::to_string(view_.size()) + " EXISTS\r\n";
  }
  if (!out.empty()) send(out);
}

void ImapSession::fetch(const Tokens& arguments, bool is_uid) {
  if (arguments.size() < 2) return bad("Expected a sequence set and items.");
  std::vector<std::string> items;
  std::uint64_t changed_since = 0;
  for (std::size_t i = 1; i < arguments.size(); ++i) {
    if (arguments[i].kind == ImapToken::Kind::open || arguments[i].kind == ImapToken::Kind::close)
      continue;
    const std::string lower = lower_ascii(arguments[i].text);
    if (lower == "changedsince" && i + 1 < arguments.size()) {
      std::from_chars(arguments[i + 1].text.data(),
                      arguments[i + 1].text.data() + arguments[i + 1].text.size(), changed_since);
      ++i;
    } else if (lower == "all" || lower == "fast" || lower == "full") {
      for (const char* each : {"flags", "internaldate", "rfc822.size"}) items.emplace_back(each);
      if (lower != "fast") items.emplace_back("envelope");
    } else {
      items.push_back(arguments[i].text);
    }
  }
  for (const std::string& item : items) {
    static const std::set<std::string, std::less<>> kKnown = {
        "uid",    "flags",         "internaldate", "rfc822.size",   "envelope",
        "body",   "bodystructure", "rfc822",       "rfc822.header", "rfc822.text",
        "modseq", "vanished",      "preview"};
    const std::string lower = lower_ascii(item);
    if (!kKnown.contains(lower) && !lower.starts_with("body[") &&
        !lower.starts_with("body.peek[") && !lower.starts_with("binary"))
      return bad("Invalid attribute \"" + item + "\"");
  }
  if (is_uid && std::none_of(items.begin(), items.end(), [](const std::string& each) {
        return equals_ignoring_case(each, "uid");
      }))
    items.insert(items.begin(), "UID");
  for (const std::uint32_t uid : chosen(arguments[0].text, is_uid)) {
    std::string out;
    {
      const std::lock_guard lock(world_.mutex);
      MailAccount& mail = account();
      const Mailbox* mailbox = selected_mailbox(mail);
      if (mailbox == nullptr) break;
      const auto place = mailbox->messages.find(uid);
      const auto found =
          place == mailbox->messages.end() ? mail.emails.end() : mail.emails.find(place->second);
      if (found == mail.emails.end()) continue;
      Email& email = found->second;
      if (changed_since > 0 && email.modseq <= changed_since) continue;
      std::optional<std::string> bytes;
      const auto content = [&]() -> const std::string& {
        if (!bytes) bytes = world_.mail.blob(email.blob).value_or("");
        return *bytes;
      };
      bool sets_seen = false;
      std::string values;
      const auto add = [&values](const std::string& value) {
        values += (values.empty() ? "" : " ") + value;
      };
      for (const std::string& item : items) {
        const std::string lower = lower_ascii(item);
        if (lower == "uid")
          add("UID " + std::to_string(uid));
        else if (lower == "flags")
          add("FLAGS " + flags_of(email));
        else if (lower == "internaldate")
          add("INTERNALDATE " + imap_quoted(show_imap_date(email.received_at)));
        else if (lower == "rfc822.size")
          add("RFC822.SIZE " + std::to_string(email.size));
        else if (lower == "modseq")
          add("MODSEQ (" + std::to_string(email.modseq) + ")");
        else if (lower == "envelope")
          add("ENVELOPE " + envelope(view_message(content())));
        else if (lower == "bodystructure" || lower == "body")
          add((lower == "body" ? "BODY " : "BODYSTRUCTURE ") + body_structure(parts_of(content())));
        else if (lower == "rfc822") {
          add("RFC822 " + literal(content()));
          sets_seen = true;
        } else if (lower == "rfc822.header")
          add("RFC822.HEADER " + literal(view_message(content()).header));
        else if (lower == "rfc822.text") {
          add("RFC822.TEXT " + literal(view_message(content()).body));
          sets_seen = true;
        } else if (const std::size_t open = item.find('['); open != std::string::npos) {
          const std::size_t close = item.rfind(']');
          if (close == std::string::npos || close < open) continue;
          const std::string section = item.substr(open + 1, close - open - 1);
          std::string part = section_of(content(), section);
          std::string origin;
          if (close + 1 < item.size() && item[close + 1] == '<') {
            std::size_t offset = 0;
            std::size_t size = std::string::npos;
            const char* end = item.data() + item.size();
            const auto first = std::from_chars(item.data() + close + 2, end, offset);
            if (first.ptr < end && *first.ptr == '.') std::from_chars(first.ptr + 1, end, size);
            part = offset > part.size() ? std::string{} : part.substr(offset, size);
            origin = "<" + std::to_string(offset) + ">";
          }
          if (lower.starts_with("body[")) sets_seen = true;
          add((lower.starts_with("binary") ? "BINARY[" : "BODY[") + section + "]" + origin + " " +
              literal(part));
        }
      }
      if (sets_seen && !is_read_only_ && !email.keywords.contains("$seen")) {
        world_.mail.open_change(mail);
        email.keywords.insert("$seen");
        world_.mail.note(mail, ChangeKind::email, ChangeAction::updated, email.id());
        world_.mail.note(mail, ChangeKind::mailbox, ChangeAction::counts, mailbox->id);
        world_.mail.save(mail, email);
        world_.mail.save(mail);
        world_.commit();
        add("FLAGS " + flags_of(email));
      }
      known_[uid] = email.modseq;
      out = "* " + std::to_string(position_of(uid)) + " FETCH (" + values + ")\r\n";
    }
    if (!send(out)) return;
  }
  ok(is_uid ? "UID FETCH completed" : "FETCH completed");
}

void ImapSession::store(const Tokens& arguments, bool is_uid) {
  if (arguments.size() < 3) return bad("Expected a sequence set, an item and flags.");
  if (is_read_only_) return no("[READ-ONLY] Mailbox is read-only.");
  std::size_t at = 1;
  while (at < arguments.size() && arguments[at].kind != ImapToken::Kind::atom)
    ++at;  // (UNCHANGEDSINCE n) is passed over
  while (at < arguments.size() &&
         lower_ascii(arguments[at].text).find("flags") == std::string::npos)
    ++at;
  if (at >= arguments.size()) return bad("Expected FLAGS.");
  const std::string item = lower_ascii(arguments[at].text);
  std::set<std::string> flags;
  for (std::size_t i = at + 1; i < arguments.size(); ++i)
    if (arguments[i].kind == ImapToken::Kind::atom || arguments[i].kind == ImapToken::Kind::text)
      flags.insert(keyword_of_flag(arguments[i].text));
  std::string out;
  {
    const std::lock_guard lock(world_.mutex);
    MailAccount& mail = account();
    const Mailbox* mailbox = selected_mailbox(mail);
    bool is_open = false;
    for (const std::uint32_t uid : chosen(arguments[0].text, is_uid)) {
      const auto place =
          mailbox == nullptr ? decltype(mailbox->messages.end()){} : mailbox->messages.find(uid);
      if (mailbox == nullptr || place == mailbox->messages.end()) continue;
      const auto found = mail.emails.find(place->second);
      if (found == mail.emails.end()) continue;
      Email& email = found->second;
      std::set<std::string> keywords = email.keywords;
      if (item.starts_with('+'))
        keywords.insert(flags.begin(), flags.end());
      else if (item.starts_with('-'))
        for (const std::string& flag : flags) keywords.erase(flag);
      else
        keywords = flags;
      if (keywords != email.keywords) {
        if (!is_open) world_.mail.open_change(mail);
        is_open = true;
        email.keywords = std::move(keywords);
        world_.mail.note(mail, ChangeKind::email, ChangeAction::updated, email.id());
        world_.mail.note(mail, ChangeKind::mailbox, ChangeAction::counts, mailbox->id);
        world_.mail.save(mail, email);
      }
      known_[uid] = email.modseq;
      if (item.find(".silent") == std::string::npos)
        out += "* " + std::to_string(position_of(uid)) + " FETCH (" +
               (is_uid ? "UID " + std::to_string(uid) + " " : std::string{}) + "FLAGS " +
               flags_of(email) + ")\r\n";
    }
    if (is_open) world_.mail.save(mail);
    world_.commit();
  }
  if (!out.empty()) send(out);
  ok(is_uid ? "UID STORE completed" : "STORE completed");
}

bool ImapSession::matches(const MailAccount& mail, const Email& email, std::uint32_t uid,
                          const Tokens& tokens, std::size_t& at, int depth) {
  if (at >= tokens.size() || depth > 16) return true;
  if (tokens[at].kind == ImapToken::Kind::open) {
    ++at;
    bool all = true;
    while (at < tokens.size() && tokens[at].kind != ImapToken::Kind::close)
      all = matches(mail, email, uid, tokens, at, depth + 1) && all;
    if (at < tokens.size()) ++at;
    return all;
  }
  const std::string key = lower_ascii(tokens[at++].text);
  const auto next = [&]() { return at < tokens.size() ? tokens[at++].text : std::string{}; };
  const auto has = [&email](std::string_view keyword) {
    return email.keywords.contains(std::string(keyword));
  };
  if (key == "all") return true;
  if (key == "not") return !matches(mail, email, uid, tokens, at, depth + 1);
  if (key == "or") {
    const bool left = matches(mail, email, uid, tokens, at, depth + 1);
    const bool right = matches(mail, email, uid, tokens, at, depth + 1);
    return left || right;
  }
  for (const std::string_view flag : {"seen", "answered", "flagged", "deleted", "draft"}) {
    if (key == flag) return has("$" + std::string(flag));
    if (key == "un" + std::string(flag)) return !has("$" + std::string(flag));
  }
  if (key == "recent" || key == "new") return false;
  if (key == "old") return true;
  if (key == "keyword") return has(keyword_of_flag(next()));
  if (key == "unkeyword") return !has(keyword_of_flag(next()));
  if (key == "larger" || key == "smaller") {
    std::uint64_t size = 0;
    const std::string text = next();
    std::from_chars(text.data(), text.data() + text.size(), size);
    return key == "larger" ? email.size > size : email.size < size;
  }
  if (key == "uid") {
    const auto ranges = imap_ranges(next(), view_.empty() ? 0 : view_.back());
    return ranges && in_ranges(*ranges, uid);
  }
  if (key == "modseq") {
    std::uint64_t number = 0;
    const std::string text = next();
    std::from_chars(text.data(), text.data() + text.size(), number);
    return email.modseq >= number;
  }
  if (key == "since" || key == "before" || key == "on") {
    const auto day = parse_imap_date(next() + " 00:00:00 +0000");
    if (!day) return false;
    if (key == "since") return email.received_at >= *day;
    if (key == "before") return email.received_at < *day;
    return email.received_at >= *day && email.received_at < *day + 86'400;
  }
  if (key == "header") {
    next();
    next();
    return false;  // headers are not indexed by default: nothing is found, and nothing said
                   // (reference 8.3)
  }
  const bool is_text = key == "subject" || key == "from" || key == "to" || key == "cc" ||
                       key == "bcc" || key == "body" || key == "text";
  if (is_text) {
    const std::string wanted = lower_ascii(next());
    const std::string bytes = world_.mail.blob(email.blob).value_or("");
    const MessageView view = view_message(bytes);
    if (key == "text" || key == "body")
      return lower_ascii(key == "text" ? std::string_view(bytes) : view.body).find(wanted) !=
             std::string::npos;
    const auto field = view.field(key);
    return field && lower_ascii(decode_text(*field)).find(wanted) != std::string::npos;
  }
  const auto ranges = imap_ranges(key, static_cast<std::uint32_t>(view_.size()));
  return ranges && in_ranges(*ranges, static_cast<std::uint32_t>(position_of(uid)));
}

void ImapSession::search(const Tokens& arguments, bool is_uid) {
  Tokens criteria = arguments;
  bool is_extended = false;
  if (!criteria.empty() && equals_ignoring_case(criteria[0].text, "return")) {
    is_extended = true;
    std::size_t end = 1;
    while (end < criteria.size() && criteria[end].kind != ImapToken::Kind::close) ++end;
    criteria.erase(criteria.begin(), criteria.begin() + static_cast<std::ptrdiff_t>(
                                                            std::min(end + 1, criteria.size())));
  }
  if (criteria.size() >= 2 && equals_ignoring_case(criteria[0].text, "charset"))
    criteria.erase(criteria.begin(), criteria.begin() + 2);
  std::string found;
  std::size_t count = 0;
  {
    const std::lock_guard lock(world_.mutex);
    MailAccount& mail = account();
    const Mailbox* mailbox = selected_mailbox(mail);
    for (std::size_t i = 0; mailbox != nullptr && i < view_.size(); ++i) {
      const auto place = mailbox->messages.find(view_[i]);
      const auto email =
          place == mailbox->messages.end() ? mail.emails.end() : mail.emails.find(place->second);
      if (email == mail.emails.end()) continue;
      std::size_t at = 0;
      bool fits = true;
      while (at < criteria.size())
        fits = matches(mail, email->second, view_[i], criteria, at, 0) && fits;
      if (!fits) continue;
      ++count;
      found += (is_extended && !found.empty() ? "," : (is_extended ? "" : " ")) +
               std::to_string(is_uid ? view_[i] : static_cast<std::uint32_t>(i + 1));
    }
  }
  if (is_extended)
    line("* ESEARCH (TAG " + imap_quoted(tag_) + ")" + (is_uid ? " UID" : "") + " COUNT " +
         std::to_string(count) + (found.empty() ? "" : " ALL " + found));
  else
    line("* SEARCH" + found);
  ok(is_uid ? "UID SEARCH completed" : "SEARCH completed");
}

void ImapSession::copy(const Tokens& arguments, bool is_uid, bool is_move) {
  if (arguments.size() < 2) return bad("Expected a sequence set and a mailbox.");
  std::string from;
  std::string to;
  std::string code;
  {
    const std::lock_guard lock(world_.mutex);
    MailAccount& mail = account();
    Mailbox* source = selected_mailbox(mail);
    const Mailbox* target = find_mailbox(mail, arguments[1].text);
    if (target != nullptr && source != nullptr) {
      world_.mail.open_change(mail);
      for (const std::uint32_t uid : chosen(arguments[0].text, is_uid)) {
        const auto place = source->messages.find(uid);
        const auto email =
            place == source->messages.end() ? mail.emails.end() : mail.emails.find(place->second);
        if (email == mail.emails.end()) continue;
        world_.mail.place(mail, email->second, target->id);
        const std::uint32_t fresh = email->second.mailboxes[target->id];
        if (is_move && target->id != source->id)
          world_.mail.displace(mail, email->second, source->id);
        world_.mail.note(mail, ChangeKind::email, ChangeAction::updated, email->second.id());
        world_.mail.save(mail, email->second);
        from += (from.empty() ? "" : ",") + std::to_string(uid);
        to += (to.empty() ? "" : ",") + std::to_string(fresh);
      }
      world_.mail.save(mail);
      code = "[COPYUID " + std::to_string(target->uid_validity) + " " + from + " " + to + "] ";
      world_.commit();
    }
  }
  if (code.empty()) return no("[TRYCREATE] Mailbox does not exist.");
  if (from.empty()) code.clear();
  if (is_move) {
    if (!code.empty()) line("* OK " + code + "Moved UIDs");
    refresh();
    return ok(is_uid ? "UID MOVE completed" : "MOVE completed");
  }
  ok(code + (is_uid ? "UID COPY completed" : "COPY completed"));
}

void ImapSession::expunge(const Tokens* arguments, bool is_silent) {
  if (is_read_only_) {
    if (!is_silent) no("[READ-ONLY] Mailbox is read-only.");
    return;
  }
  {
    const std::lock_guard lock(world_.mutex);
    MailAccount& mail = account();
    const Mailbox* mailbox = selected_mailbox(mail);
    const std::vector<std::uint32_t> uids =
        arguments != nullptr && !arguments->empty() ? chosen((*arguments)[0].text, true) : view_;
    bool is_open = false;
    for (const std::uint32_t uid : uids) {
      if (mailbox == nullptr) break;
      const auto place = mailbox->messages.find(uid);
      const auto email =
          place == mailbox->messages.end() ? mail.emails.end() : mail.emails.find(place->second);
      if (email == mail.emails.end() || !email->second.keywords.contains("$deleted")) continue;
      if (!is_open) world_.mail.open_change(mail);
      is_open = true;
      const std::uint32_t document = email->first;
      world_.mail.displace(mail, email->second, mailbox->id);
      if (email->second.mailboxes.empty()) {
        world_.mail.remove_email(mail, document);
      } else {
        world_.mail.note(mail, ChangeKind::email, ChangeAction::updated, email->second.id());
        world_.mail.save(mail, email->second);
      }
    }
    if (is_open) world_.mail.save(mail);
    world_.commit();
  }
  if (is_silent) return;
  refresh();
  ok(arguments != nullptr ? "UID EXPUNGE completed" : "EXPUNGE completed");
}

}  // namespace plan::rehearsal
