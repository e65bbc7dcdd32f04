#include "compiler/schema/formats.h"

#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <cstring>
#include <vector>

#include <fmt/format.h>

#include "compiler/schema/top_level.h"
#include "compiler/source/text.h"
#include "compiler/source/utf8.h"

namespace plan::schema {
namespace {

[[nodiscard]] bool is_blank(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

[[nodiscard]] std::string without_blanks(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (!is_blank(c)) out += c;
  }
  return out;
}

/// Code points of valid UTF-8; empty for invalid.
[[nodiscard]] std::vector<char32_t> code_points(std::string_view text) {
  std::vector<char32_t> points;
  if (first_invalid_utf8(text)) return points;
  for (std::size_t i = 0; i < text.size();) {
    const auto lead = static_cast<unsigned char>(text[i]);
    const std::size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    char32_t point = size == 1 ? lead : lead & (0xffU >> (size + 1));
    for (std::size_t k = 1; k < size; ++k) {
      point = (point << 6U) | (static_cast<unsigned char>(text[i + k]) & 0x3fU);
    }
    points.push_back(point);
    i += size;
  }
  return points;
}

/// Lower case of the scripts that mail domains are written in and that have case.
[[nodiscard]] char32_t lower(char32_t point) {
  if (point >= 'A' && point <= 'Z') return point + 32;
  if ((point >= 0xc0 && point <= 0xde && point != 0xd7)) return point + 32;
  if (point >= 0x100 && point <= 0x137) return point | 1U;
  if (point >= 0x14a && point <= 0x177) return point | 1U;
  if ((point >= 0x139 && point <= 0x148) || (point >= 0x179 && point <= 0x17e)) {
    return (point % 2 == 1) ? point + 1 : point;
  }
  if (point >= 0x391 && point <= 0x3a9 && point != 0x3a2) return point + 32;
  if (point >= 0x410 && point <= 0x42f) return point + 32;
  if (point >= 0x400 && point <= 0x40f) return point + 80;
  return point;
}

[[nodiscard]] std::string lower_unicode(std::string_view text) {
  if (first_invalid_utf8(text)) return std::string(text);
  std::string out;
  for (const char32_t point : code_points(text)) append_utf8(out, lower(point));
  return out;
}

/// RFC 3492 section 6.3; labels are at most 63 bytes in the end, so 32 bits do not overflow below
/// 1,000 points.
[[nodiscard]] std::optional<std::string> punycode(const std::vector<char32_t>& points) {
  if (points.size() > 255) return std::nullopt;
  std::string out;
  for (const char32_t point : points) {
    if (point < 0x80) out += static_cast<char>(point);
  }
  const std::size_t basic = out.size();
  if (basic > 0) out += '-';
  std::uint64_t n = 128;
  std::uint64_t delta = 0;
  std::uint64_t bias = 72;
  std::size_t handled = basic;
  while (handled < points.size()) {
    std::uint64_t next = 0x110000;
    for (const char32_t point : points) {
      if (point >= n && point < next) next = point;
    }
    delta += (next - n) * (handled + 1);
    n = next;
    for (const char32_t point : points) {
      if (point < n) ++delta;
      if (point != n) continue;
      std::uint64_t q = delta;
      for (std::uint64_t k = 36;; k += 36) {
        const std::uint64_t t = k <= bias ? 1 : k >= bias + 26 ? 26 : k - bias;
        if (q < t) break;
        const std::uint64_t digit = t + (q - t) % (36 - t);
        out += static_cast<char>(digit < 26 ? 'a' + digit : '0' + (digit - 26));
        q = (q - t) / (36 - t);
      }
      out += static_cast<char>(q < 26 ? 'a' + q : '0' + (q - 26));
      std::uint64_t d = handled == basic ? delta / 700 : delta / 2;
      d += d / (handled + 1);
      std::uint64_t k = 0;
      for (; d > 455; k += 36) d /= 35;
      bias = k + 36 * d / (d + 38);
      delta = 0;
      ++handled;
    }
    ++delta;
    ++n;
  }
  return out;
}

[[nodiscard]] std::string ascii_label(std::string_view label) {
  if (std::all_of(label.begin(), label.end(),
                  [](char c) { return static_cast<unsigned char>(c) < 0x80; })) {
    return std::string(label);
  }
  const auto coded = punycode(code_points(label));
  return coded ? "xn--" + *coded : std::string(label);
}

[[nodiscard]] std::optional<std::string> domain_problem(std::string_view text) {
  const std::string domain = canonical_domain(text);
  if (domain.find('.') == std::string::npos) return "needs at least one dot";
  if (domain.size() > 253)
    return fmt::format("has {} bytes, a domain has at most 253", domain.size());
  const auto labels = split(domain, '.');
  for (const std::string_view label : labels) {
    if (label.empty()) return "has an empty label";
    if (label.size() > 63)
      return fmt::format("has a label of {} bytes, a label has at most 63", label.size());
    for (const char c : label) {
      const bool is_allowed =
          (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
      if (!is_allowed)
        return fmt::format("has the character `{}`", printable(std::string_view(&c, 1)));
    }
  }
  const std::string_view top = labels.back();
  if (top_level_of(domain) == TopLevel::refused) {
    return fmt::format(
        "ends in `.{}`, which is no public suffix and none of those the server takes besides ({})",
        top, kInnerTopLevels);
  }
  if (std::all_of(top.begin(), top.end(), [](char c) { return c >= '0' && c <= '9'; })) {
    return fmt::format("ends in the number `{}`", top);
  }
  return std::nullopt;
}

[[nodiscard]] std::optional<std::string> local_part_problem(std::string_view text) {
  const std::string local = lower_unicode(without_blanks(text));
  if (local.empty()) return "is blank";
  if (first_invalid_utf8(local)) return "is not UTF-8";
  if (local.front() == '.') return "begins with a dot";
  if (local.back() == '.') return "ends with a dot";
  if (local.find("..") != std::string::npos) return "has two dots in a row";
  for (const char c : local) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_allowed =
        byte >= 0x80 || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
        std::string_view(".!#$%&'*+-/=?^_{|}~`").find(c) != std::string_view::npos;
    if (!is_allowed)
      return fmt::format("has the character `{}`", printable(std::string_view(&c, 1)));
  }
  return std::nullopt;
}

[[nodiscard]] std::optional<std::string> email_problem(std::string_view text) {
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos) return "has no `@`";
  if (auto problem = local_part_problem(text.substr(0, at)))
    return "has a local part that " + *problem;
  if (auto problem = domain_problem(text.substr(at + 1))) return "has a domain that " + *problem;
  return std::nullopt;
}

struct Ip {
  int family = 0;  // AF_INET, AF_INET6, 0: none
  std::array<unsigned char, 16> bytes = {};
  [[nodiscard]] bool is_zero() const {
    return std::all_of(bytes.begin(), bytes.end(), [](unsigned char b) { return b == 0; });
  }
};

[[nodiscard]] Ip ip_of(std::string_view text) {
  Ip ip;
  if (text.empty() || text.size() > 45 || text.find('\0') != std::string_view::npos) return ip;
  const std::string copy(text);
  if (inet_pton(AF_INET, copy.c_str(), ip.bytes.data()) == 1) {
    ip.family = AF_INET;
  } else if (inet_pton(AF_INET6, copy.c_str(), ip.bytes.data()) == 1) {
    ip.family = AF_INET6;
  }
  return ip;
}

/// `::ffff:203.0.113.30`
[[nodiscard]] bool is_ipv4_inside(const Ip& ip) {
  return ip.family == AF_INET6 && ip.bytes[10] == 0xff && ip.bytes[11] == 0xff &&
         std::all_of(ip.bytes.begin(), ip.bytes.begin() + 10,
                     [](unsigned char b) { return b == 0; });
}

[[nodiscard]] std::string_view without_brackets(std::string_view host) {
  return host.size() >= 2 && host.front() == '[' && host.back() == ']'
             ? host.substr(1, host.size() - 2)
             : host;
}

[[nodiscard]] std::string show(const Ip& ip) {
  std::array<char, INET6_ADDRSTRLEN> text = {};
  return inet_ntop(ip.family, ip.bytes.data(), text.data(), text.size()) == nullptr ? ""
                                                                                    : text.data();
}

[[nodiscard]] std::optional<int> small_number(std::string_view text, int max) {
  int number = 0;
  if (text.empty() || text.size() > 5) return std::nullopt;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || end != text.data() + text.size() || number < 0 || number > max)
    return std::nullopt;
  return number;
}

