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
/// A decimal integer with an optional sign, without leading zeros.
[[nodiscard]] std::optional<std::int64_t> read_integer(std::string_view text);

/// What an unquoted scalar says by itself: `true`, `false`, integers, decimal fractions; all else
/// and everything quoted is text. Tags are not looked at.
[[nodiscard]] ir::Value scalar_value(const Node& scalar);

}  // namespace plan::syntax
