// Email/* and Thread/* (RFC 8621, 3 and 4; reference/stalwart-admin.md 8.3).
#include <algorithm>
#include <array>
#include <functional>

#include "compiler/source/text.h"
#include "runtime/rehearsal/email_view.h"
#include "runtime/rehearsal/ids.h"
#include "runtime/rehearsal/jmap.h"
#include "runtime/rehearsal/keywords.h"
#include "runtime/rehearsal/message.h"

namespace plan::rehearsal {
namespace {

constexpr std::string_view kTooLarge =
    "The number of ids requested by the client exceeds the maximum number the server is willing to "
    "process in a single "
    "method call.";

Email* email_by_id(MailAccount& account, std::string_view text) {
  const auto number = parse_id(text);
  if (!number) return nullptr;
  const auto found = account.emails.find(static_cast<std::uint32_t>(*number & 0xffffffffU));
  return found == account.emails.end() || found->second.id() != *number ? nullptr : &found->second;
}

MethodResult get(JmapContext& context, MailAccount& account, const ir::Value& arguments) {
  const ir::Value& ids = arguments["ids"];
  const std::int64_t max = limit_of(context.world, "x:Jmap", "getMaxResults", 500);
  if (ids.is_list() && static_cast<std::int64_t>(ids.size()) > max)
    return MethodResult::error("requestTooLarge", kTooLarge);
  ir::Value list = ir::Value::list();
  ir::Value missing = ir::Value::list();
  const bool with_message = needs_message(arguments["properties"]);
  const auto add = [&](const Email& email) {
    const std::string bytes =
        with_message ? context.world.mail.blob(email.blob).value_or("") : std::string{};
    list.push_back(show_email(account, email, bytes, arguments));
  };
  if (ids.is_list()) {
    for (const ir::Value& id : ids.items()) {
      const Email* email = email_by_id(account, id.string_or(""));
      if (email == nullptr)
        missing.push_back(id);
      else
        add(*email);
    }
  } else {
    for (const auto& [document, email] : account.emails) {
      if (static_cast<std::int64_t>(list.size()) >= max) break;
      add(email);
    }
  }
  return MethodResult::answer(ir::Value::map({{"accountId", encode_id(account.id)},
                                              {"state", state_of(account, ChangeKind::email)},
                                              {"list", std::move(list)},
                                              {"notFound", std::move(missing)}}));
}

// One message against one condition of a filter. Text is searched in the message, never in raw
// encodings.
class Filter {
 public:
  Filter(const World& world, const MailAccount& account) : world_(world), account_(account) {}

  // The name of what is not supported, or nothing.
  std::optional<std::string> unsupported(const ir::Value& filter, int depth = 0) const {
    static constexpr std::array<std::string_view, 22> kKnown = {"inMailbox",
                                                                "inMailboxOtherThan",
                                                                "before",
                                                                "after",
                                                                "minSize",
                                                                "maxSize",
                                                                "allInThreadHaveKeyword",
                                                                "someInThreadHaveKeyword",
                                                                "noneInThreadHaveKeyword",
                                                                "hasKeyword",
                                                                "notKeyword",
                                                                "hasAttachment",
                                                                "text",
                                                                "from",
                                                                "to",
                                                                "cc",
                                                                "bcc",
                                                                "subject",
                                                                "body",
                                                                "header",
                                                                "id",
                                                                "sentBefore"};
    if (depth > 16) return "conditions";
    if (filter["operator"].is_string()) {
      for (const ir::Value& each : filter["conditions"].items())
        if (auto name = unsupported(each, depth + 1)) return name;
      return std::nullopt;
    }
    for (const auto& [name, value] : filter.members())
      if (std::find(kKnown.begin(), kKnown.end(), name) == kKnown.end()) return name;
    return std::nullopt;
  }

