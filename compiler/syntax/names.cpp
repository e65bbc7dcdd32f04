#include "compiler/syntax/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "compiler/schema/formats.h"
#include "compiler/source/text.h"

namespace plan::syntax {
namespace {

constexpr std::size_t kDomainBytesMax = 253;
constexpr std::size_t kLabelBytesMax = 63;
constexpr std::size_t kLocalPartBytesMax = 64;

bool is_alphanumeric(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }

bool is_ipv4(std::string_view text) {
  const auto parts = split(text, '.');
  return parts.size() == 4 && std::all_of(parts.begin(), parts.end(), [](std::string_view part) {
           unsigned value = 256;
           const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
           return error == std::errc() && end == part.data() + part.size() && value <= 255 &&
                  part.size() <= 3 && (part.size() == 1 || part.front() != '0');
         });
}

bool is_ipv6(std::string_view text) {
  if (text.size() < 2 || text.size() > 45 || text.find(':') == std::string_view::npos) return false;
  if (text.find(":::") != std::string_view::npos) return false;
  const std::size_t gap = text.find("::");
  if (gap != std::string_view::npos && text.find("::", gap + 1) != std::string_view::npos)
    return false;
  std::size_t groups = 0;
  for (const std::string_view part : split(text, ':')) {
    if (part.empty()) continue;
    if (part.find('.') != std::string_view::npos) {
      if (!is_ipv4(part)) return false;
      groups += 2;
      continue;
    }
    if (part.size() > 4 || !std::all_of(part.begin(), part.end(), [](char c) {
          return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
        })) {
      return false;
    }
    ++groups;
  }
  return gap == std::string_view::npos ? groups == 8 : groups < 8;
}

std::string why_not_labels(std::string_view text) {
  if (text.size() > kDomainBytesMax) {
    return fmt::format("it has {} bytes, a name has at most {}", text.size(), kDomainBytesMax);
  }
  for (const std::string_view label : split(text, '.')) {
    if (label.empty()) return "a part between two dots is empty";
    if (label.size() > kLabelBytesMax) {
      return fmt::format("a part of it has {} bytes, at most {} are possible", label.size(),
                         kLabelBytesMax);
    }
    for (const char c : label) {
      if (static_cast<unsigned char>(c) >= 0x80)
        return "it has letters outside ASCII: write it in its `xn--` form";
      if (c >= 'A' && c <= 'Z') return "it has capital letters: write it in lower case";
      if (!is_alphanumeric(c) && c != '-')
        return fmt::format("`{}` cannot stand in a name", printable({&c, 1}));
    }
    if (label.front() == '-' || label.back() == '-') return "a part of it begins or ends with `-`";
  }
  return {};
}

/// Of ASCII letters, digits and characters of `others` alone.
bool is_made_of(std::string_view text, std::string_view others) {
  return std::all_of(text.begin(), text.end(), [&](char c) {
    return is_alphanumeric(c) || (c >= 'A' && c <= 'Z') || others.find(c) != std::string_view::npos;
  });
}

bool is_port(std::string_view digits) {
  unsigned port = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), port);
  return error == std::errc() && end == digits.data() + digits.size() && port >= 1 && port <= 65535;
}

/// `https://new.example.org:8443/jmap` has `new.example.org:8443`.
std::string_view authority_of_url(std::string_view url) {
  const std::size_t scheme = url.find("://");
  const std::string_view rest = scheme == std::string_view::npos ? url : url.substr(scheme + 3);
  return rest.substr(0, rest.find('/'));
}

}  // namespace

bool is_ip_address(std::string_view text) { return is_ipv4(text) || is_ipv6(text); }

std::string why_not_domain(std::string_view text) {
  if (text.empty()) return "it is empty";
  if (text.find('.') == std::string_view::npos) return "it has no dot";
  if (is_ipv4(text)) return "it is an IP address";
  return why_not_labels(text);
}

std::string why_not_host(std::string_view text) {
  if (text.empty()) return "it is empty";
  if (is_ip_address(text)) return {};
  if (text.find_first_not_of("0123456789.") == std::string_view::npos)
    return "it is no IPv4 address";
  return why_not_labels(text);
}

