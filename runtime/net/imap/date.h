#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace plan::net::imap {

/// INTERNALDATE (RFC 3501, `date-time`): when the server received a message.
struct InternalDate {
  std::int64_t unix_seconds = 0;
  int zone_minutes = 0;
  /// `2025-05-12T10:00:00+02:00`; `Z` when the offset is zero.
  [[nodiscard]] std::string rfc3339() const;
  /// `12-May-2025 10:00:00 +0200`
  [[nodiscard]] std::string imap() const;
};

/// Reads ` 1-Jan-2025 10:00:00 +0200`; month names in any case, one or two digits of the day.
[[nodiscard]] std::optional<InternalDate> parse_internal_date(std::string_view text);
/// Reads RFC 3339, fractions dropped.
[[nodiscard]] std::optional<InternalDate> parse_rfc3339(std::string_view text);

}  // namespace plan::net::imap