  bool fits(const Email& email, const ir::Value& filter, int depth = 0) const {
    if (!filter.is_map() || depth > 16) return true;
    if (filter["operator"].is_string()) {
      const std::string_view kind = filter["operator"].string_or("AND");
      const auto& conditions = filter["conditions"].items();
      const auto one = [&](const ir::Value& each) { return fits(email, each, depth + 1); };
      if (kind == "OR") return std::any_of(conditions.begin(), conditions.end(), one);
      if (kind == "NOT") return std::none_of(conditions.begin(), conditions.end(), one);
      return std::all_of(conditions.begin(), conditions.end(), one);
    }
    return std::all_of(filter.members().begin(), filter.members().end(), [&](const auto& entry) {
      return fits_one(email, entry.first, entry.second);
    });
  }

 private:
  bool fits_one(const Email& email, std::string_view name, const ir::Value& value) const {
    // What needs the text index does not see a message that was never put into it.
    static constexpr std::array<std::string_view, 8> kIndexed = {
        "text", "from", "to", "cc", "bcc", "subject", "body", "header"};
    if (!email.is_text_indexed &&
        std::find(kIndexed.begin(), kIndexed.end(), name) != kIndexed.end())
      return false;
    if (name == "inMailbox") {
      const auto number = parse_id(value.string_or("!"));
      return number && email.mailboxes.contains(static_cast<std::uint32_t>(*number));
    }
    if (name == "inMailboxOtherThan")
      return std::any_of(email.mailboxes.begin(), email.mailboxes.end(), [&](const auto& entry) {
        const std::string id = encode_id(entry.first);
        return std::none_of(value.items().begin(), value.items().end(),
                            [&](const ir::Value& each) { return each.string_or("") == id; });
      });
    if (name == "before") return email.received_at < parse_rfc3339(value.string_or("")).value_or(0);
    if (name == "after") return email.received_at >= parse_rfc3339(value.string_or("")).value_or(0);
    if (name == "minSize") return static_cast<std::int64_t>(email.size) >= value.integer_or(0);
    if (name == "maxSize")
      return static_cast<std::int64_t>(email.size) < value.integer_or(INT64_MAX);
    if (name == "hasKeyword") return email.keywords.contains(normal_keyword(value.string_or("")));
    if (name == "notKeyword") return !email.keywords.contains(normal_keyword(value.string_or("")));
    if (name.find("InThreadHaveKeyword") != std::string_view::npos)
      return fits_thread(email, name, normal_keyword(value.string_or("")));
    const std::string bytes = world_.mail.blob(email.blob).value_or("");
    const MessageView message = view_message(bytes);
    if (name == "header") return fits_header(email, message, value);
    if (name == "hasAttachment") {
      const auto parts = parts_of(bytes);
      const bool has = std::any_of(parts.begin(), parts.end(), [](const Part& part) {
        return part.disposition == "attachment";
      });
      return has == value.bool_or(true);
    }
    const std::string wanted = lower_ascii(value.string_or(""));
    const auto in_field = [&](std::string_view field) {
      const auto found = message.field(field);
      return found && lower_ascii(decode_text(*found)).find(wanted) != std::string::npos;
    };
    const auto in_body = [&] {
      for (const Part& part : parts_of(bytes))
        if (part.type.starts_with("text/") &&
            lower_ascii(decode_content(part)).find(wanted) != std::string::npos)
          return true;
      return false;
    };
    if (name == "body") return in_body();
    if (name == "text")
      return in_field("subject") || in_field("from") || in_field("to") || in_field("cc") ||
             in_field("bcc") || in_body();
    return in_field(name);
  }

  // Without `headers` among the indexed fields the real server finds nothing, and says nothing
  // (reference 8.3).
  bool fits_header(const Email& email, const MessageView& message, const ir::Value& value) const {
    if (!email.are_headers_indexed || email.indexed_at_ms > world_.clock.wall_ms()) return false;
    const auto found = message.field(value.item(0).string_or(""));
    if (!found) return false;
    if (value.size() < 2) return true;
    std::string wanted = lower_ascii(value.item(1).string_or(""));
    if (wanted.starts_with('<') && wanted.ends_with('>'))
      wanted = wanted.substr(1, wanted.size() - 2);
    return lower_ascii(*found).find(wanted) != std::string::npos;
  }

