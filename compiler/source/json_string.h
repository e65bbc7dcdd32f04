#pragma once
#include <string>
#include <string_view>

namespace plan {

/// Appends `text` as a JSON string, quotes included (RFC 8259 section 7): the two marks and the
/// control characters are escaped, a byte that belongs to no UTF-8 character becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);

}  // namespace plan
