#include "runtime/server/dovecot/passwd_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <unordered_set>

#include "compiler/source/text.h"
#include "runtime/server/source/limits.h"

namespace plan::server::dovecot {
namespace {

constexpr std::size_t kProblemsMax = 100;
constexpr std::size_t kSchemeBytesMax = 40;
constexpr std::size_t kShellField = 6;

std::string upper_ascii(std::string_view text) {
  std::string upper(text);
  for (char& byte : upper) {
    if (byte >= 'a' && byte <= 'z') byte = static_cast<char>(byte - 'a' + 'A');
  }
  return upper;
}

bool is_hex(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char byte) {
    return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') ||
           (byte >= 'A' && byte <= 'F');
  });
}

/// "$6$" of "$6$salt$hash"; empty when the text does not begin so.
std::string_view crypt_prefix(std::string_view text) {
  if (text.empty() || text.front() != '$') return {};
  const std::size_t end = text.find('$', 1);
  if (end == std::string_view::npos || end == 1 || end > 24) return {};
  return text.substr(0, end + 1);
}

std::string crypt_form(std::string_view text) {
  if (const std::string_view prefix = crypt_prefix(text); !prefix.empty())
    return fmt::format("CRYPT:{}", prefix);
  if (text.starts_with('_')) return "CRYPT:bsdi";
  if (text.size() == 13) return "CRYPT:des";
  return "CRYPT";
}

std::optional<std::uint64_t> size_with_suffix(std::string_view text, std::uint64_t plain_unit) {
  std::uint64_t number = 0;
  const auto read = std::from_chars(text.data(), text.data() + text.size(), number);
  if (read.ec != std::errc() || read.ptr == text.data()) return std::nullopt;
  const std::string suffix = upper_ascii(trim(
      std::string_view(read.ptr, static_cast<std::size_t>(text.data() + text.size() - read.ptr))));
  std::uint64_t unit = plain_unit;
  if (!suffix.empty()) {
    // K, KB and KiB are the same to Dovecot; what follows the letter only repeats it.
    if (suffix.size() > 3 ||
        (suffix.size() > 1 && suffix.substr(1) != "B" && suffix.substr(1) != "IB"))
      return std::nullopt;
    switch (suffix.front()) {
      case 'B':
        unit = 1;
        break;
      case 'K':
        unit = std::uint64_t{1} << 10U;
        break;
      case 'M':
        unit = std::uint64_t{1} << 20U;
        break;
      case 'G':
        unit = std::uint64_t{1} << 30U;
        break;
      case 'T':
        unit = std::uint64_t{1} << 40U;
        break;
      default:
        return std::nullopt;  // percent of another rule, or a word
    }
  }
  constexpr std::uint64_t kMax = std::uint64_t{1} << 62U;
  return number > kMax / unit ? std::nullopt : std::optional<std::uint64_t>(number * unit);
}

}  // namespace

std::string StoredPassword::with_scheme() const {
  return scheme == "NONE" ? std::string() : fmt::format("{{{}}}{}", scheme, text);
}

bool StoredPassword::is_locked() const {
  return scheme != "NONE" && (text.starts_with('!') || text.starts_with('*'));
}

std::string StoredPassword::form() const {
  if (is_locked()) return "CRYPT:locked";
  if (scheme == "CRYPT") return crypt_form(text);
  if (scheme == "MD5" || scheme == "PBKDF2" || scheme == "SCRYPT") {
    const std::string_view prefix = crypt_prefix(text);
    return prefix.empty() ? scheme : fmt::format("{}:{}", scheme, prefix);
  }
  const std::size_t hex_size = scheme == "SHA"      ? 40
                               : scheme == "SHA256" ? 64
                               : scheme == "SHA512" ? 128
                                                    : 0;
  if (hex_size != 0 && text.size() == hex_size && is_hex(text)) return scheme + ":hex";
  return scheme;
}

