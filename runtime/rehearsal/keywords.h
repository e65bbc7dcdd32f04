#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace plan::rehearsal {

/// A keyword as the server stores it: known ones in their own spelling, all cut to 128 bytes,
/// nothing refused (reference/stalwart-admin.md 8.3).
[[nodiscard]] std::string normal_keyword(std::string_view keyword);
/// As IMAP shows it: `$seen` is `\Seen`.
[[nodiscard]] std::string imap_flag(std::string_view keyword);
/// `\Seen` or `$Seen` or `Custom` to the stored keyword.
[[nodiscard]] std::string keyword_of_flag(std::string_view flag);
/// What the server makes of a time before 1970: it wraps into the year 32548 (recorded in
/// email-import.jsonl).
[[nodiscard]] std::int64_t stored_time(std::int64_t seconds);

}  // namespace plan::rehearsal