  bool fits_thread(const Email& email, std::string_view name, const std::string& keyword) const {
    bool some = false;
    bool all = true;
    for (const auto& [document, other] : account_.emails) {
      if (other.thread != email.thread) continue;
      if (other.keywords.contains(keyword))
        some = true;
      else
        all = false;
    }
    if (name.starts_with("all")) return all;
    return name.starts_with("some") ? some : !some;
  }

  const World& world_;
  const MailAccount& account_;
};

MethodResult query(JmapContext& context, MailAccount& account, const ir::Value& arguments) {
  const Filter filter(context.world, account);
  if (const auto name = filter.unsupported(arguments["filter"]))
    return MethodResult::error("unsupportedFilter", *name);
  std::vector<const Email*> found;
  for (const auto& [document, email] : account.emails)
    if (filter.fits(email, arguments["filter"])) found.push_back(&email);
  struct SortKey {
    std::string_view property;
    bool is_ascending;
    std::string keyword;
  };
  std::vector<SortKey> keys;
  for (const ir::Value& each : arguments["sort"].items()) {
    const std::string_view property = each["property"].string_or("");
    static constexpr std::array<std::string_view, 9> kKnown = {"receivedAt",
                                                               "size",
                                                               "from",
                                                               "to",
                                                               "subject",
                                                               "sentAt",
                                                               "hasKeyword",
                                                               "allInThreadHaveKeyword",
                                                               "someInThreadHaveKeyword"};
    if (std::find(kKnown.begin(), kKnown.end(), property) == kKnown.end())
      return MethodResult::error("unsupportedSort", "property");
    keys.push_back(
        {property, each["isAscending"].bool_or(true), std::string(each["keyword"].string_or(""))});
  }
  std::map<const Email*, std::string> texts;
  const auto text_of = [&](const Email* email, std::string_view property) {
    auto [entry, is_new] = texts.try_emplace(email);
    if (is_new) {
      const std::string bytes = context.world.mail.blob(email->blob).value_or("");
      const auto field = view_message(bytes).field(property == "sentAt" ? "date" : property);
      entry->second = property == "sentAt"
                          ? std::to_string(parse_mail_date(field.value_or("")).value_or(0))
                          : lower_ascii(decode_text(field.value_or("")));
    }
    return entry->second;
  };
  std::stable_sort(found.begin(), found.end(), [&](const Email* left, const Email* right) {
    for (const SortKey& key : keys) {
      int order = 0;
      if (key.property == "receivedAt")
        order = left->received_at < right->received_at
                    ? -1
                    : int{left->received_at > right->received_at};
      else if (key.property == "size")
        order = left->size < right->size ? -1 : int{left->size > right->size};
      else if (key.property == "subject")
        order = left->subject_base.compare(right->subject_base);
      else if (key.property == "hasKeyword")
        order =
            int{left->keywords.contains(key.keyword)} - int{right->keywords.contains(key.keyword)};
      else
        order = text_of(left, key.property).compare(text_of(right, key.property));
      if (order != 0) return key.is_ascending ? order < 0 : order > 0;
    }
    return false;
  });
  std::vector<std::string> ids;
  std::set<std::uint32_t> threads;
  for (const Email* email : found) {
    if (arguments["collapseThreads"].bool_or(false) && !threads.insert(email->thread).second)
      continue;
    ids.push_back(encode_id(email->id()));
  }
  return query_window(context.world, encode_id(account.id), state_of(account, ChangeKind::email),
                      std::move(ids), arguments);
}

std::optional<std::set<std::uint32_t>> mailboxes_of(const JmapContext& context,
                                                    const MailAccount& account,
                                                    const ir::Value& given, std::string& missing) {
  std::set<std::uint32_t> out;
  for (const auto& [text, is_in] : given.members()) {
    if (!is_in.bool_or(false)) continue;
    std::string id = text;
    if (id.starts_with('#')) {
      const auto found = context.created_ids.find(id.substr(1));
      if (found != context.created_ids.end()) id = found->second;
    }
    const auto number = parse_id(id);
    if (!number || !account.mailboxes.contains(static_cast<std::uint32_t>(*number))) {
      missing = text;
      return std::nullopt;
    }
    out.insert(static_cast<std::uint32_t>(*number));
  }
  return out;
}

std::int64_t disk_quota(const World& world, std::uint64_t account) {
  const ir::Value* object = world.registry.find("x:Account", account);
  return object == nullptr ? 0 : (*object)["quotas"]["maxDiskQuota"].integer_or(0);
}

std::optional<ir::Value> import_one(JmapContext& context, MailAccount& account,
                                    const ir::Value& body, const std::string& name,
                                    ir::Value& created) {
  NewEmail fresh;
  std::string missing;
  if (!body["mailboxIds"].is_map())
    return set_error("invalidProperties", "Message has to belong to at least one mailbox.",
                     "mailboxIds");
  const auto mailboxes = mailboxes_of(context, account, body["mailboxIds"], missing);
  if (!mailboxes)
    return set_error("invalidProperties", "Mailbox " + missing + " does not exist.", "mailboxIds");
  if (mailboxes->empty())
    return set_error("invalidProperties", "Message has to belong to at least one mailbox.",
                     "mailboxIds");
  const ir::Value& blob_id = body["blobId"];
  if (!blob_id.is_string() || blob_id.string_or("").empty() ||
      !decode_bytes(blob_id.string_or("").substr(1)) ||
      std::string_view("ecg").find(blob_id.string_or("")[0]) == std::string_view::npos)
    return set_error("invalidProperties", "Invalid blob id.", "blobId");
  const auto found = find_blob(context.world, context.login, account.id, blob_id.string_or(""));
  const auto bytes = found ? read_blob(context.world, *found) : std::nullopt;
  if (!bytes)
    return set_error("blobNotFound",
                     "Blob id " + std::string(blob_id.string_or("")) + " not found.");
  if (!is_message(view_message(*bytes)))
    return set_error("invalidEmail", "Failed to parse e-mail message.");
  const std::int64_t quota = disk_quota(context.world, account.id);
  if (quota > 0 && account.used_bytes + bytes->size() > static_cast<std::uint64_t>(quota))
    return set_error("overQuota", "You have exceeded your disk quota.");
  for (const auto& [keyword, is_set] : body["keywords"].members())
    if (is_set.bool_or(false)) fresh.keywords.insert(normal_keyword(keyword));
  fresh.mailboxes = *mailboxes;
  fresh.bytes = *bytes;
  fresh.received_at = context.world.now_seconds();
  if (body["receivedAt"].is_string())
    fresh.received_at = stored_time(parse_rfc3339(body["receivedAt"].string_or("")).value_or(0));
  const Email& email = context.world.mail.add_email(account, fresh);
  context.created_ids[name] = encode_id(email.id());
  created.set(name,
              ir::Value::map({{"id", encode_id(email.id())},
                              {"threadId", encode_id(email.thread)},
                              {"blobId", email_blob_id(email.blob, account.id, email.document)},
                              {"size", email.size}}));
  return std::nullopt;
}

MethodResult import_emails(JmapContext& context, MailAccount& account, const ir::Value& arguments) {
  if (!arguments["emails"].is_map())
    return MethodResult::error("invalidArguments", "emails is required");
  for (const auto& [name, body] : arguments["emails"].members())
    if (body["receivedAt"].is_string() && !parse_rfc3339(body["receivedAt"].string_or("")))
      return MethodResult::error("invalidArguments", "invalid JMAP UTCDate");
  ir::Value out = ir::Value::map(
      {{"accountId", encode_id(account.id)}, {"oldState", state_of(account, ChangeKind::email)}});
  ir::Value created = ir::Value::map();
  ir::Value not_created = ir::Value::map();
  for (const auto& [name, body] : arguments["emails"].members())
    if (auto failed = import_one(context, account, body, name, created))
      not_created.set(name, std::move(*failed));
  out.set("newState", state_of(account, ChangeKind::email));
  if (created.size() > 0) out.set("created", std::move(created));
  if (not_created.size() > 0) out.set("notCreated", std::move(not_created));
  return MethodResult::answer(std::move(out));
}

// A patch of keywords and mailboxes (RFC 8620, 5.3).
std::optional<ir::Value> patch_email(JmapContext& context, MailAccount& account, Email& email,
                                     const ir::Value& patch) {
  std::set<std::string> keywords = email.keywords;
  std::set<std::uint32_t> mailboxes;
  for (const auto& [mailbox, uid] : email.mailboxes) mailboxes.insert(mailbox);
  for (const auto& [path, value] : patch.members()) {
    std::string missing;
    if (path == "keywords" && value.is_map()) {
      keywords.clear();
      for (const auto& [keyword, is_set] : value.members())
        if (is_set.bool_or(false)) keywords.insert(normal_keyword(keyword));
    } else if (path.starts_with("keywords/")) {
      const std::string keyword = normal_keyword(path.substr(9));
      if (value.bool_or(false))
        keywords.insert(keyword);
      else
        keywords.erase(keyword);
    } else if (path == "mailboxIds" && value.is_map()) {
      const auto found = mailboxes_of(context, account, value, missing);
      if (!found)
        return set_error("invalidProperties", "mailboxId " + missing + " does not exist.",
                         "mailboxIds");
      mailboxes = *found;
    } else if (path.starts_with("mailboxIds/")) {
      const auto found =
          mailboxes_of(context, account, ir::Value::map({{path.substr(11), true}}), missing);
      if (!found)
        return set_error("invalidProperties", "mailboxId " + missing + " does not exist.",
                         "mailboxIds");
      if (value.bool_or(false))
        mailboxes.insert(*found->begin());
      else
        mailboxes.erase(*found->begin());
    } else {
      return set_error("invalidProperties", "Invalid property or value.", path);
    }
  }
  if (mailboxes.empty())
    return set_error("invalidProperties", "Message has to belong to at least one mailbox.",
                     "mailboxIds");
  bool has_changed = keywords != email.keywords;
  for (const auto& [mailbox, uid] : email.mailboxes)
    has_changed = has_changed || !mailboxes.contains(mailbox);
  for (const std::uint32_t mailbox : mailboxes)
    has_changed = has_changed || !email.mailboxes.contains(mailbox);
  if (!has_changed) return std::nullopt;
  MailStore& mail = context.world.mail;
  mail.open_change(account);
  const std::map<std::uint32_t, std::uint32_t> before = email.mailboxes;
  for (const auto& [mailbox, uid] : before)
    if (!mailboxes.contains(mailbox)) mail.displace(account, email, mailbox);
  for (const std::uint32_t mailbox : mailboxes) mail.place(account, email, mailbox);
  if (keywords.contains("$seen") != email.keywords.contains("$seen"))
    for (const std::uint32_t mailbox : mailboxes)
      mail.note(account, ChangeKind::mailbox, ChangeAction::counts, mailbox);
  email.keywords = std::move(keywords);
  mail.note(account, ChangeKind::email, ChangeAction::updated, email.id());
  mail.note(account, ChangeKind::thread, ChangeAction::updated, email.thread);
  mail.save(account, email);
  mail.save(account);
  return std::nullopt;
}

std::string header_value(const ir::Value& value) {
  std::string out;
  for (const ir::Value& address : value.items()) {
    if (!out.empty()) out += ", ";
    const std::string_view name = address["name"].string_or("");
    out += name.empty() ? std::string(address["email"].string_or(""))
                        : "\"" + std::string(name) + "\" <" +
                              std::string(address["email"].string_or("")) + ">";
  }
  return out;
}

// A draft from its properties: one text part, which is what probes and small clients make.
std::string compose(const World& world, const ir::Value& body) {
  std::string out;
  const auto add = [&out](std::string_view name, const std::string& value) {
    std::string clean = value;
    std::erase_if(clean, [](char c) { return c == '\r' || c == '\n'; });
    if (!clean.empty()) out += std::string(name) + ": " + clean + "\r\n";
  };
  for (const auto& [property, field] :
       {std::pair("from", "From"), std::pair("to", "To"), std::pair("cc", "Cc"),
        std::pair("bcc", "Bcc"), std::pair("replyTo", "Reply-To")})
    add(field, header_value(body[property]));
  add("Subject", std::string(body["subject"].string_or("")));
  const std::int64_t sent =
      parse_rfc3339(body["sentAt"].string_or("")).value_or(world.now_seconds());
  add("Date", show_mail_date(sent));
  add("Message-ID",
      body["messageId"].size() > 0
          ? "<" + std::string(body["messageId"].item(0).string_or("")) + ">"
          : "<" + std::to_string(world.clock.wall_ms()) + "@" + world.hostname() + ">");
  const std::string_view part =
      body["textBody"].item(0)["partId"].string_or(body["bodyStructure"]["partId"].string_or("1"));
  out += "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=\"utf-8\"\r\n\r\n";
  out += body["bodyValues"][part]["value"].string_or("");
  return out;
}

MethodResult set(JmapContext& context, MailAccount& account, const ir::Value& arguments) {
  const std::int64_t max = limit_of(context.world, "x:Jmap", "setMaxObjects", 500);
  if (static_cast<std::int64_t>(arguments["create"].size() + arguments["update"].size() +
                                arguments["destroy"].size()) > max)
    return MethodResult::error("requestTooLarge", kTooLarge);
  for (const char* member : {"create", "update"})
    if (!arguments[member].is_null() && !arguments[member].is_map())
      return MethodResult::not_request();
  MailStore& mail = context.world.mail;
  ir::Value out = ir::Value::map(
      {{"accountId", encode_id(account.id)}, {"oldState", state_of(account, ChangeKind::email)}});
  ir::Value created = ir::Value::map();
  ir::Value updated = ir::Value::map();
  ir::Value destroyed = ir::Value::list();
  ir::Value not_created = ir::Value::map();
  ir::Value not_updated = ir::Value::map();
  ir::Value not_destroyed = ir::Value::map();
  for (const auto& [name, body] : arguments["create"].members()) {
    std::string missing;
    const auto mailboxes = mailboxes_of(context, account, body["mailboxIds"], missing);
    if (!mailboxes || mailboxes->empty()) {
      not_created.set(name,
                      set_error("invalidProperties",
                                missing.empty() ? "Message has to belong to at least one mailbox."
                                                : "mailboxId " + missing + " does not exist.",
                                "mailboxIds"));
      continue;
    }
    NewEmail fresh;
    const std::string bytes = compose(context.world, body);
    fresh.bytes = bytes;
    fresh.mailboxes = *mailboxes;
    fresh.received_at =
        parse_rfc3339(body["receivedAt"].string_or("")).value_or(context.world.now_seconds());
    for (const auto& [keyword, is_set] : body["keywords"].members())
      if (is_set.bool_or(false)) fresh.keywords.insert(normal_keyword(keyword));
    const Email& email = mail.add_email(account, fresh);
    context.created_ids[name] = encode_id(email.id());
    created.set(name,
                ir::Value::map({{"id", encode_id(email.id())},
                                {"threadId", encode_id(email.thread)},
                                {"blobId", email_blob_id(email.blob, account.id, email.document)},
                                {"size", email.size}}));
  }
  std::set<std::string, std::less<>> going;
  for (const ir::Value& id : arguments["destroy"].items()) going.emplace(id.string_or(""));
  for (const auto& [id, patch] : arguments["update"].members()) {
    Email* email = email_by_id(account, id);
    std::optional<ir::Value> failed;
    if (going.contains(id))
      failed = set_error("willDestroy", "ID will be destroyed.");
    else if (email == nullptr)
      failed = set_error("notFound");
    else
      failed = patch_email(context, account, *email, patch);
    if (failed)
      not_updated.set(id, std::move(*failed));
    else
      updated.set(id, {});
  }
  bool is_open = false;
  for (const ir::Value& id : arguments["destroy"].items()) {
    const Email* email = email_by_id(account, id.string_or(""));
    if (email == nullptr) {
      not_destroyed.set(std::string(id.string_or("")), set_error("notFound"));
      continue;
    }
    if (!is_open) mail.open_change(account);
    is_open = true;
    mail.remove_email(account, email->document);
    destroyed.push_back(id);
  }
  out.set("newState", state_of(account, ChangeKind::email));
  if (created.size() > 0) out.set("created", std::move(created));
  if (updated.size() > 0) out.set("updated", std::move(updated));
  if (destroyed.size() > 0) out.set("destroyed", std::move(destroyed));
  if (not_created.size() > 0) out.set("notCreated", std::move(not_created));
  if (not_updated.size() > 0) out.set("notUpdated", std::move(not_updated));
  if (not_destroyed.size() > 0) out.set("notDestroyed", std::move(not_destroyed));
  return MethodResult::answer(std::move(out));
}

MethodResult get_threads(MailAccount& account, const ir::Value& arguments) {
  std::map<std::uint32_t, std::vector<const Email*>> threads;
  for (const auto& [document, email] : account.emails) threads[email.thread].push_back(&email);
  ir::Value list = ir::Value::list();
  ir::Value missing = ir::Value::list();
  const auto add = [&list](std::uint32_t thread, std::vector<const Email*> emails) {
    std::stable_sort(emails.begin(), emails.end(), [](const Email* left, const Email* right) {
      return left->received_at < right->received_at;
    });
    ir::Value ids = ir::Value::list();
    for (const Email* email : emails) ids.push_back(encode_id(email->id()));
    list.push_back(ir::Value::map({{"id", encode_id(thread)}, {"emailIds", std::move(ids)}}));
  };
  if (arguments["ids"].is_list()) {
    for (const ir::Value& id : arguments["ids"].items()) {
      const auto number = parse_id(id.string_or("!"));
      const auto found = number ? threads.find(static_cast<std::uint32_t>(*number)) : threads.end();
      if (found == threads.end())
        missing.push_back(id);
      else
        add(found->first, found->second);
    }
  } else {
    for (const auto& [thread, emails] : threads) add(thread, emails);
  }
  return MethodResult::answer(ir::Value::map({{"accountId", encode_id(account.id)},
                                              {"state", state_of(account, ChangeKind::thread)},
                                              {"list", std::move(list)},
                                              {"notFound", std::move(missing)}}));
}

}  // namespace

std::optional<MethodResult> email_method(JmapContext& context, std::string_view name,
                                         const ir::Value& arguments) {
  static constexpr std::array<std::string_view, 7> kNames = {
      "Email/get",    "Email/set",  "Email/query",   "Email/changes",
      "Email/import", "Thread/get", "Thread/changes"};
  if (std::find(kNames.begin(), kNames.end(), name) == kNames.end()) return std::nullopt;
  const AccountAccess access = account_of(context, arguments);
  if (access.failed) return access.failed;
  MailAccount& account = context.world.account(access.id);
  if (name == "Email/get") return get(context, account, arguments);
  if (name == "Email/query") return query(context, account, arguments);
  if (name == "Email/changes") return changes_of(context, account, ChangeKind::email, arguments);
  if (name == "Thread/changes") return changes_of(context, account, ChangeKind::thread, arguments);
  if (name == "Thread/get") return get_threads(account, arguments);
  if (auto failed = check_state(account, ChangeKind::email, arguments)) return failed;
  return name == "Email/import" ? import_emails(context, account, arguments)
                                : set(context, account, arguments);
}

}  // namespace plan::rehearsal
