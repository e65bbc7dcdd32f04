#include "compiler/source/secret_names.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "compiler/source/text.h"

namespace plan {
namespace {

constexpr std::size_t kNone = std::string_view::npos;
// Longer names are of nothing; the distance costs their square.
constexpr std::size_t kNameMax = 40;
constexpr std::size_t kShortestKey = 8;
constexpr std::size_t kShortestRandom = 16;
constexpr std::size_t kShortestRandomPart = 10;
constexpr std::size_t kShortestBase64 = 32;
constexpr std::size_t kShortestCredentials = 6;
// So much of a value tells what it is: a text without ends is asked at each of its signs.
constexpr std::size_t kLooksAt = 256;

constexpr std::array<std::string_view, 13> kEndings = {
    "password",   "passwd",     "passphrase", "secret",  "token",   "secretkey", "secretaccesskey",
    "privatekey", "accountkey", "apikey",     "hmackey", "otpcode", "pwd"};
constexpr std::array<std::string_view, 7> kMisspelt = {
    "password", "passphrase", "secret", "token", "authsecret", "secretaccesskey", "privatekey"};
// Keys whose scalar is a secret and whose mapping has keys of its own.
constexpr std::array<std::string_view, 4> kScalarNames = {"login", "key", "credentials", "auth"};

constexpr std::array<std::string_view, 20> kSchemes = {
    "basic",  "bearer",  "digest",    "negotiate", "ntlm",     "kerberos",        "token",
    "apikey", "api-key", "api-token", "sso-key",   "oauth",    "oauth2",          "hawk",
    "hmac",   "mutual",  "dpop",      "vapid",     "dns-auth", "aws4-hmac-sha256"};

template <class List>
bool has(const List& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

bool is_quote(char c) { return c == '"' || c == '\''; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_lower(char c) { return c >= 'a' && c <= 'z'; }
bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }

/// Edit distance in which two exchanged neighbours are one edit.
std::size_t distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> before(right.size() + 1);
  std::vector<std::size_t> last(right.size() + 1);
  std::vector<std::size_t> row(right.size() + 1);
  for (std::size_t j = 0; j < last.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= left.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const std::size_t change = left[i - 1] == right[j - 1] ? 0 : 1;
      row[j] = std::min({row[j - 1] + 1, last[j] + 1, last[j - 1] + change});
      if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last.back();
}

/// `auth-key`, `DNS_KEY`: a key of something. `key` alone is too often a name in a table.
bool is_name_of_key(std::string_view name) {
  const std::size_t cut = name.find_last_of("_-");
  if (cut == kNone || cut == 0 || lower_ascii(name.substr(cut + 1)) != "key") return false;
  const std::string front = lower_ascii(name.substr(0, cut));
  constexpr std::array<std::string_view, 8> kOpen = {"public",  "primary",   "sort",  "host",
                                                     "foreign", "partition", "group", "index"};
  return std::none_of(kOpen.begin(), kOpen.end(),
                      [&](std::string_view open) { return front.ends_with(open); });
}

std::string_view without_dashes(std::string_view name) {
  return name.substr(std::min(name.find_first_not_of('-'), name.size()));
}

/// `--tsig-key`, `--private-key`, `--secret`: as often the name or the file of one.
bool is_option_of_name(std::string_view option) {
  if (!option.starts_with('-')) return false;
  std::string name = lower_ascii(without_dashes(option));
  std::replace(name.begin(), name.end(), '_', '-');
  if (name == "secret") return true;
  return name.ends_with("-key") && !name.ends_with("api-key") && !name.ends_with("access-key") &&
         !name.ends_with("secret-key");
}

/// `--no-password`, `--ask-become-pass`: no value follows.
bool is_option_of_none(std::string_view option) {
  if (!option.starts_with('-')) return false;
  const std::string name = lower_ascii(without_dashes(option));
  constexpr std::array<std::string_view, 5> kBegins = {"no-", "skip-", "without-", "ask-",
                                                       "prompt-"};
  return std::any_of(kBegins.begin(), kBegins.end(),
                     [&](std::string_view begin) { return name.starts_with(begin); });
}

/// `existingSecret`, `imagePullSecret`: the name of an object that holds it.
bool is_name_of_object(std::string_view plain) {
  return plain.starts_with("existing") || plain.ends_with("pullsecret") ||
         plain.ends_with("tlssecret");
}

std::string_view without_quotes(std::string_view value) {
  if (!value.empty() && is_quote(value.front())) value.remove_prefix(1);
  if (!value.empty() && is_quote(value.back())) value.remove_suffix(1);
  return value;
}

bool is_letter(char c) { return is_lower(c) || is_upper(c); }

bool has_digit(std::string_view text) { return std::any_of(text.begin(), text.end(), is_digit); }

/// `[^"]*`, `\(.*\)`, `\K`: what a secret is searched by.
bool is_pattern(std::string_view value) {
  constexpr std::array<std::string_view, 5> kSigns = {"[^", "\\(", "\\K", ".*", ".+"};
  return std::any_of(kSigns.begin(), kSigns.end(),
                     [&](std::string_view sign) { return value.find(sign) != kNone; });
}

/// `{}`, `{{ token }}`, `<token>`
bool is_template(std::string_view value) {
  if (value.starts_with('<') && value.ends_with('>')) return true;
  const std::size_t opening = value.find('{');
  const std::size_t closing = value.find('}', std::min(opening, value.size()));
  if (closing == kNone) return false;
  const std::string_view name = value.substr(opening + 1, closing - opening - 1);
  return name.size() <= kNameMax && std::all_of(name.begin(), name.end(), [](char c) {
           return is_letter(c) || is_digit(c) || c == '_' || c == '.' || c == ' ' || c == '{';
         });
}

/// `%s:%s`, and nothing beside it.
bool is_format(std::string_view value) {
  bool has_one = false;
  for (std::size_t at = 0; at < value.size(); ++at) {
    if (value[at] == '%' && at + 1 < value.size() && is_lower(value[at + 1])) {
      has_one = true;
      ++at;
    } else if (is_letter(value[at]) || is_digit(value[at])) {
      return false;
    }
  }
  return has_one;
}

/// `PASSWORD`, `YOUR_TOKEN`, `xxxx`
bool is_name_of_placeholder(std::string_view value) {
  if (value.size() >= 3 && value.find_first_not_of(value.front()) == kNone &&
      std::string_view("xX*.").find(value.front()) != kNone)
    return true;
  if (value.empty() || !is_upper(value.front()) ||
      !std::all_of(value.begin(), value.end(), [](char c) { return is_upper(c) || c == '_'; }))
    return false;
  return value.find('_') != kNone || is_option_of_secret(value) || is_scalar_secret_name(value);
}

/// `PVEAPIToken=$TOKEN`, `$KEY:${SECRET}`; not `Pa$$word`.
bool has_variable(std::string_view value) {
  for (std::size_t at = value.find('$'); at != kNone; at = value.find('$', at + 1)) {
    if (at + 1 == value.size()) return false;
    const char next = value[at + 1];
    if (next == '{' || next == '(') return true;
    const bool begins =
        at == 0 || !(is_letter(value[at - 1]) || is_digit(value[at - 1]) || value[at - 1] == '$');
    if (begins && (is_letter(next) || next == '_')) return true;
  }
  return false;
}

/// Behind a known scheme in a text: a sentence has no such word.
bool is_no_word(std::string_view text) {
  if (text.size() < kShortestCredentials) return false;
  return has_digit(text) || text.find('=') != kNone ||
         (std::any_of(text.begin(), text.end(), is_lower) &&
          std::any_of(text.begin() + 1, text.end(), is_upper));
}

/// A word that switches something: no secret.
bool is_switch(std::string_view value) {
  constexpr std::array<std::string_view, 12> kSwitches = {"yes",  "no",   "true",  "false",
                                                          "on",   "off",  "never", "always",
                                                          "none", "null", "unset", "auto"};
  const std::string plain = lower_ascii(value.substr(0, kShortestKey));
  return value.size() < kShortestKey &&
         std::find(kSwitches.begin(), kSwitches.end(), plain) != kSwitches.end();
}

/// A key in base64 has slashes as a path does.
bool is_base64(std::string_view value) {
  const auto is_sign = [](char c) {
    return is_lower(c) || is_upper(c) || is_digit(c) || c == '+' || c == '/' || c == '=';
  };
  if (value.starts_with('/') || !std::all_of(value.begin(), value.end(), is_sign)) return false;
  if (value.ends_with('=') || value.find('+') != kNone) return true;
  return value.size() >= kShortestBase64 && std::any_of(value.begin(), value.end(), is_digit) &&
         std::any_of(value.begin(), value.end(), is_lower) &&
         std::any_of(value.begin(), value.end(), is_upper);
}

}  // namespace

std::string plain_name(std::string_view name) {
  std::string plain;
  for (const char c : lower_ascii(name)) {
    if (c != '_' && c != '-') plain += c;
  }
  return plain;
}

bool is_near_name(std::string_view word, std::string_view name) {
  const std::size_t allowed = name.size() <= 6 ? 1 : 2;
  if (word.size() < 4 || word.size() + allowed < name.size() || word.size() > name.size() + allowed)
    return false;
  return distance(word, name) <= allowed;
}

bool is_scalar_secret_name(std::string_view name) { return has(kScalarNames, plain_name(name)); }

bool is_ending_of_secret(std::string_view plain) { return has(kEndings, plain); }

bool is_secret_name(std::string_view name) {
  if (name.size() > kNameMax) return false;
  const std::string plain = plain_name(name);
  // `without_password` lists accounts.
  if (plain.starts_with("without")) return false;
  if (plain == "pass" || plain == "authorization") return true;
  if (std::any_of(kEndings.begin(), kEndings.end(),
                  [&](std::string_view ending) { return plain.ends_with(ending); }))
    return true;
  return std::any_of(kMisspelt.begin(), kMisspelt.end(),
                     [&](std::string_view known) { return is_near_name(plain, known); });
}

bool is_option_of_secret(std::string_view name) {
  if (is_option_of_none(name)) return false;
  name = without_dashes(name);
  if (name.empty() || name.size() > kNameMax) return false;
  const std::string plain = lower_ascii(name);
  if (is_name_of_object(plain_name(name))) return false;
  return is_secret_name(name) || plain == "pw" || plain.ends_with("_pass") ||
         plain.ends_with("-pass") || plain.ends_with("_pw") || plain.ends_with("-pw") ||
         plain.ends_with("-bearer") || plain.ends_with("authorization") || is_name_of_key(name);
}

bool says_secret(std::string_view name, std::string_view value) {
  if (!is_option_of_secret(name)) return false;
  if (is_option_of_name(name)) return looks_random(value);
  const std::string_view bare = without_dashes(name);
  if (lower_ascii(bare).ends_with("authorization")) return holds_credentials(value, true);
  return !is_name_of_key(bare) || is_secret_name(bare) || value.size() >= kShortestKey;
}

bool member_says_secret(std::string_view name, std::string_view value) {
  if (is_login_scheme(trim(value))) return false;
  if (lower_ascii(name).ends_with("authorization")) return holds_credentials(value, false);
  return says_secret("--" + std::string(name), value);
}

bool is_login_scheme(std::string_view word) {
  return has(kSchemes, lower_ascii(word.substr(0, kNameMax)));
}

bool holds_credentials(std::string_view value, bool is_header) {
  value = trim(without_quotes(trim(value.substr(0, kLooksAt))));
  const std::size_t blank = std::min(value.find_first_of(" \t\r\n"), value.size());
  const std::string_view first = value.substr(0, blank);
  const std::string_view behind = trim(value.substr(blank));
  if (is_read_elsewhere(first)) return false;
  if (behind.empty() || (!is_header && looks_random(first)))
    return !is_login_scheme(first) && (is_header ? has_digit(first) : looks_random(first));
  const std::string_view second =
      behind.substr(0, std::min(behind.find_first_of(" \t\r\n"), behind.size()));
  if (is_read_elsewhere(second) || has_variable(behind)) return false;
  const bool is_known = is_login_scheme(first);
  if (!is_header) return is_known ? is_no_word(second) : looks_random(second);
  // More words than two are parameters, or a sentence.
  return is_known || second == behind || behind.find('=') != kNone;
}

bool looks_random(std::string_view value) {
  if (value.size() < kShortestRandom) return false;
  std::size_t begin = 0;
  while (begin < value.size()) {
    const std::size_t end = std::min(value.find_first_of("-_.:", begin), value.size());
    const std::string_view part = value.substr(begin, end - begin);
    if (part.size() >= kShortestRandomPart && std::any_of(part.begin(), part.end(), is_digit) &&
        std::any_of(part.begin(), part.end(), [](char c) { return is_lower(c) || is_upper(c); }))
      return true;
    begin = end + 1;
  }
  return false;
}

bool is_placeholder(std::string_view value) {
  if (value.size() > kLooksAt) return false;
  return is_pattern(value) || is_template(value) || is_format(value) ||
         is_name_of_placeholder(value) || has_variable(value);
}

bool is_read_elsewhere(std::string_view value) {
  value = without_quotes(value);
  if (value.empty() || value == "-" || value == "true" || value == "false" ||
      value.starts_with('$') || value.starts_with('`') || value.starts_with("<(") ||
      is_placeholder(value))
    return true;
  constexpr std::array<std::string_view, 18> kBegins = {
      "env:",  "file:",  "command:", "fd:",    "./",    "../",   "~/",    "@/",    "/dev/",
      "/etc/", "/home/", "/opt/",    "/root/", "/run/", "/srv/", "/tmp/", "/usr/", "/var/"};
  return std::any_of(kBegins.begin(), kBegins.end(),
                     [&](std::string_view begin) { return value.starts_with(begin); });
}

bool is_reference(std::string_view value) {
  if (is_read_elsewhere(value)) return true;
  value = without_quotes(value);
  return value.starts_with('@') || is_switch(value) ||
         (value.find('/') != kNone && !is_base64(value));
}

}  // namespace plan
