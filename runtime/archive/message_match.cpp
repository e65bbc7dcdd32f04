#include "runtime/archive/message_match.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/archive/digest.h"
#include "runtime/net/imap/date.h"

namespace plan::archive {
namespace {

/// Headers beyond this are not looked at: no mail has them, and matching is a convenience.
constexpr std::size_t kHeaderBytesMax = std::size_t{1} << 20U;
constexpr std::size_t kAddressesMax = 10'000;

struct Header {
  std::string_view name = {};
  std::string_view value = {};  ///< with its folds, without the last line end
};

std::vector<Header> headers_of(std::string_view message) {
  std::vector<Header> headers;
  std::string_view rest = message.substr(0, kHeaderBytesMax);
  while (!rest.empty() && rest[0] != '\r' && rest[0] != '\n') {
    std::size_t end = 0;
    bool is_ended = false;
    while (true) {
      end = rest.find('\n', end);
      if (end == std::string_view::npos) break;
      if (end + 1 >= rest.size() || (rest[end + 1] != ' ' && rest[end + 1] != '\t')) {
        is_ended = true;
        break;
      }
      ++end;
    }
    if (!is_ended) break;  // a last header without a line end is lost
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos) continue;
    headers.push_back({.name = trim(line.substr(0, colon)), .value = line.substr(colon + 1)});
  }
  return headers;
}

/// One fold, whatever white space follows it, becomes one space.
std::string unfolded(std::string_view value) {
  std::string text;
  for (std::size_t index = 0; index < value.size(); ++index) {
    if (value[index] != '\r' && value[index] != '\n') {
      text += value[index];
      continue;
    }
    while (index + 1 < value.size() &&
           std::string_view("\r\n \t").find(value[index + 1]) != std::string_view::npos)
      ++index;
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.pop_back();
    text += ' ';
  }
  return std::string(trim(text));
}

void append_code(std::string& text, unsigned code) {
  if (code < 0x80) {
    text += static_cast<char>(code);
  } else if (code < 0x800) {
    text += static_cast<char>(0xC0U | code >> 6U);
    text += static_cast<char>(0x80U | (code & 0x3FU));
  } else {
    text += static_cast<char>(0xE0U | code >> 12U);
    text += static_cast<char>(0x80U | (code >> 6U & 0x3FU));
    text += static_cast<char>(0x80U | (code & 0x3FU));
  }
}

std::string valid_utf8(std::string_view bytes) {
  std::string text;
  while (!bytes.empty()) {
    const auto bad = first_invalid_utf8(bytes);
    text += bytes.substr(0, bad.value_or(bytes.size()));
    if (!bad) break;
    text += "\xEF\xBF\xBD";
    bytes.remove_prefix(*bad + 1);
  }
  return text;
}

constexpr std::array<unsigned, 32> kWindows1252 = {
    0x20AC, 0x81,   0x201A, 0x192,  0x201E, 0x2026, 0x2020, 0x2021, 0x2C6,  0x2030, 0x160,
    0x2039, 0x152,  0x8D,   0x17D,  0x8F,   0x90,   0x2018, 0x2019, 0x201C, 0x201D, 0x2022,
    0x2013, 0x2014, 0x2DC,  0x2122, 0x161,  0x203A, 0x153,  0x9D,   0x17E,  0x178};

std::string from_charset(std::string_view charset, const std::string& bytes) {
  if (equals_ignoring_case(charset, "utf-8") || equals_ignoring_case(charset, "utf8") ||
      equals_ignoring_case(charset, "us-ascii"))
    return valid_utf8(bytes);
  const bool is_1252 = equals_ignoring_case(charset, "windows-1252");
  const bool is_latin = equals_ignoring_case(charset, "iso-8859-1") || is_1252 ||
                        equals_ignoring_case(charset, "latin1");
  if (!is_latin) return valid_utf8(bytes);
  std::string text;
  for (const char byte : bytes) {
    const unsigned code = static_cast<unsigned char>(byte);
    append_code(text, is_1252 && code >= 0x80 && code < 0xA0 ? kWindows1252[code - 0x80] : code);
  }
  return text;
}

int hex_of(char letter) {
  if (letter >= '0' && letter <= '9') return letter - '0';
  if (letter >= 'a' && letter <= 'f') return letter - 'a' + 10;
  if (letter >= 'A' && letter <= 'F') return letter - 'A' + 10;
  return -1;
}

/// Decodes `=?charset?Q?...?=` at the beginning of `text` (RFC 2047) and takes it off.
std::optional<std::string> take_encoded_word(std::string_view& text) {
  if (!text.starts_with("=?")) return {};
  const std::size_t first = text.find('?', 2);
  if (first == std::string_view::npos || first + 2 >= text.size() || text[first + 2] != '?')
    return {};
  const std::size_t end = text.find("?=", first + 3);
  if (end == std::string_view::npos) return {};
  const std::string_view charset = text.substr(2, first - 2);
  const std::string_view body = text.substr(first + 3, end - first - 3);
  const char encoding = text[first + 1];
  std::string bytes;
  if (encoding == 'B' || encoding == 'b') {
    bool is_valid = false;
    bytes = ir::from_base64(body, &is_valid);
    if (!is_valid) return {};
  } else if (encoding == 'Q' || encoding == 'q') {
    for (std::size_t index = 0; index < body.size(); ++index) {
      if (body[index] == '_') {
        bytes += ' ';
      } else if (body[index] != '=') {
        bytes += body[index];
      } else {
        if (index + 2 >= body.size()) return {};
        const int high = hex_of(body[index + 1]);
        const int low = hex_of(body[index + 2]);
        if (high < 0 || low < 0) return {};
        bytes += static_cast<char>(high * 16 + low);
        index += 2;
      }
    }
  } else {
    return {};
  }
  text.remove_prefix(end + 2);
  return from_charset(charset.substr(0, charset.find('*')), bytes);
}

std::string decoded_subject(std::string_view value) {
  const std::string line = unfolded(value);
  std::string_view rest = line;
  std::string text;
  bool is_after_word = false;
  while (!rest.empty()) {
    const std::size_t blanks = std::min(rest.find_first_not_of(" \t"), rest.size());
    std::string_view after = rest.substr(blanks);
    if (auto word = take_encoded_word(after)) {
      if (!is_after_word) {
        text += rest.substr(0, blanks);
        if (blanks == 0 && !text.empty() && text.back() != ' ') text += ' ';
      }
      text += *word;
      rest = after;
      is_after_word = true;
      continue;
    }
    text += rest.substr(0, blanks);
    if (is_after_word && blanks == 0 && !after.empty()) text += ' ';
    is_after_word = false;
    std::size_t end = 0;
    while (end < after.size() && after[end] != ' ' && after[end] != '\t' &&
           (end == 0 || !after.substr(end).starts_with("=?")))
      ++end;
    text += valid_utf8(after.substr(0, end));
    rest = after.substr(end);
  }
  return text;
}

/// Addresses of a From or To header, groups flattened, names and comments dropped.
std::vector<std::string> addresses_of(std::string_view value) {
  std::vector<std::string> addresses;
  std::string bare;
  std::string angled;
  bool is_quoted = false;
  bool is_angled = false;
  bool has_angle = false;
  int comments = 0;
  const auto finish = [&] {
    const std::string address(trim(has_angle ? angled : bare));
    if (address.find('@') != std::string::npos && addresses.size() < kAddressesMax)
      addresses.push_back(lower_ascii(address));
    bare.clear();
    angled.clear();
    is_angled = has_angle = false;
  };
  const std::string text = unfolded(value);
  for (std::size_t index = 0; index < text.size(); ++index) {
    const char letter = text[index];
    if (is_quoted) {
      if (letter == '\\') {
        ++index;
      } else if (letter == '"') {
        is_quoted = false;
      }
    } else if (comments > 0) {
      if (letter == '\\') ++index;
      comments += letter == '(' ? 1 : letter == ')' ? -1 : 0;
    } else if (letter == '(' && !is_angled) {
      ++comments;
    } else if (letter == '"' && !is_angled) {
      is_quoted = true;
    } else if (letter == '<') {
      is_angled = has_angle = true;
      angled.clear();
    } else if (letter == '>') {
      is_angled = false;
    } else if (is_angled) {
      angled += letter;
    } else if (letter == ',' || letter == ';') {
      finish();
    } else if (letter == ':') {
      bare.clear();  // the name of a group
    } else {
      bare += letter;
    }
  }
  finish();
  return addresses;
}

std::string normal_id(std::string_view text) {
  text = trim(text);
  if (text.starts_with('<')) text.remove_prefix(1);
  if (text.ends_with('>')) text.remove_suffix(1);
  return lower_ascii(trim(text));
}

void add_ids(std::string_view value, std::vector<std::string>& ids) {
  std::string text;
  int comments = 0;
  for (const char letter : value) {
    if (letter == '(') ++comments;
    if (comments == 0) text += letter;
    if (letter == ')' && comments > 0) --comments;
  }
  std::string_view rest = text;
  if (rest.find_first_of("<>") == std::string_view::npos) {
    if (std::string id = normal_id(rest); !id.empty()) ids.push_back(valid_utf8(id));
    return;
  }
  while (true) {
    const std::size_t close = rest.find('>');
    if (close == std::string_view::npos) return;
    std::string_view one = rest.substr(0, close);
    if (const std::size_t open = one.rfind('<'); open != std::string_view::npos)
      one.remove_prefix(open + 1);
    if (std::string id = normal_id(one); !id.empty()) ids.push_back(valid_utf8(id));
    rest.remove_prefix(close + 1);
    if (rest.find('<') == std::string_view::npos) return;
  }
}

struct Zone {
  std::string_view name;
  int minutes;
};
constexpr Zone kZones[] = {{"EST", -300}, {"EDT", -240}, {"CST", -360}, {"CDT", -300},
                           {"MST", -420}, {"MDT", -360}, {"PST", -480}, {"PDT", -420}};

std::optional<int> number_in(std::string_view text) {
  int number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size() || number < 0)
    return {};
  return number;
}

