#pragma once
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace plan {

/// `text` for a person's terminal: control characters, invalid UTF-8 and bidirectional overrides
/// replaced by
/// `\xNN`, cut after `bytes_max` with an ellipsis.
[[nodiscard]] std::string printable(std::string_view text, std::size_t bytes_max = 4096);

/// Position of the first byte that does not continue valid UTF-8 (RFC 3629: no surrogates, no
/// overlong forms), or nothing when all of it is valid.
[[nodiscard]] std::optional<std::size_t> first_invalid_utf8(std::string_view text);

/// Columns that `text` (valid UTF-8) takes on a terminal: wide East Asian characters count 2,
/// combining marks 0.
[[nodiscard]] std::size_t display_width(std::string_view text);

/// Number of characters (code points) in valid UTF-8.
[[nodiscard]] std::size_t character_count(std::string_view text);

/// ASCII letters to lower case, everything else untouched (mail addresses' domains, header names).
[[nodiscard]] std::string lower_ascii(std::string_view text);

[[nodiscard]] std::string_view trim(std::string_view text);
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);
[[nodiscard]] bool equals_ignoring_case(std::string_view left, std::string_view right);

/// `1.5 GiB`, `12 B`: binary units, one digit after the point from KiB on.
[[nodiscard]] std::string show_bytes(std::uint64_t bytes);
/// `340 ms`, `12.5 s`, `3 min 20 s`, `2 h 5 min`.
[[nodiscard]] std::string show_duration_ms(std::uint64_t milliseconds);
/// `12,345`
[[nodiscard]] std::string show_count(std::uint64_t count);

/// The candidate nearest to `word` by edit distance, for "did you mean"; nothing when none is near
/// (more than a third of the letters differ).
[[nodiscard]] std::optional<std::string_view> nearest(
    std::string_view word, const std::vector<std::string_view>& candidates);

}  // namespace plan
