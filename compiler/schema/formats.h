#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/schema/type.h"

namespace plan::schema {

/// What is wrong with a text of this format (reference/stalwart-admin.md 1.7), as the end of a
/// sentence ("has an empty label"); nothing when it is right. Format and validator are the
/// property's.
[[nodiscard]] std::optional<std::string> format_problem(StringFormat format, Validator validator,
                                                        std::string_view text);

/// The text as the server stores it: domains and addresses without blanks, in lower case, in
/// A-labels; networks and addresses as they are printed back. A text of the wrong format comes back
/// unchanged.
[[nodiscard]] std::string canonical_text(StringFormat format, Validator validator,
                                         std::string_view text);

/// A domain name in lower case and A-labels (RFC 3492; case folding for Latin, Greek and Cyrillic
/// letters only).
[[nodiscard]] std::string canonical_domain(std::string_view domain);
/// `local@domain`: both in lower case, the domain in A-labels; the local part keeps its Unicode
/// letters.
[[nodiscard]] std::string canonical_address(std::string_view address);

/// An object id (1.9): letters a-z, digits 7 9 2 0 1 3. The empty text, which the server takes for
/// id 0, is none.
[[nodiscard]] bool is_object_id(std::string_view text);
/// RFC 3339 with a year from 1970 to 3000.
[[nodiscard]] bool is_date(std::string_view text);
/// The date in UTC with seconds, "2026-01-31T10:00:00Z"; `text` itself when it is no date.
[[nodiscard]] std::string canonical_date(std::string_view text);
[[nodiscard]] bool is_ip_address(std::string_view text);
/// The 4 or 16 bytes of an address in network order; empty when it is none.
[[nodiscard]] std::vector<std::uint8_t> address_bytes(std::string_view text);
/// A host in the spelling that others are compared with: an address in its shortest one, an IPv4
/// address inside an IPv6 one (`::ffff:203.0.113.30`) as the IPv4 address that servers see; a name
/// in lower case and without the dot of the root.
[[nodiscard]] std::string canonical_host(std::string_view host);
/// The same machine in two spellings; an empty text is none.
[[nodiscard]] bool is_same_host(std::string_view host, std::string_view other);
/// Loopback or unspecified: a relay to it bounces at once (5.8).
[[nodiscard]] bool is_loopback_address(std::string_view text);

}  // namespace plan::schema
