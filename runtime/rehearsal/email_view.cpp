#include "runtime/rehearsal/email_view.h"

#include <algorithm>
#include <array>

#include "compiler/source/text.h"
#include "runtime/rehearsal/ids.h"
#include "runtime/rehearsal/jmap.h"
#include "runtime/rehearsal/message.h"

namespace plan::rehearsal {
namespace {

constexpr std::array<std::string_view, 24> kDefaults = {
    "id",        "blobId",    "threadId",   "mailboxIds", "keywords",      "size",    "receivedAt",
    "messageId", "inReplyTo", "references", "sender",     "from",          "to",      "cc",
    "bcc",       "replyTo",   "subject",    "sentAt",     "hasAttachment", "preview", "bodyValues",
    "textBody",  "htmlBody",  "attachments"};
constexpr std::array<std::string_view, 7> kMetadata = {
    "id", "blobId", "threadId", "mailboxIds", "keywords", "size", "receivedAt"};
constexpr std::size_t kPreviewBytes = 256;

ir::Value optional_text(const std::string& text) {
  return text.empty() ? ir::Value() : ir::Value(text);
}

ir::Value show_addresses(std::string_view value) {
  ir::Value out = ir::Value::list();
  for (const Address& address : parse_addresses(value))
    out.push_back(
        ir::Value::map({{"name", optional_text(address.name)}, {"email", address.email}}));
  return out;
}

ir::Value show_ids(std::string_view value) {
  ir::Value out = ir::Value::list();
  for (const std::string& id : parse_message_ids(value)) out.push_back(id);
  return out;
}

std::string without_cr(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (text[i] != '\r' || i + 1 >= text.size() || text[i + 1] != '\n') out += text[i];
  return out;
}

std::string valid_text(std::string_view bytes) {
  if (!first_invalid_utf8(bytes)) return std::string(bytes);
  std::string out;
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xc0U | (byte >> 6U));
      out += static_cast<char>(0x80U | (byte & 0x3fU));
    }
  }
  return out;
}

class View {
 public:
  View(const MailAccount& account, const Email& email, std::string_view bytes,
       const ir::Value& arguments)
      : account_(account),
        email_(email),
        bytes_(bytes),
        arguments_(arguments),
        message_(view_message(bytes)) {}

  std::optional<ir::Value> property(std::string_view name) {
    if (name == "id") return encode_id(email_.id());
    if (name == "blobId") return email_blob_id(email_.blob, account_.id, email_.document);
    if (name == "threadId") return encode_id(email_.thread);
    if (name == "size") return email_.size;
    if (name == "receivedAt") return show_rfc3339(email_.received_at);
    if (name == "mailboxIds") {
      ir::Value out = ir::Value::map();
      for (const auto& [mailbox, uid] : email_.mailboxes) out.set(encode_id(mailbox), true);
      return out;
    }
    if (name == "keywords") {
      ir::Value out = ir::Value::map();
      for (const std::string& keyword : email_.keywords) out.set(keyword, true);
      return out;
    }
    if (name == "messageId") return header("message-id", show_ids);
    if (name == "inReplyTo") return header("in-reply-to", show_ids);
    if (name == "references") return header("references", show_ids);
    if (name == "replyTo") return header("reply-to", show_addresses);
    for (const std::string_view field : {"sender", "from", "to", "cc", "bcc"})
      if (name == field) return header(field, show_addresses);
    if (name == "subject")
      return header("subject",
                    [](std::string_view value) { return ir::Value(decode_text(value)); });
    if (name == "sentAt")
      return header("date", [](std::string_view value) {
        const auto seconds = parse_mail_date(value);
        return seconds ? ir::Value(show_rfc3339(*seconds)) : ir::Value();
      });
    if (name == "headers") {
      ir::Value out = ir::Value::list();
      for (const HeaderField& field : message_.fields)
        out.push_back(ir::Value::map({{"name", field.name}, {"value", valid_text(field.value)}}));
      return out;
    }
    if (name.starts_with("header:")) return header_form(name.substr(7));
    return body_property(name);
  }

 private:
  template <class Show>
  ir::Value header(std::string_view name, Show&& show) const {
    const auto value = message_.field(name);
    return value ? show(*value) : ir::Value();
  }

  // header:Name[:asForm][:all]
  ir::Value header_form(std::string_view spec) const {
    const auto parts = split(spec, ':');
    const bool is_all = parts.back() == "all";
    std::string_view form = "asRaw";
    for (const std::string_view part : parts)
      if (part.starts_with("as")) form = part;
    ir::Value all = ir::Value::list();
    ir::Value last;
    for (const HeaderField& field : message_.fields) {
      if (!equals_ignoring_case(field.name, parts.front())) continue;
      if (form == "asText")
        last = decode_text(field.value);
      else if (form == "asMessageIds")
        last = show_ids(field.value);
      else if (form == "asAddresses")
        last = show_addresses(field.value);
      else if (form == "asDate") {
        const auto seconds = parse_mail_date(field.value);
        last = seconds ? ir::Value(show_rfc3339(*seconds)) : ir::Value();
      } else {
        last = valid_text(field.value);
      }
      all.push_back(last);
    }
    return is_all ? all : last;
  }

