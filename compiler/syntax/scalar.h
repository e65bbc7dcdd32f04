#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "compiler/ir/value.h"
#include "compiler/syntax/tree.h"

namespace plan::syntax {

/// `340ms`, `30s`, `5m`, `2h`, `1d`: milliseconds. Nothing when it is no duration or too long for
/// 63 bits.
[[nodiscard]] std::optional<std::uint64_t> read_duration_ms(std::string_view text);
/// `12B`, `50KiB`, `50MiB`, `2GiB`, `1TiB` and the decimal `kB`, `MB`, `GB`, `TB`: bytes.
[[nodiscard]] std::optional<std::uint64_t> read_bytes(std::string_view text);
/// `5%`, `0.5%`: thousandths, 0 to 1000, with at most one decimal.
[[nodiscard]] std::optional<std::uint32_t> read_permille(std::string_view text);
/// `2026-12-01T02:00:00Z`, `2026-12-01T02:00+01:00`: milliseconds since 1970 in UTC. The zone is
/// part of it (RFC 3339, seconds may be left out), years 1970 to 2999.
[[nodiscard]] std::optional<std::int64_t> read_time_ms(std::string_view text);
/// A decimal integer with an optional sign, without leading zeros.
[[nodiscard]] std::optional<std::int64_t> read_integer(std::string_view text);
/// A whole number, alone or with a unit of the above, that is more than 63 bits hold.
[[nodiscard]] bool is_too_large(std::string_view text);

/// What an unquoted scalar says by itself: `true`, `false`, integers, decimal fractions; all else
/// and everything quoted is text. Tags are not looked at.
[[nodiscard]] ir::Value scalar_value(const Node& scalar);

}  // namespace plan::syntax