[[nodiscard]] std::optional<std::string> network_problem(std::string_view text) {
  const std::size_t slash = text.find('/');
  const Ip ip = ip_of(text.substr(0, slash));
  if (ip.family == 0) return "is no address or network";
  if (ip.is_zero() && ip.family == AF_INET) return "has the base 0.0.0.0, which the server refuses";
  if (slash == std::string_view::npos) return std::nullopt;
  const int bits_max = ip.family == AF_INET ? 32 : 128;
  const auto bits = small_number(text.substr(slash + 1), bits_max);
  if (!bits) return fmt::format("has the prefix `{}`", printable(text.substr(slash + 1), 20));
  if (*bits < 8)
    return fmt::format("has a prefix of {} bits, the server takes 8 to {}", *bits, bits_max);
  return std::nullopt;
}

[[nodiscard]] std::optional<std::string> socket_problem(std::string_view text) {
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return "has no port";
  std::string_view host = text.substr(0, colon);
  const bool is_bracketed = host.size() >= 2 && host.front() == '[' && host.back() == ']';
  if (is_bracketed) host = host.substr(1, host.size() - 2);
  const Ip ip = ip_of(host);
  if (ip.family == 0 || (ip.family == AF_INET6) != is_bracketed) return "is no address with a port";
  if (!small_number(text.substr(colon + 1), 65535)) return "has no port from 0 to 65535";
  return std::nullopt;
}