StoredPassword parse_password(std::string_view field, std::string_view default_scheme) {
  StoredPassword password;
  if (field.empty()) {
    password.scheme = "NONE";
    return password;
  }
  const std::size_t close = field.find('}');
  if (field.front() == '{' && close != std::string_view::npos && close > 1 &&
      close <= kSchemeBytesMax) {
    password.scheme = upper_ascii(field.substr(1, close - 1));
    password.text = field.substr(close + 1);
    return password;
  }
  for (const auto& [suffix, scheme] :
       {std::pair{"[13]", "CRYPT"}, {"[34]", "PLAIN-MD5"}, {"[56]", "DIGEST-MD5"}}) {
    if (field.ends_with(suffix)) {
      password.scheme = scheme;
      password.text = field.substr(0, field.size() - 4);
      return password;
    }
  }
  password.scheme = default_scheme.empty() ? "CRYPT" : upper_ascii(default_scheme);
  password.text = field;
  return password;
}

std::optional<std::string> PasswdEntry::field(std::string_view name) const {
  for (const auto& [key, value] : extra) {
    if (key == name) return value;
  }
  return std::nullopt;
}

bool PasswdEntry::is_enabled() const {
  const auto is_on = [](const std::optional<std::string>& value) {
    return value && *value != "no" && *value != "n" && *value != "0";
  };
  return !password.is_locked() && !is_on(field("nologin")) && !is_on(field("user_disabled"));
}

PasswdFile parse_passwd_file(std::string_view text, std::string_view default_scheme) {
  PasswdFile file;
  std::unordered_set<std::string> seen;
  std::size_t number = 0;
  const auto complain = [&](std::string why) {
    if (file.problems.size() < kProblemsMax) file.problems.push_back({number, std::move(why)});
  };
  while (!text.empty()) {
    ++number;
    const std::size_t end = text.find('\n');
    std::string_view line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::string_view words = trim(line);
    if (words.empty() || words.front() == '#') continue;
    if (line.size() > source::kAccountFileLineBytesMax) {
      complain(fmt::format("the line has {} bytes, more than {}", line.size(),
                           source::kAccountFileLineBytesMax));
      continue;
    }
    std::vector<std::string_view> fields;
    std::string_view rest = line;
    while (fields.size() <= kShellField) {
      const std::size_t colon = rest.find(':');
      fields.push_back(rest.substr(0, colon));
      if (colon == std::string_view::npos) {
        rest = {};
        break;
      }
      rest.remove_prefix(colon + 1);
    }
    PasswdEntry entry;
    entry.user = trim(fields[0]);
    entry.line = number;
    if (entry.user.empty()) {
      complain("the line names no user");
      continue;
    }
    if (first_invalid_utf8(entry.user)) {
      complain("the name of the user is not UTF-8");
      continue;
    }
    if (!seen.insert(lower_ascii(entry.user)).second) {
      complain(fmt::format("a second line for {}: Dovecot ignores it", printable(entry.user, 100)));
      continue;
    }
    const auto take = [&](std::size_t index) {
      return index < fields.size() ? std::string(fields[index]) : std::string();
    };
    entry.password = parse_password(take(1), default_scheme);
    entry.uid = take(2);
    entry.gid = take(3);
    entry.home = take(5);
    for (const std::string_view word : split(rest, ' ')) {
      if (trim(word).empty()) continue;
      const std::size_t equals = word.find('=');
      entry.extra.emplace_back(
          std::string(word.substr(0, equals)),
          equals == std::string_view::npos ? std::string() : std::string(word.substr(equals + 1)));
    }
    if (entry.field("nopassword")) entry.password = {.scheme = "NONE", .text = {}};
    file.entries.push_back(std::move(entry));
  }
  return file;
}

std::optional<std::uint64_t> quota_of_rule(std::string_view rule) {
  const std::size_t colon = rule.find(':');
  const std::string_view mailbox = rule.substr(0, colon);
  if (colon == std::string_view::npos || (mailbox != "*" && mailbox != "?")) return std::nullopt;
  for (const std::string_view part : split(rule.substr(colon + 1), ':')) {
    if (part.starts_with("storage=")) return size_with_suffix(part.substr(8), 1024);
    if (part.starts_with("bytes=")) return size_with_suffix(part.substr(6), 1);
    if (part == "ignore") return 0;
  }
  return std::nullopt;
}

std::optional<std::uint64_t> quota_of(const PasswdEntry& entry) {
  if (const auto size = entry.field("userdb_quota_storage_size")) {
    return *size == "unlimited" ? std::optional<std::uint64_t>(0) : size_with_suffix(*size, 1);
  }
  if (const auto rule = entry.field("userdb_quota_rule")) return quota_of_rule(*rule);
  return std::nullopt;
}

}  // namespace plan::server::dovecot
