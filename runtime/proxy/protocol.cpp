#include "runtime/proxy/protocol.h"

#include <array>
#include <utility>

namespace plan::proxy {
namespace {

constexpr std::array<std::pair<Protocol, std::string_view>, kProtocolCount> kProtocols = {{
    {Protocol::imap, "imap"},
    {Protocol::pop3, "pop3"},
    {Protocol::sieve, "sieve"},
    {Protocol::submission, "submission"},
    {Protocol::smtp, "smtp"},
}};
constexpr std::array<std::pair<TlsMode, std::string_view>, 3> kTlsModes = {{
    {TlsMode::none, "none"},
    {TlsMode::starttls, "starttls"},
    {TlsMode::implicit, "implicit"},
}};
constexpr std::array<std::pair<Announce, std::string_view>, 4> kAnnounces = {{
    {Announce::none, "none"},
    {Announce::native, "native"},
    {Announce::proxy_v1, "proxy-v1"},
    {Announce::proxy_v2, "proxy-v2"},
}};

template <class Table, class Key>
std::string_view name_in(const Table& table, Key key) {
  for (const auto& [candidate, name] : table) {
    if (candidate == key) return name;
  }
  return "?";
}

template <class Key, class Table>
std::optional<Key> key_in(const Table& table, std::string_view wanted) {
  for (const auto& [key, name] : table) {
    if (name == wanted) return key;
  }
  return std::nullopt;
}

}  // namespace

std::string_view to_string(Protocol protocol) { return name_in(kProtocols, protocol); }
std::string_view to_string(TlsMode mode) { return name_in(kTlsModes, mode); }
std::string_view to_string(Announce announce) { return name_in(kAnnounces, announce); }
std::optional<Protocol> protocol_by_name(std::string_view name) {
  return key_in<Protocol>(kProtocols, name);
}
std::optional<TlsMode> tls_mode_by_name(std::string_view name) {
  if (name == "tls") return TlsMode::implicit;
  return key_in<TlsMode>(kTlsModes, name);
}
std::optional<Announce> announce_by_name(std::string_view name) {
  return key_in<Announce>(kAnnounces, name);
}

}  // namespace plan::proxy