[[nodiscard]] bool are_digits(std::string_view text, std::size_t begin, std::size_t size) {
  if (begin + size > text.size()) return false;
  return std::all_of(text.begin() + static_cast<std::ptrdiff_t>(begin),
                     text.begin() + static_cast<std::ptrdiff_t>(begin + size),
                     [](char c) { return c >= '0' && c <= '9'; });
}

[[nodiscard]] std::int64_t days_from_civil(std::int64_t year, int month, int day) {
  year -= month <= 2 ? 1 : 0;
  const std::int64_t era = year / 400;
  const std::int64_t yoe = year - era * 400;
  const std::int64_t doy = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/// Seconds since 1970 of an RFC 3339 text.
[[nodiscard]] std::optional<std::int64_t> seconds_of(std::string_view text) {
  if (text.size() < 20 || text.size() > 40) return std::nullopt;
  for (const auto& [at, size] : std::array<std::pair<std::size_t, std::size_t>, 6>{
           {{0, 4}, {5, 2}, {8, 2}, {11, 2}, {14, 2}, {17, 2}}}) {
    if (!are_digits(text, at, size)) return std::nullopt;
  }
  if (text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != 't') || text[13] != ':' ||
      text[16] != ':') {
    return std::nullopt;
  }
  const auto part = [&](std::size_t at, std::size_t size) {
    return small_number(text.substr(at, size), 9999).value_or(0);
  };
  const int year = part(0, 4);
  const int month = part(5, 2);
  const int day = part(8, 2);
  static constexpr std::array kDays = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  if (month < 1 || month > 12 || year < 1970 || year > 3000) return std::nullopt;
  const bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
  const int days = kDays[static_cast<std::size_t>(month - 1)] + (month == 2 && is_leap ? 1 : 0);
  if (day < 1 || day > days || part(11, 2) > 23 || part(14, 2) > 59 || part(17, 2) > 60)
    return std::nullopt;
  std::size_t rest = 19;
  if (text[rest] == '.') {
    ++rest;
    const std::size_t begin = rest;
    while (rest < text.size() && are_digits(text, rest, 1)) ++rest;
    if (rest == begin) return std::nullopt;
  }
  std::int64_t offset = 0;
  const std::string_view zone = text.substr(rest);
  if (zone != "Z" && zone != "z") {
    if (zone.size() != 6 || (zone[0] != '+' && zone[0] != '-') || zone[3] != ':' ||
        !are_digits(zone, 1, 2) || !are_digits(zone, 4, 2)) {
      return std::nullopt;
    }
    offset = small_number(zone.substr(1, 2), 23).value_or(0) * 3600 +
             small_number(zone.substr(4, 2), 59).value_or(0) * 60;
    if (zone[0] == '-') offset = -offset;
  }
  return days_from_civil(year, month, day) * 86400 + part(11, 2) * 3600 + part(14, 2) * 60 +
         part(17, 2) - offset;
}

}  // namespace

