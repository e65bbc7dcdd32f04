#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace plan::rehearsal {

// Object ids as the real server writes them (reference/stalwart-admin.md 1.9): base 32 with the
// alphabet a-z 7 9 2 0 1 3.

/// Shortest spelling of a number; 0 is "a".
[[nodiscard]] std::string encode_id(std::uint64_t number);
/// Any text of the alphabet is a number (the empty one is 0, too long ones wrap), everything else
/// is none.
[[nodiscard]] std::optional<std::uint64_t> parse_id(std::string_view text);

/// Bytes in the same alphabet, five bits a letter, the last letter filled with zero bits.
[[nodiscard]] std::string encode_bytes(std::string_view bytes);
[[nodiscard]] std::optional<std::string> decode_bytes(std::string_view text);

/// Seven bits a byte, lowest first, the high bit says that more follow.
void append_leb(std::string& out, std::uint64_t number);
[[nodiscard]] std::optional<std::uint64_t> take_leb(std::string_view& bytes);

/// The state of an account: "s" and the number of its last change, "n" for none yet
/// (reference 8.2).
[[nodiscard]] std::string encode_state(std::uint64_t change);
struct ParsedState {
  std::uint64_t change = 0;
  std::uint64_t items_sent = 0;  ///< of an intermediate state ("r...")
};
[[nodiscard]] std::optional<ParsedState> parse_state(std::string_view text);
[[nodiscard]] std::string encode_intermediate_state(std::uint64_t change, std::uint64_t items_sent);

/// Recovery administrator's account: all bits of 32 set.
inline constexpr std::uint64_t kAdministratorId = 0xffffffffU;

}  // namespace plan::rehearsal
