#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace plan::dump {

// Integers as keys (big-endian) and values (little-endian mostly) have them. The caller knows that
// the bytes are there.

[[nodiscard]] inline std::uint64_t big_integer(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8U | static_cast<std::uint8_t>(c);
  return value;
}
[[nodiscard]] inline std::uint16_t big_u16(std::string_view bytes) {
  return static_cast<std::uint16_t>(big_integer(bytes.substr(0, 2)));
}
[[nodiscard]] inline std::uint32_t big_u32(std::string_view bytes) {
  return static_cast<std::uint32_t>(big_integer(bytes.substr(0, 4)));
}
[[nodiscard]] inline std::uint64_t big_u64(std::string_view bytes) {
  return big_integer(bytes.substr(0, 8));
}
[[nodiscard]] inline std::uint64_t little_integer(std::string_view bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = bytes.size(); i-- > 0;)
    value = value << 8U | static_cast<std::uint8_t>(bytes[i]);
  return value;
}
[[nodiscard]] inline std::uint32_t little_u32(std::string_view bytes) {
  return static_cast<std::uint32_t>(little_integer(bytes.substr(0, 4)));
}
[[nodiscard]] inline std::uint64_t little_u64(std::string_view bytes) {
  return little_integer(bytes.substr(0, 8));
}

/// A LEB128 number at the front of `bytes`, which are shortened by it; nothing when it is cut or
/// has more than 64 bits.
[[nodiscard]] inline std::optional<std::uint64_t> take_leb128(std::string_view& bytes) {
  std::uint64_t value = 0;
  for (unsigned i = 0; i < bytes.size() && i < 10; ++i) {
    const auto byte = static_cast<std::uint8_t>(bytes[i]);
    if (i == 9 && byte > 1) return std::nullopt;
    value |= std::uint64_t{byte & 0x7FU} << (7U * i);
    if ((byte & 0x80U) == 0) {
      bytes.remove_prefix(i + 1);
      return value;
    }
  }
  return std::nullopt;
}

inline void append_big(std::string& out, std::uint64_t value, unsigned bytes) {
  for (unsigned i = bytes; i-- > 0;) out += static_cast<char>(value >> (8U * i) & 0xFFU);
}
inline void append_little(std::string& out, std::uint64_t value, unsigned bytes) {
  for (unsigned i = 0; i < bytes; ++i) out += static_cast<char>(value >> (8U * i) & 0xFFU);
}

}  // namespace plan::dump