std::string why_not_url(std::string_view text) {
  constexpr std::string_view kScheme = "https://";
  if (!text.starts_with(kScheme)) return "it does not begin with `https://`";
  const std::string_view host = host_of_url(text);
  if (std::string why = why_not_host(host); !why.empty()) return why;
  std::string_view behind = authority_of_url(text);
  if (behind.starts_with('[') && behind.find(']') == std::string_view::npos)
    return "its `[` is not closed";
  behind.remove_prefix(static_cast<std::size_t>(host.data() + host.size() - behind.data()));
  if (behind.starts_with(']')) behind.remove_prefix(1);
  if (behind.empty()) return {};
  unsigned port = 0;
  const auto [end, error] = std::from_chars(behind.data() + 1, behind.data() + behind.size(), port);
  if (behind.front() != ':' || error != std::errc() || end != behind.data() + behind.size() ||
      port < 1 || port > 65535)
    return fmt::format("`{}` is no port from 1 to 65535", printable(behind, 40));
  return {};
}

std::string_view host_of_url(std::string_view url) {
  const std::string_view authority = authority_of_url(url);
  if (authority.starts_with('[')) return authority.substr(1, authority.find(']') - 1);
  return authority.substr(0, authority.rfind(':'));
}

std::string why_not_network(std::string_view text) {
  const std::size_t slash = text.find('/');
  if (slash == std::string_view::npos) return "it has no `/` with the length of the prefix";
  const std::string_view address = text.substr(0, slash);
  if (!is_ip_address(address)) return "in front of the `/` stands no IP address";
  unsigned bits = 0;
  const std::string_view digits = text.substr(slash + 1);
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), bits);
  const unsigned bits_max = is_ipv4(address) ? 32 : 128;
  if (error != std::errc() || end != digits.data() + digits.size() || bits > bits_max)
    return fmt::format("behind the `/` stands no number from 0 to {}", bits_max);
  return {};
}

std::string why_not_address(std::string_view text) {
  const std::size_t at = text.find('@');
  if (at == std::string_view::npos) return "it has no `@`";
  if (text.find('@', at + 1) != std::string_view::npos) return "it has more than one `@`";
  const std::string_view local = text.substr(0, at);
  if (local.empty()) return "nothing stands before the `@`";
  if (local.size() > kLocalPartBytesMax) {
    return fmt::format("{} bytes before the `@`, at most {} are possible", local.size(),
                       kLocalPartBytesMax);
  }
  for (const char c : local) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte <= 0x20 || byte == 0x7F ||
        std::string_view("\"(),:;<>[\\]").find(c) != std::string_view::npos) {
      return fmt::format("`{}` cannot stand before the `@`", printable({&c, 1}));
    }
  }
  if (local.front() == '.' || local.back() == '.' || local.find("..") != std::string_view::npos) {
    return "the part before the `@` has a dot at its edge or two in a row";
  }
  const std::string why = why_not_domain(lower_ascii(text.substr(at + 1)));
  return why.empty() ? std::string() : "behind the `@`: " + why;
}

std::string why_not_ssh(std::string_view text) {
  constexpr std::string_view kForm = "write `root@203.0.113.20` or `root@203.0.113.20:2222`";
  const auto because = [&](std::string_view why) { return fmt::format("{}; {}", why, kForm); };
  std::string_view host = text;
  if (const std::size_t at = text.find('@'); at != std::string_view::npos) {  // root without
    const std::string_view user = text.substr(0, at);
    if (user.empty()) return because("nothing stands before the `@`");
    if (user.front() == '-' || !is_made_of(user, "._-+$"))
      return because(fmt::format("`{}` is no name of a user", printable(user, 40)));
    host = text.substr(at + 1);
  }
  const std::size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && host.find(':') == colon) {  // more: an IPv6 address
    if (!is_port(host.substr(colon + 1)))
      return because(
          fmt::format("`{}` is no port from 1 to 65535", printable(host.substr(colon + 1), 40)));
    host = host.substr(0, colon);
  }
  const std::string why = why_not_host(host);
  return why.empty() ? why : because("the host: " + why);
}