std::string date_of(std::string_view value) {
  std::string text;
  int comments = 0;
  for (const char letter : unfolded(value)) {
    if (letter == '(') ++comments;
    if (comments == 0) text += letter == ',' ? ' ' : letter;
    if (letter == ')' && comments > 0) --comments;
  }
  std::vector<std::string_view> words;
  for (const std::string_view word : split(text, ' '))
    if (!trim(word).empty()) words.push_back(trim(word));
  std::size_t at = 0;
  if (at < words.size() && !number_in(words[at])) ++at;  // the day's name
  if (words.size() < at + 5) return {};
  static constexpr std::string_view kMonths = "janfebmaraprmayjunjulaugsepoctnovdec";
  const auto day = number_in(words[at]);
  const std::size_t month = kMonths.find(lower_ascii(words[at + 1].substr(0, 3)));
  auto year = number_in(words[at + 2]);
  if (!day || !year || month == std::string_view::npos || month % 3 != 0 ||
      words[at + 1].size() < 3)
    return {};
  if (words[at + 2].size() == 2) *year += *year < 50 ? 2000 : 1900;
  if (words[at + 2].size() == 3) *year += 1900;
  std::array<int, 3> clock = {0, 0, 0};
  std::string time(words[at + 3]);
  std::replace(time.begin(), time.end(), '.', ':');
  const auto parts = split(time, ':');
  if (parts.size() < 2 || parts.size() > 3) return {};
  for (std::size_t index = 0; index < parts.size(); ++index) {
    const auto part = number_in(parts[index]);
    if (!part) return {};
    clock[index] = *part;
  }
  std::string zone(words[at + 4]);
  zone.erase(std::remove(zone.begin(), zone.end(), ':'), zone.end());
  int minutes = 0;
  if ((zone[0] == '+' || zone[0] == '-') && zone.size() == 5) {
    const auto number = number_in(std::string_view(zone).substr(1));
    if (!number) return {};
    minutes = (zone[0] == '-' ? -1 : 1) * (*number / 100 * 60 + *number % 100);
  } else {
    for (const Zone& known : kZones)
      if (equals_ignoring_case(zone, known.name)) minutes = known.minutes;
  }
  std::string date = fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", *year, month / 3 + 1, *day,
                                 clock[0], clock[1], clock[2]);
  if (minutes == 0) return date + "Z";
  return date + fmt::format("{}{:02}:{:02}", minutes < 0 ? '-' : '+', std::abs(minutes) / 60,
                            std::abs(minutes) % 60);
}

