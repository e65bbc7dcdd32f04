#include "compiler/check/next_hop.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "compiler/check/names.h"
#include "compiler/source/text.h"

namespace plan::check {
namespace {

/// Services of Postfix's master.cf that take mail for delivery, with the programs that usually
/// stand there for mailboxes.
constexpr std::array<std::pair<std::string_view, TransportKind>, 19> kTransports = {{
    {"smtp", TransportKind::sends},         {"relay", TransportKind::sends},
    {"lmtp", TransportKind::sends},         {"retry", TransportKind::keeps},
    {"error", TransportKind::keeps},        {"discard", TransportKind::keeps},
    {"hold", TransportKind::keeps},         {"defer", TransportKind::keeps},
    {"local", TransportKind::delivers},     {"virtual", TransportKind::delivers},
    {"dovecot", TransportKind::delivers},   {"maildrop", TransportKind::delivers},
    {"procmail", TransportKind::delivers},  {"cyrus", TransportKind::delivers},
    {"old-cyrus", TransportKind::delivers}, {"mailman", TransportKind::delivers},
    {"uucp", TransportKind::delivers},      {"bsmtp", TransportKind::delivers},
    {"ifmail", TransportKind::delivers},
}};

/// Ports that every machine knows by name.
constexpr std::array<std::pair<std::string_view, std::int64_t>, 6> kServices = {{
    {"smtp", 25},
    {"mail", 25},
    {"submission", 587},
    {"smtps", 465},
    {"submissions", 465},
    {"urd", 465},
}};

constexpr std::int64_t kPortMax = 65'535;

std::int64_t port_of(std::string_view text) {
  const auto* const service = std::find_if(kServices.begin(), kServices.end(),
                                           [&](const auto& one) { return one.first == text; });
  if (service != kServices.end()) return service->second;
  std::int64_t port = 0;
  const char* end = text.data() + text.size();
  const auto [last, error] = std::from_chars(text.data(), end, port);
  return error == std::errc() && last == end && port > 0 && port <= kPortMax ? port : 0;
}

/// Could a machine's table of services have this name?
bool is_word(std::string_view text) {
  constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz";
  const std::string lower = lower_ascii(text);
  return lower.find_first_of(kLetters) != std::string::npos &&
         lower.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789-_") == std::string::npos;
}

}  // namespace

NextHop next_hop_of(std::string_view text) {
  NextHop hop;
  const std::size_t colon = text.find(':');
  hop.transport = text.substr(0, colon);
  std::string_view rest = colon == std::string_view::npos ? "" : text.substr(colon + 1);
  if (rest.starts_with("inet:")) rest.remove_prefix(5);
  if (rest.starts_with('[')) {
    hop.is_bracketed = true;
    const std::size_t end = rest.find(']');
    if (end == std::string_view::npos) {
      hop.behind = rest;
      return hop;
    }
    hop.host = rest.substr(1, end - 1);
    hop.behind = rest.substr(end + 1);
  } else {
    hop.host = rest.substr(0, rest.find(':'));
    hop.behind = rest.substr(hop.host.size());
  }
  if (hop.behind.starts_with(':')) hop.port = port_of(hop.behind.substr(1));
  return hop;
}

TransportKind kind_of_transport(const NextHop& hop) {
  // Without a transport Postfix takes the one that it would take anyway, its mailboxes'.
  if (hop.transport.empty()) return TransportKind::delivers;
  const auto* const found =
      std::find_if(kTransports.begin(), kTransports.end(),
                   [&](const auto& one) { return one.first == hop.transport; });
  if (found == kTransports.end()) return TransportKind::unknown;
  // `lmtp:unix:private/dovecot-lmtp`
  const bool is_socket = !hop.is_bracketed && hop.host == "unix" && hop.behind.starts_with(':');
  if (found->second == TransportKind::sends && is_socket) return TransportKind::delivers;
  return found->second;
}

std::string_view transport_in_other_case(std::string_view transport) {
  const auto* const found =
      std::find_if(kTransports.begin(), kTransports.end(), [&](const auto& one) {
        return one.first != transport && equals_ignoring_case(one.first, transport);
      });
  return found == kTransports.end() ? std::string_view() : found->first;
}

std::optional<HopFlaw> flaw_of(const NextHop& hop) {
  if (hop.host.empty()) {
    const bool is_open = hop.is_bracketed && hop.behind.starts_with('[');
    return HopFlaw{is_open ? "its `[` is not closed" : "it names no machine"};
  }
  std::string host = lower_ascii(hop.host);
  if (hop.is_bracketed && host.starts_with("ipv6:")) host.erase(0, 5);
  if (const std::string why = why_not_host(host); !why.empty())
    return HopFlaw{fmt::format("`{}` is no machine's name: {}", printable(hop.host, 80), why)};
  if (hop.behind.empty() || hop.port != 0) return std::nullopt;
  if (!hop.behind.starts_with(':'))
    return HopFlaw{fmt::format("behind the machine stands `{}`", printable(hop.behind, 80))};
  const std::string_view port = hop.behind.substr(1);
  if (is_word(port))
    return HopFlaw{fmt::format("`{}` is no port that is known here", printable(port, 80)), false};
  return HopFlaw{fmt::format("`{}` is no port from 1 to {}", printable(port, 80), kPortMax)};
}

}  // namespace plan::check