std::string why_not_machine_path(std::string_view text) {
  if (!text.starts_with('/')) return "it does not begin with `/`";
  if (printable(text, SIZE_MAX) != text) return "it has a character that cannot be seen";
  const auto parts = split(text, '/');
  return std::find(parts.begin(), parts.end(), "..") == parts.end() ? "" : "it has `..` in it";
}

std::string why_not_container(std::string_view text) {
  if (text.empty()) return "it is empty";
  if (!is_made_of(text.substr(0, 1), "") || !is_made_of(text, "_.-"))
    return "the name of a container has letters, digits, `_`, `.` and `-`, and begins with a "
           "letter or a digit";
  return {};
}

std::string why_not_master_name(std::string_view text) {
  if (text.empty()) return "it is empty";
  if (text.find_first_of(" \t\r\n") != std::string_view::npos) return "it has a blank in it";
  return printable(text, SIZE_MAX) == text ? "" : "it has a character that cannot be seen";
}

std::string why_not_separator(std::string_view text) {
  if (text.size() != 1 || text.front() <= ' ' || text.front() > '~')
    return "it is one character, as `auth_master_user_separator` of Dovecot";
  if (text == "@" || is_made_of(text, "")) return "it stands in names of accounts too";
  return {};
}

std::string why_not_variable(std::string_view text) {
  const bool has_digit_first = !text.empty() && text.front() >= '0' && text.front() <= '9';
  if (text.empty() || has_digit_first || !is_made_of(text, "_"))
    return "the name of an environment variable has letters, digits and `_`, and does not begin "
           "with a digit";
  return {};
}

std::string why_not_in_folder(std::string_view text) {
  if (text.starts_with('/')) return "it begins with `/`";
  std::size_t depth = 0;
  for (const std::string_view part : split(text, '/')) {
    if (part.empty() || part == ".") continue;
    if (part != "..") {
      ++depth;
    } else if (depth-- == 0) {
      return "it leads out of the folder";
    }
  }
  return {};
}

bool is_loopback(std::string_view host) {
  if (host.size() > 2 && host.front() == '[' && host.back() == ']')
    host = host.substr(1, host.size() - 2);
  // `127.1` is an address as well, for whoever reads it.
  if (host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string_view::npos)
    return true;
  if (is_ipv4(host)) return host.starts_with("127.") || host == "0.0.0.0" || host.starts_with("0.");
  if (is_ipv6(host)) {
    const std::string shortest = schema::canonical_host(host);
    return is_ipv6(shortest) ? shortest == "::" || shortest == "::1" : is_loopback(shortest);
  }
  const std::string lower = lower_ascii(host);
  return lower == "localhost" || lower.ends_with(".localhost") ||
         lower == "localhost.localdomain" || lower == "ip6-localhost";
}

bool is_ip_in_network(std::string_view ip, std::string_view network) {
  const std::size_t slash = network.find('/');
  const std::string_view base = network.substr(0, slash);
  const auto left = schema::address_bytes(schema::canonical_host(ip));
  const auto right = schema::address_bytes(schema::canonical_host(base));
  if (left.empty() || left.size() != right.size()) return false;
  std::size_t bits = left.size() * 8;
  // `::ffff:203.0.113.0/120` is a network of IPv4, of 24 bits.
  const bool is_ipv4_inside = right.size() == 4 && base.find(':') != std::string_view::npos;
  const std::size_t in_front = is_ipv4_inside ? 96 : 0;
  if (slash != std::string_view::npos) {
    const std::string_view text = network.substr(slash + 1);
    std::size_t given = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), given);
    if (error != std::errc() || end != text.data() + text.size() || given < in_front ||
        given - in_front > bits)
      return false;
    bits = given - in_front;
  }
  for (std::size_t i = 0; i < bits; ++i) {
    const unsigned mask = 0x80U >> (i % 8);
    if ((left[i / 8] & mask) != (right[i / 8] & mask)) return false;
  }
  return true;
}

}  // namespace plan::syntax