std::string canonical_domain(std::string_view domain) {
  const std::string text = lower_unicode(without_blanks(domain));
  std::string out;
  for (const std::string_view label : split(text, '.')) {
    if (!out.empty() || label.data() != text.data()) out += '.';
    out += ascii_label(label);
  }
  return out;
}

std::string canonical_address(std::string_view address) {
  const std::size_t at = address.rfind('@');
  if (at == std::string_view::npos) return lower_unicode(without_blanks(address));
  return lower_unicode(without_blanks(address.substr(0, at))) + "@" +
         canonical_domain(address.substr(at + 1));
}

bool is_object_id(std::string_view text) {
  return !text.empty() && text.size() <= 32 && std::all_of(text.begin(), text.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'K' && c <= 'Z') ||
           std::string_view("792013").find(c) != std::string_view::npos;
  });
}

bool is_date(std::string_view text) { return seconds_of(text).has_value(); }

std::string canonical_date(std::string_view text) {
  const auto seconds = seconds_of(text);
  if (!seconds) return std::string(text);
  const std::int64_t days = *seconds >= 0 ? *seconds / 86400 : (*seconds - 86399) / 86400;
  const std::int64_t rest = *seconds - days * 86400;
  // Inverse of days_from_civil (proleptic Gregorian calendar, eras of 400 years from 0000-03-01).
  const std::int64_t z = days + 719468;
  const std::int64_t era = z / 146097;
  const std::int64_t doe = z - era * 146097;
  const std::int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  const std::int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
  const std::int64_t mp = (5 * doy + 2) / 153;
  const std::int64_t day = doy - (153 * mp + 2) / 5 + 1;
  const std::int64_t month = mp < 10 ? mp + 3 : mp - 9;
  const std::int64_t year = yoe + era * 400 + (month <= 2 ? 1 : 0);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z", year, month, day, rest / 3600,
                     rest / 60 % 60, rest % 60);
}

bool is_ip_address(std::string_view text) { return ip_of(text).family != 0; }

std::vector<std::uint8_t> address_bytes(std::string_view text) {
  const Ip ip = ip_of(text);
  if (ip.family == 0) return {};
  return {ip.bytes.begin(), ip.bytes.begin() + (ip.family == AF_INET ? 4 : 16)};
}

