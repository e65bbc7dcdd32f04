#pragma once
#include <string>
#include <string_view>

namespace plan::syntax {

// What may stand in a plan and in an expression of these types. Each gives the reason why it may
// not, or an empty text.

/// A mail address: one `@`, a local part of at most 64 bytes, a domain name (RFC 5321 without
/// quoted local parts, which neither server creates accounts for).
[[nodiscard]] std::string why_not_address(std::string_view text);
/// A domain name in A-labels, lower case, with at least one dot.
[[nodiscard]] std::string why_not_domain(std::string_view text);
/// A host name or an IP address.
[[nodiscard]] std::string why_not_host(std::string_view text);

/// A URL with https and a host.
[[nodiscard]] std::string why_not_url(std::string_view text);
/// Its host, without the brackets of an IPv6 address.
[[nodiscard]] std::string_view host_of_url(std::string_view url);
/// `10.9.0.0/24`, `2001:db8::/32`.
[[nodiscard]] std::string why_not_network(std::string_view text);

/// How a machine is reached over SSH: `host`, `user@host` or `user@host:port`.
[[nodiscard]] std::string why_not_ssh(std::string_view text);
/// A path of another machine: from its root, and without `..`.
[[nodiscard]] std::string why_not_machine_path(std::string_view text);
/// What `docker exec` takes for a container.
[[nodiscard]] std::string why_not_container(std::string_view text);
/// The name of a master user.
[[nodiscard]] std::string why_not_master_name(std::string_view text);
/// What Dovecot takes between an account and its master user: one character that is in no name.
[[nodiscard]] std::string why_not_separator(std::string_view text);
/// The name of an environment variable.
[[nodiscard]] std::string why_not_variable(std::string_view text);
/// A path that begins in a folder and stays in it.
[[nodiscard]] std::string why_not_in_folder(std::string_view text);

/// 127.0.0.0/8, ::1, `localhost` and names below it, the unspecified addresses.
[[nodiscard]] bool is_loopback(std::string_view host);
[[nodiscard]] bool is_ip_address(std::string_view text);
/// `203.0.113.10` lies in `203.0.113.0/24`; false for anything that is not an address and a
/// network.
[[nodiscard]] bool is_ip_in_network(std::string_view ip, std::string_view network);

}  // namespace plan::syntax