std::string joined(const std::vector<std::string>& texts) {
  std::string text;
  for (const std::string& one : texts) {
    if (!text.empty()) text += ',';
    text += one;
  }
  return valid_utf8(text);
}

}  // namespace

std::string MessageMatch::to_json() const {
  ir::List list;
  for (const std::string& id : ids) list.emplace_back(id);
  return ir::write_json(ir::Value::map({{"f", fingerprint}, {"m", ir::Value(std::move(list))}}));
}

MessageMatch match_of(std::string_view message) {
  MessageMatch match;
  std::string from, subject, date, to;
  for (const Header& header : headers_of(message)) {
    if (equals_ignoring_case(header.name, "From")) from = joined(addresses_of(header.value));
    if (equals_ignoring_case(header.name, "To")) to = joined(addresses_of(header.value));
    if (equals_ignoring_case(header.name, "Subject")) subject = decoded_subject(header.value);
    if (equals_ignoring_case(header.name, "Date")) date = date_of(header.value);
    if (equals_ignoring_case(header.name, "Message-ID")) add_ids(header.value, match.ids);
  }
  std::sort(match.ids.begin(), match.ids.end());
  match.ids.erase(std::unique(match.ids.begin(), match.ids.end()), match.ids.end());
  match.fingerprint = ir::to_hex(blake3(from + '\x1f' + subject + '\x1f' + date + '\x1f' + to));
  return match;
}

std::string date_header_of(std::string_view message) {
  std::string date;
  for (const Header& header : headers_of(message))
    if (equals_ignoring_case(header.name, "Date")) date = date_of(header.value);
  return net::imap::parse_rfc3339(date) ? date : std::string();
}

}  // namespace plan::archive