std::string canonical_host(std::string_view host) {
  host = without_brackets(host);
  std::string name = lower_ascii(host);
  if (name.starts_with("ipv6:")) name.erase(0, 5);  // as Postfix and SMTP write it in brackets
  Ip ip = ip_of(name);
  if (ip.family == 0) {
    if (name.size() > 1 && name.back() == '.') name.pop_back();
    return name;
  }
  if (is_ipv4_inside(ip)) {
    std::copy(ip.bytes.begin() + 12, ip.bytes.end(), ip.bytes.begin());
    ip.family = AF_INET;
  }
  return show(ip);
}

bool is_same_host(std::string_view host, std::string_view other) {
  if (host.empty() || other.empty()) return false;
  if (equals_ignoring_case(host, other)) return true;
  const auto has_spellings = [](std::string_view text) {
    return text.find_first_of(":[") != std::string_view::npos || text.back() == '.';
  };
  return (has_spellings(host) || has_spellings(other)) &&
         canonical_host(host) == canonical_host(other);
}

bool is_loopback_address(std::string_view text) {
  text = without_brackets(text);
  const Ip ip = ip_of(text);
  if (ip.family == 0) {
    const std::string name = lower_ascii(text);
    return name == "localhost" || name.ends_with(".localhost") || name == "localhost.localdomain";
  }
  if (ip.is_zero()) return true;
  if (ip.family == AF_INET) return ip.bytes[0] == 127;
  Ip rest = ip;
  rest.bytes[15] = 0;
  if (rest.is_zero()) return ip.bytes[15] == 1;
  return is_ipv4_inside(ip) &&
         (ip.bytes[12] == 127 || std::all_of(ip.bytes.begin() + 12, ip.bytes.end(),
                                             [](unsigned char b) { return b == 0; }));
}

std::optional<std::string> format_problem(StringFormat format, Validator validator,
                                          std::string_view text) {
  switch (validator) {
    case Validator::domain:
      return domain_problem(text);
    case Validator::local_part:
      return local_part_problem(text);
    case Validator::email:
      return email_problem(text);
    case Validator::hostname:
      return is_ip_address(text) ? std::nullopt : domain_problem(text);
    case Validator::none:
      break;
  }
  switch (format) {
    case StringFormat::email_address:
      return email_problem(text);
    case StringFormat::ip_address: {
      const Ip ip = ip_of(text);
      if (ip.family == 0) return "is no IP address";
      if (ip.family == AF_INET && ip.is_zero())
        return "is 0.0.0.0, which the server takes for no address";
      return std::nullopt;
    }
    case StringFormat::ip_network:
      return network_problem(text);
    case StringFormat::socket_address:
      return socket_problem(text);
    case StringFormat::string:
    case StringFormat::text:
    case StringFormat::html:
    case StringFormat::secret:
    case StringFormat::secret_text:
    case StringFormat::uri:
    case StringFormat::color:
    case StringFormat::other:
      return std::nullopt;
  }
  return std::nullopt;
}

std::string canonical_text(StringFormat format, Validator validator, std::string_view text) {
  if (format_problem(format, validator, text)) return std::string(text);
  switch (validator) {
    case Validator::domain:
      return canonical_domain(text);
    case Validator::hostname:
      return is_ip_address(text) ? std::string(text) : canonical_domain(text);
    case Validator::local_part:
      return lower_unicode(without_blanks(text));
    case Validator::email:
      return canonical_address(text);
    case Validator::none:
      break;
  }
  switch (format) {
    case StringFormat::email_address:
      return canonical_address(text);
    case StringFormat::ip_address:
      return show(ip_of(text));
    case StringFormat::ip_network: {
      const std::size_t slash = text.find('/');
      const Ip ip = ip_of(text.substr(0, slash));
      std::string out = show(ip);
      if (slash == std::string_view::npos) return out;
      const int bits = small_number(text.substr(slash + 1), 128).value_or(0);
      if (bits != (ip.family == AF_INET ? 32 : 128)) out += fmt::format("/{}", bits);
      return out;
    }
    default:
      return std::string(text);
  }
}

}  // namespace plan::schema