  const std::vector<Part>& parts() {
    if (parts_.empty()) parts_ = parts_of(bytes_);
    return parts_;
  }

  ir::Value show_part(const Part& part) {
    const std::string content = decode_content(part);
    const auto offset = static_cast<std::uint64_t>(
        part.content.data() == nullptr ? 0 : part.content.data() - bytes_.data());
    const bool is_text = part.type.starts_with("text/");
    return ir::Value::map(
        {{"partId", optional_text(part.id)},
         {"blobId", part_blob_id(email_.blob, account_.id, offset, part.content.size())},
         {"size", static_cast<std::int64_t>(content.size())},
         {"name", optional_text(part.name)},
         {"type", part.type},
         {"charset", part.charset.empty() ? (is_text ? ir::Value("us-ascii") : ir::Value())
                                          : ir::Value(part.charset)},
         {"disposition", optional_text(part.disposition)},
         {"cid", optional_text(part.cid)},
         {"language", {}},
         {"location", {}}});
  }

  static bool is_body(const Part& part) {
    return part.type.starts_with("text/") && part.disposition != "attachment";
  }

  ir::Value list_of(std::string_view which) {
    ir::Value out = ir::Value::list();
    const bool has_html = std::any_of(parts().begin(), parts().end(), [](const Part& part) {
      return part.type == "text/html" && is_body(part);
    });
    const bool has_plain = std::any_of(parts().begin(), parts().end(), [](const Part& part) {
      return part.type == "text/plain" && is_body(part);
    });
    for (const Part& part : parts()) {
      if (part.type.starts_with("multipart/")) continue;
      const bool is_plain = part.type == "text/plain" && is_body(part);
      const bool is_html = part.type == "text/html" && is_body(part);
      if (which == "attachments") {
        if (!is_plain && !is_html) out.push_back(show_part(part));
      } else if (which == "textBody" ? is_plain || (is_html && !has_plain)
                                     : is_html || (is_plain && !has_html)) {
        out.push_back(show_part(part));
      }
    }
    return out;
  }

  std::optional<ir::Value> body_property(std::string_view name) {
    if (name == "textBody" || name == "htmlBody" || name == "attachments") return list_of(name);
    if (name == "hasAttachment") return list_of("attachments").size() > 0;
    if (name == "bodyStructure") return parts().empty() ? ir::Value() : show_part(parts().front());
    if (name == "preview") {
      for (const Part& part : parts())
        if (is_body(part)) {
          std::string text = valid_text(without_cr(decode_content(part)));
          if (text.size() > kPreviewBytes) text.resize(kPreviewBytes);
          while (!text.empty() && first_invalid_utf8(text)) text.pop_back();
          return text;
        }
      return ir::Value("");
    }
    if (name == "bodyValues") {
      ir::Value out = ir::Value::map();
      const bool all = arguments_["fetchAllBodyValues"].bool_or(false);
      for (const Part& part : parts()) {
        const bool wanted =
            (all && part.type.starts_with("text/")) ||
            (arguments_["fetchTextBodyValues"].bool_or(false) && part.type == "text/plain") ||
            (arguments_["fetchHTMLBodyValues"].bool_or(false) && part.type == "text/html");
        if (!wanted) continue;
        std::string text = valid_text(without_cr(decode_content(part)));
        const std::int64_t max = arguments_["maxBodyValueBytes"].integer_or(0);
        const bool is_cut = max > 0 && static_cast<std::int64_t>(text.size()) > max;
        if (is_cut) text.resize(static_cast<std::size_t>(max));
        while (!text.empty() && first_invalid_utf8(text)) text.pop_back();
        out.set(part.id,
                ir::Value::map(
                    {{"isEncodingProblem", false}, {"isTruncated", is_cut}, {"value", text}}));
      }
      return out;
    }
    return std::nullopt;
  }

  const MailAccount& account_;
  const Email& email_;
  std::string_view bytes_;
  const ir::Value& arguments_;
  MessageView message_;
  std::vector<Part> parts_;
};

}  // namespace

bool needs_message(const ir::Value& properties) {
  if (!properties.is_list()) return true;
  return std::any_of(
      properties.items().begin(), properties.items().end(), [](const ir::Value& name) {
        return std::find(kMetadata.begin(), kMetadata.end(), name.string_or("")) == kMetadata.end();
      });
}

ir::Value show_email(const MailAccount& account, const Email& email, std::string_view bytes,
                     const ir::Value& arguments) {
  View view(account, email, bytes, arguments);
  ir::Value out = ir::Value::map();
  if (!arguments["properties"].is_list()) {
    for (const std::string_view name : kDefaults)
      out.set(std::string(name), view.property(name).value_or(ir::Value()));
    return out;
  }
  for (const ir::Value& name : arguments["properties"].items())
    if (auto value = view.property(name.string_or("")))
      out.set(std::string(name.string_or("")), std::move(*value));
  out.set("id", encode_id(email.id()));
  return out;
}

}  // namespace plan::rehearsal
