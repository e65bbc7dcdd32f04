#pragma once
#include <optional>
#include <string>
#include <string_view>

namespace plan::rehearsal {

// The hidden validators (reference/stalwart-admin.md 1.7): each gives the value as the server
// stores it, or nothing.

[[nodiscard]] std::optional<std::string> normal_domain(std::string_view text);
[[nodiscard]] std::optional<std::string> normal_local_part(std::string_view text);
[[nodiscard]] std::optional<std::string> normal_email(std::string_view text);
[[nodiscard]] std::optional<std::string> normal_hostname(std::string_view text);
/// `addr` or `addr/prefix`; a full-length prefix is dropped, IPv6 in lower case.
[[nodiscard]] std::optional<std::string> normal_network(std::string_view text);
[[nodiscard]] std::optional<std::string> normal_ip(std::string_view text);
[[nodiscard]] bool is_socket_address(std::string_view text);
/// A-label of one label with non-ASCII letters (RFC 3492), lower-cased before.
[[nodiscard]] std::optional<std::string> to_ascii_label(std::string_view label);
/// Lower case also for the non-ASCII letters of Latin, Greek and Cyrillic.
[[nodiscard]] std::string lower_unicode(std::string_view text);

}  // namespace plan::rehearsal
