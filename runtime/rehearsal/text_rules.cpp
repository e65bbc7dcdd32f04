#include "runtime/rehearsal/text_rules.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <set>
#include <vector>

#include "compiler/source/text.h"
#include "compiler/source/utf8.h"

namespace plan::rehearsal {
namespace {

// Top-level names the rehearsal takes as public suffixes. The real server has the whole public
// suffix list; the names it refuses are what a plan must meet here: .example and .invalid.
const std::set<std::string, std::less<>>& refused_suffixes() {
  static const std::set<std::string, std::less<>> kRefused = {"example", "invalid", "onion",
                                                              "local-only", "nosuchtld"};
  return kRefused;
}

const std::set<std::string, std::less<>>& private_suffixes() {
  static const std::set<std::string, std::less<>> kPrivate = {
      "test", "localhost", "local",    "internal", "lan",
      "home", "corp",      "intranet", "private",  "localdomain"};
  return kPrivate;
}

const std::set<std::string, std::less<>>& long_suffixes() {
  static const std::set<std::string, std::less<>> kKnown = {
      "com",       "org",      "net",      "edu",     "gov",    "mil",    "int",     "info",
      "biz",       "name",     "museum",   "coop",    "aero",   "pro",    "jobs",    "mobi",
      "travel",    "cat",      "tel",      "asia",    "post",   "xxx",    "arpa",    "app",
      "dev",       "shop",     "blog",     "site",    "online", "store",  "cloud",   "email",
      "tech",      "world",    "live",     "news",    "club",   "life",   "today",   "systems",
      "solutions", "services", "software", "company", "group",  "agency", "network", "academy",
      "berlin",    "hamburg",  "wien",     "paris",   "london", "swiss",  "bayern",  "koeln",
      "cologne",   "ruhr",     "saarland"};
  return kKnown;
}

std::vector<std::uint32_t> code_points(std::string_view text) {
  std::vector<std::uint32_t> out;
  for (std::size_t i = 0; i < text.size();) {
    const auto first = static_cast<unsigned char>(text[i]);
    std::size_t size = 1;
    std::uint32_t point = first;
    if (first >= 0xf0) {
      size = 4;
      point = first & 0x07U;
    } else if (first >= 0xe0) {
      size = 3;
      point = first & 0x0fU;
    } else if (first >= 0xc0) {
      size = 2;
      point = first & 0x1fU;
    }
    for (std::size_t k = 1; k < size && i + k < text.size(); ++k)
      point = (point << 6U) | (static_cast<unsigned char>(text[i + k]) & 0x3fU);
    out.push_back(point);
    i += size;
  }
  return out;
}

std::string without_blanks(std::string_view text) {
  std::string out;
  for (const char c : text)
    if (c != ' ' && c != '\t' && c != '\r' && c != '\n') out += c;
  return out;
}

bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

}  // namespace

std::string lower_unicode(std::string_view text) {
  if (first_invalid_utf8(text)) return lower_ascii(text);
  std::string out;
  for (std::uint32_t point : code_points(text)) {
    if ((point >= 'A' && point <= 'Z') || (point >= 0xc0 && point <= 0xde && point != 0xd7) ||
        (point >= 0x391 && point <= 0x3a9) || (point >= 0x410 && point <= 0x42f))
      point += 32;
    else if (point >= 0x400 && point <= 0x40f)
      point += 80;
    else if (point >= 0x100 && point <= 0x17f && point % 2 == 0)
      point += 1;
    append_utf8(out, point);
  }
  return out;
}

std::optional<std::string> to_ascii_label(std::string_view label) {
  if (is_ascii(label)) return std::string(label);
  constexpr std::uint32_t kBase = 36;
  std::vector<std::uint32_t> input = code_points(label);
  std::string out = "xn--";
  std::uint32_t handled = 0;
  for (const std::uint32_t point : input)
    if (point < 0x80) {
      out += static_cast<char>(point);
      ++handled;
    }
  const std::uint32_t basic = handled;
  if (basic > 0) out += '-';
  std::uint32_t n = 128;
  std::uint32_t delta = 0;
  std::uint32_t bias = 72;
  while (handled < input.size()) {
    std::uint32_t smallest = UINT32_MAX;
    for (const std::uint32_t point : input)
      if (point >= n) smallest = std::min(smallest, point);
    if (smallest == UINT32_MAX || smallest - n > (UINT32_MAX - delta) / (handled + 1))
      return std::nullopt;
    delta += (smallest - n) * (handled + 1);
    n = smallest;
    for (const std::uint32_t point : input) {
      if (point < n) ++delta;
      if (point != n) continue;
      std::uint32_t q = delta;
      for (std::uint32_t k = kBase;; k += kBase) {
        const std::uint32_t t = k <= bias ? 1 : (k >= bias + 26 ? 26 : k - bias);
        const std::uint32_t digit = q < t ? q : t + (q - t) % (kBase - t);
        out += static_cast<char>(digit < 26 ? 'a' + digit : '0' + (digit - 26));
        if (q < t) break;
        q = (q - t) / (kBase - t);
      }
      std::uint32_t adapted = handled == basic ? delta / 700 : delta / 2;
      adapted += adapted / (handled + 1);
      std::uint32_t steps = 0;
      while (adapted > 455) {
        adapted /= 35;
        steps += kBase;
      }
      bias = steps + 36 * adapted / (adapted + 38);
      delta = 0;
      ++handled;
    }
    ++delta;
    ++n;
  }
  return out;
}

std::optional<std::string> normal_domain(std::string_view text) {
  const std::string lower = lower_unicode(without_blanks(text));
  std::string out;
  const auto labels = split(lower, '.');
  if (labels.size() < 2) return std::nullopt;
  for (const std::string_view label : labels) {
    if (label.empty() || label.find_first_of("@/\\<>()[],;:\"'!?*#%&=") != std::string_view::npos)
      return std::nullopt;
    const auto ascii = to_ascii_label(label);
    if (!ascii) return std::nullopt;
    if (!out.empty()) out += '.';
    out += *ascii;
  }
  const std::string_view suffix = std::string_view(out).substr(out.rfind('.') + 1);
  if (refused_suffixes().contains(suffix)) return std::nullopt;
  const bool is_known =
      private_suffixes().contains(suffix) || long_suffixes().contains(suffix) ||
      suffix.starts_with("xn--") ||
      (suffix.size() == 2 &&
       std::all_of(suffix.begin(), suffix.end(), [](char c) { return c >= 'a' && c <= 'z'; }));
  return is_known ? std::optional(out) : std::nullopt;
}

std::optional<std::string> normal_local_part(std::string_view text) {
  const std::string out = lower_unicode(without_blanks(text));
  if (out.empty() || out.front() == '.' || out.back() == '.' || out.find("..") != std::string::npos)
    return std::nullopt;
  for (const char c : out) {
    const auto byte = static_cast<unsigned char>(c);
    const bool fine = byte >= 0x80 || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
                      std::string_view(".!#$%&'*+-/=?^_{|}~`").find(c) != std::string_view::npos;
    if (!fine) return std::nullopt;
  }
  return out;
}

std::optional<std::string> normal_email(std::string_view text) {
  const std::string flat = without_blanks(text);
  const std::size_t at = flat.rfind('@');
  if (at == std::string::npos) return std::nullopt;
  const auto local = normal_local_part(std::string_view(flat).substr(0, at));
  const auto domain = normal_domain(std::string_view(flat).substr(at + 1));
  if (!local || !domain) return std::nullopt;
  return *local + "@" + *domain;
}

std::optional<std::string> normal_hostname(std::string_view text) {
  if (auto ip = normal_ip(text)) return ip;
  return normal_domain(text);
}

std::optional<std::string> normal_ip(std::string_view text) {
  const std::string flat(trim(text));
  std::array<unsigned char, 16> bytes{};
  if (inet_pton(AF_INET, flat.c_str(), bytes.data()) == 1) {
    if (flat == "0.0.0.0") return std::nullopt;
    return flat;
  }
  if (inet_pton(AF_INET6, flat.c_str(), bytes.data()) != 1) return std::nullopt;
  std::array<char, INET6_ADDRSTRLEN> shown{};
  return std::string(inet_ntop(AF_INET6, bytes.data(), shown.data(), shown.size()));
}

std::optional<std::string> normal_network(std::string_view text) {
  const std::string_view flat = trim(text);
  const std::size_t slash = flat.find('/');
  const auto address = normal_ip(flat.substr(0, slash));
  if (!address) return std::nullopt;
  if (slash == std::string_view::npos) return address;
  unsigned prefix = 0;
  const std::string_view digits = flat.substr(slash + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), prefix);
  const unsigned full = address->find(':') == std::string::npos ? 32 : 128;
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size() ||
      prefix < 8 || prefix > full)
    return std::nullopt;
  return prefix == full ? *address : *address + "/" + std::to_string(prefix);
}

bool is_socket_address(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return false;
  unsigned port = 0;
  const std::string_view digits = text.substr(colon + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size() ||
      port > 65535)
    return false;
  std::string_view host = text.substr(0, colon);
  const bool is_bracketed = host.starts_with('[') && host.ends_with(']');
  if (is_bracketed) host = host.substr(1, host.size() - 2);
  std::array<unsigned char, 16> bytes{};
  return inet_pton(is_bracketed ? AF_INET6 : AF_INET, std::string(host).c_str(), bytes.data()) == 1;
}

}  // namespace plan::rehearsal
