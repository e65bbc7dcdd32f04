#pragma once
#include <string_view>

namespace plan::rehearsal {

/// `*` stands for any text, `?` for one byte: patterns of memory lookups and Sieve's `:matches`
/// (RFC 5228 section 2.7.1). Time is at most the product of both lengths.
[[nodiscard]] bool is_wildcard_match(std::string_view pattern, std::string_view text);

}  // namespace plan::rehearsal
