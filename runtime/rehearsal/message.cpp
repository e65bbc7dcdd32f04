#include "runtime/rehearsal/message.h"

#include <algorithm>
#include <array>

#include "compiler/ir/digest.h"
#include "compiler/source/text.h"

namespace plan::rehearsal {
namespace {

constexpr std::size_t kPartsMax = 1000;
constexpr std::size_t kDepthMax = 20;
constexpr std::size_t kAddressesMax = 10'000;

std::string unfold(std::string_view value) {
  std::string out;
  for (const char c : value)
    if (c != '\r' && c != '\n') out += c;
  return std::string(trim(out));
}

int hex_of(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

std::string decode_quoted(std::string_view text, bool is_word) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (is_word && c == '_') {
      out += ' ';
    } else if (c == '=' && i + 2 < text.size() && hex_of(text[i + 1]) >= 0 &&
               hex_of(text[i + 2]) >= 0) {
      out += static_cast<char>(hex_of(text[i + 1]) * 16 + hex_of(text[i + 2]));
      i += 2;
    } else if (c == '=' && i + 1 < text.size() && (text[i + 1] == '\n' || text[i + 1] == '\r')) {
      i += text[i + 1] == '\r' && i + 2 < text.size() && text[i + 2] == '\n' ? 2U : 1U;
    } else {
      out += c;
    }
  }
  return out;
}

std::string decode_base64_loosely(std::string_view text) {
  std::string clean;
  for (const char c : text)
    if ((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
        c == '/')
      clean += c;
  if (clean.size() % 4 == 1) clean.pop_back();
  while (clean.size() % 4 != 0) clean += '=';
  bool is_valid = false;
  return ir::from_base64(clean, &is_valid);
}

std::string latin1_to_utf8(std::string_view text) {
  std::string out;
  for (const char c : text) {
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

std::string to_utf8(std::string_view text, std::string_view charset) {
  const std::string name = lower_ascii(charset);
  if (name.starts_with("iso-8859-") || name == "windows-1252" || name == "latin1")
    return latin1_to_utf8(text);
  if (first_invalid_utf8(text)) return latin1_to_utf8(text);
  return std::string(text);
}

// Value of a parameter such as charset="utf-8" in a Content-Type.
std::string parameter_of(std::string_view value, std::string_view name) {
  const std::string lower = lower_ascii(value);
  std::size_t at = 0;
  while ((at = lower.find(name, at)) != std::string::npos) {
    std::size_t i = at + name.size();
    const bool starts =
        at == 0 || lower[at - 1] == ';' || lower[at - 1] == ' ' || lower[at - 1] == '\t';
    while (i < value.size() && value[i] == ' ') ++i;
    if (!starts || i >= value.size() || value[i] != '=') {
      at += name.size();
      continue;
    }
    ++i;
    while (i < value.size() && value[i] == ' ') ++i;
    std::string out;
    if (i < value.size() && value[i] == '"') {
      for (++i; i < value.size() && value[i] != '"'; ++i) {
        if (value[i] == '\\' && i + 1 < value.size()) ++i;
        out += value[i];
      }
    } else {
      while (i < value.size() && value[i] != ';' && value[i] != ' ') out += value[i++];
    }
    return out;
  }
  return {};
}

}  // namespace

std::optional<std::string_view> MessageView::field(std::string_view name) const {
  for (const HeaderField& each : fields)
    if (equals_ignoring_case(each.name, name)) return each.value;
  return std::nullopt;
}

MessageView view_message(std::string_view bytes) {
  MessageView view;
  std::size_t at = 0;
  while (at < bytes.size()) {
    std::size_t end = bytes.find('\n', at);
    const bool is_last = end == std::string_view::npos;
    if (is_last) end = bytes.size();
    std::string_view line = bytes.substr(at, end - at);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::size_t next = is_last ? bytes.size() : end + 1;
    if (line.empty()) {
      view.header = bytes.substr(0, next);
      view.body = bytes.substr(next);
      return view;
    }
    if ((line.front() == ' ' || line.front() == '\t') && !view.fields.empty()) {
      HeaderField& last = view.fields.back();
      last.value =
          std::string_view(last.value.data(),
                           static_cast<std::size_t>(line.data() + line.size() - last.value.data()));
    } else {
      const std::size_t colon = line.find(':');
      if (colon != std::string_view::npos && colon > 0) {
        std::string_view name = line.substr(0, colon);
        while (name.ends_with(' ') || name.ends_with('\t')) name.remove_suffix(1);
        view.fields.push_back({name, line.substr(colon + 1)});
      }
    }
    at = next;
  }
  view.header = bytes;
  return view;
}

bool is_message(const MessageView& view) {
  static constexpr std::array<std::string_view, 30> kKnown = {"from",
                                                              "to",
                                                              "cc",
                                                              "bcc",
                                                              "subject",
                                                              "date",
                                                              "message-id",
                                                              "sender",
                                                              "reply-to",
                                                              "received",
                                                              "return-path",
                                                              "mime-version",
                                                              "content-type",
                                                              "content-transfer-encoding",
                                                              "in-reply-to",
                                                              "references",
                                                              "content-disposition",
                                                              "content-id",
                                                              "content-description",
                                                              "content-language",
                                                              "content-location",
                                                              "comments",
                                                              "keywords",
                                                              "resent-from",
                                                              "resent-to",
                                                              "resent-date",
                                                              "resent-message-id",
                                                              "list-id",
                                                              "list-unsubscribe",
                                                              "list-post"};
  return std::any_of(view.fields.begin(), view.fields.end(), [](const HeaderField& field) {
    return std::any_of(kKnown.begin(), kKnown.end(), [&field](std::string_view name) {
      return equals_ignoring_case(field.name, name);
    });
  });
}

std::string decode_text(std::string_view value) {
  const std::string text = unfold(value);
  std::string out;
  std::size_t at = 0;
  bool after_word = false;
  while (at < text.size()) {
    const std::size_t start = text.find("=?", at);
    if (start == std::string::npos) break;
    const std::size_t first = text.find('?', start + 2);
    const std::size_t second = first == std::string::npos ? first : text.find('?', first + 1);
    const std::size_t end = second == std::string::npos ? second : text.find("?=", second + 1);
    if (end == std::string::npos || second != first + 2) {
      out += to_utf8(text.substr(at, start + 2 - at), "");
      at = start + 2;
      after_word = false;
      continue;
    }
    const std::string_view between = std::string_view(text).substr(at, start - at);
    if (!after_word || !trim(between).empty()) out += to_utf8(between, "");
    const std::string_view charset = std::string_view(text).substr(start + 2, first - start - 2);
    const std::string_view coded = std::string_view(text).substr(second + 1, end - second - 1);
    const char kind = text[first + 1];
    out += to_utf8(
        kind == 'B' || kind == 'b' ? decode_base64_loosely(coded) : decode_quoted(coded, true),
        charset.substr(0, charset.find('*')));
    at = end + 2;
    after_word = true;
  }
  out += to_utf8(std::string_view(text).substr(at), "");
  return out;
}

std::vector<Address> parse_addresses(std::string_view value) {
  std::vector<Address> out;
  const std::string text = unfold(value);
  std::string phrase;
  std::string angle;
  bool in_quotes = false;
  bool in_angle = false;
  bool has_angle = false;
  int comment = 0;
  const auto flush = [&] {
    Address address;
    if (has_angle) {
      address.email = std::string(trim(angle));
      address.name = decode_text(phrase);
    } else {
      address.email = decode_text(phrase);
    }
    if (!address.email.empty() && out.size() < kAddressesMax) out.push_back(std::move(address));
    phrase.clear();
    angle.clear();
    has_angle = false;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (in_quotes) {
      if (c == '\\' && i + 1 < text.size())
        phrase += text[++i];
      else if (c == '"')
        in_quotes = false;
      else
        phrase += c;
    } else if (comment > 0) {
      if (c == '(') ++comment;
      if (c == ')') --comment;
    } else if (in_angle) {
      if (c == '>')
        in_angle = false;
      else
        angle += c;
    } else if (c == '"') {
      in_quotes = true;
    } else if (c == '(') {
      ++comment;
    } else if (c == '<') {
      in_angle = true;
      has_angle = true;
    } else if (c == ',' || c == ';') {
      flush();
    } else if (c == ':') {
      phrase.clear();  // name of a group
    } else {
      phrase += c;
    }
  }
  flush();
  return out;
}

std::vector<std::string> parse_message_ids(std::string_view value) {
  std::vector<std::string> out;
  const std::string text = unfold(value);
  std::size_t at = 0;
  while ((at = text.find('<', at)) != std::string::npos && out.size() < kAddressesMax) {
    const std::size_t end = text.find('>', at);
    if (end == std::string::npos) break;
    std::string id = text.substr(at + 1, end - at - 1);
    if (!id.empty()) out.push_back(std::move(id));
    at = end + 1;
  }
  if (out.empty() && !text.empty() && text.find('<') == std::string::npos) out.push_back(text);
  return out;
}

std::string base_subject(std::string_view subject) {
  std::string text = lower_ascii(decode_text(subject));
  for (bool has_changed = true; has_changed;) {
    has_changed = false;
    text = std::string(trim(text));
    for (const std::string_view prefix : {"re:", "fwd:", "fw:", "aw:", "sv:", "wg:"}) {
      if (!text.starts_with(prefix)) continue;
      text.erase(0, prefix.size());
      has_changed = true;
    }
    if (text.starts_with('[')) {
      const std::size_t end = text.find(']');
      if (end != std::string::npos && end + 1 < text.size()) {
        text.erase(0, end + 1);
        has_changed = true;
      }
    }
  }
  return text;
}

MessageIdentity identity_of(const MessageView& view) {
  MessageIdentity identity;
  for (const HeaderField& field : view.fields) {
    const std::string name = lower_ascii(field.name);
    if (name == "subject") identity.subject = base_subject(field.value);
    if (name != "message-id" && name != "references" && name != "in-reply-to") continue;
    for (std::string& id : parse_message_ids(field.value)) identity.ids.push_back(std::move(id));
  }
  std::sort(identity.ids.begin(), identity.ids.end());
  identity.ids.erase(std::unique(identity.ids.begin(), identity.ids.end()), identity.ids.end());
  return identity;
}

namespace {

struct PartWalk {
  std::vector<Part> parts = {};
  std::size_t next_id = 0;

  void walk(std::string_view bytes, std::size_t depth) {
    if (parts.size() >= kPartsMax) return;
    const MessageView view = view_message(bytes);
    Part part;
    part.depth = depth;
    part.header = view.header;
    part.content = view.body;
    const std::string type_value(view.field("content-type").value_or(""));
    const std::string flat = unfold(type_value);
    part.type = lower_ascii(trim(flat.substr(0, flat.find(';'))));
    if (part.type.find('/') == std::string::npos) part.type = "text/plain";
    part.charset = parameter_of(flat, "charset");
    part.encoding = lower_ascii(unfold(view.field("content-transfer-encoding").value_or("")));
    const std::string disposition = unfold(view.field("content-disposition").value_or(""));
    part.disposition = lower_ascii(trim(disposition.substr(0, disposition.find(';'))));
    part.name = decode_text(parameter_of(disposition, "filename"));
    if (part.name.empty()) part.name = decode_text(parameter_of(flat, "name"));
    if (const auto ids = parse_message_ids(view.field("content-id").value_or("")); !ids.empty())
      part.cid = ids.front();
    const std::string boundary = parameter_of(flat, "boundary");
    const bool is_multi =
        part.type.starts_with("multipart/") && !boundary.empty() && depth < kDepthMax;
    part.id = std::to_string(next_id++);
    if (is_multi) part.id.clear();
    parts.push_back(part);
    if (is_multi) walk_children(view.body, "--" + boundary, depth + 1);
  }

  void walk_children(std::string_view body, const std::string& mark, std::size_t depth) {
    std::size_t start = std::string_view::npos;
    std::size_t at = 0;
    while (at <= body.size()) {
      const std::size_t end = std::min(body.find('\n', at), body.size());
      std::string_view line = body.substr(at, end - at);
      while (line.ends_with('\r') || line.ends_with(' ') || line.ends_with('\t'))
        line.remove_suffix(1);
      const bool is_mark = line.starts_with(mark);
      const bool is_close = is_mark && line.substr(mark.size()) == "--";
      if (is_mark && (line.size() == mark.size() || is_close)) {
        if (start != std::string_view::npos) {
          std::size_t stop = at;
          if (stop > start && body[stop - 1] == '\n') --stop;
          if (stop > start && body[stop - 1] == '\r') --stop;
          walk(body.substr(start, stop - start), depth);
        }
        start = std::min(end + 1, body.size());
        if (is_close) return;
      }
      if (end == body.size()) break;
      at = end + 1;
    }
    if (start != std::string_view::npos && start < body.size()) walk(body.substr(start), depth);
  }
};

}  // namespace

std::vector<Part> parts_of(std::string_view bytes) {
  PartWalk walk;
  walk.walk(bytes, 0);
  return std::move(walk.parts);
}

std::string decode_content(const Part& part) {
  if (part.encoding == "base64") return decode_base64_loosely(part.content);
  if (part.encoding == "quoted-printable") return decode_quoted(part.content, false);
  return std::string(part.content);
}

}  // namespace plan::rehearsal
