#pragma once
#include <cstdint>
#include <string>

namespace plan::proxy {

/// The PROXY protocol header (haproxy's specification, 2.1 and 2.2) that tells a backend who
/// connected to us. Addresses are literals; IPv4-mapped IPv6 becomes IPv4. Two families, or
/// something that is no address: `PROXY UNKNOWN` / LOCAL.
[[nodiscard]] std::string proxy_header_v1(const std::string& client, std::uint16_t client_port,
                                          const std::string& local, std::uint16_t local_port);
[[nodiscard]] std::string proxy_header_v2(const std::string& client, std::uint16_t client_port,
                                          const std::string& local, std::uint16_t local_port);

}  // namespace plan::proxy
