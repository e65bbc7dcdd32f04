#include "runtime/proxy/proxy_header.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <array>
#include <string_view>

namespace plan::proxy {
namespace {

struct Address {
  int family = AF_UNSPEC;
  std::array<char, 16> bytes = {};
  std::string text = {};
};

Address parse(const std::string& text) {
  Address address;
  const std::string plain =
      text.starts_with("::ffff:") && text.find('.') != std::string::npos ? text.substr(7) : text;
  if (inet_pton(AF_INET, plain.c_str(), address.bytes.data()) == 1)
    address.family = AF_INET;
  else if (inet_pton(AF_INET6, plain.c_str(), address.bytes.data()) == 1)
    address.family = AF_INET6;
  address.text = plain;
  return address;
}

void put_port(std::string& out, std::uint16_t port) {
  out += static_cast<char>(port >> 8U);
  out += static_cast<char>(port & 0xffU);
}

}  // namespace

std::string proxy_header_v1(const std::string& client, std::uint16_t client_port,
                            const std::string& local, std::uint16_t local_port) {
  const Address from = parse(client);
  const Address to = parse(local);
  if (from.family == AF_UNSPEC || from.family != to.family) return "PROXY UNKNOWN\r\n";
  return fmt::format("PROXY {} {} {} {} {}\r\n", from.family == AF_INET ? "TCP4" : "TCP6",
                     from.text, to.text, client_port, local_port);
}

std::string proxy_header_v2(const std::string& client, std::uint16_t client_port,
                            const std::string& local, std::uint16_t local_port) {
  static constexpr std::string_view kSignature("\r\n\r\n\0\r\nQUIT\n", 12);
  std::string out(kSignature);
  const Address from = parse(client);
  const Address to = parse(local);
  if (from.family == AF_UNSPEC || from.family != to.family) {
    out += '\x20';  // version 2, LOCAL
    out += '\0';
    put_port(out, 0);
    return out;
  }
  const std::size_t length = from.family == AF_INET ? 4 : 16;
  out += '\x21';  // version 2, PROXY
  out += from.family == AF_INET ? '\x11' : '\x21';
  put_port(out, static_cast<std::uint16_t>(2 * length + 4));
  out.append(from.bytes.data(), length);
  out.append(to.bytes.data(), length);
  put_port(out, client_port);
  put_port(out, local_port);
  return out;
}

}  // namespace plan::proxy
