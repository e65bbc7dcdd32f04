#include "runtime/rehearsal/ids.h"

#include <array>

namespace plan::rehearsal {
namespace {

constexpr std::string_view kAlphabet = "abcdefghijklmnopqrstuvwxyz792013";

int digit_of(char c) {
  if (c >= 'a' && c <= 'z') return c - 'a';
  if (c >= 'A' && c <= 'Z') return c - 'A';
  const std::size_t at = std::string_view("792013").find(c);
  return at == std::string_view::npos ? -1 : 26 + static_cast<int>(at);
}

}  // namespace

std::string encode_id(std::uint64_t number) {
  std::string out;
  do {
    out.insert(out.begin(), kAlphabet[number & 31U]);
    number >>= 5U;
  } while (number != 0);
  return out;
}

std::optional<std::uint64_t> parse_id(std::string_view text) {
  std::uint64_t number = 0;
  for (const char c : text) {
    const int digit = digit_of(c);
    if (digit < 0) return std::nullopt;
    number = (number << 5U) | static_cast<std::uint64_t>(digit);
  }
  return number;
}

std::string encode_bytes(std::string_view bytes) {
  std::string out;
  unsigned bits = 0;
  unsigned count = 0;
  for (const char c : bytes) {
    bits = (bits << 8U) | static_cast<unsigned char>(c);
    count += 8;
    while (count >= 5) {
      count -= 5;
      out += kAlphabet[(bits >> count) & 31U];
    }
    bits &= (1U << count) - 1U;
  }
  if (count > 0) out += kAlphabet[(bits << (5 - count)) & 31U];
  return out;
}

std::optional<std::string> decode_bytes(std::string_view text) {
  std::string out;
  unsigned bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const int digit = digit_of(c);
    if (digit < 0) return std::nullopt;
    bits = (bits << 5U) | static_cast<unsigned>(digit);
    count += 5;
    if (count >= 8) {
      count -= 8;
      out += static_cast<char>((bits >> count) & 0xffU);
      bits &= (1U << count) - 1U;
    }
  }
  return out;
}

void append_leb(std::string& out, std::uint64_t number) {
  while (number >= 0x80) {
    out += static_cast<char>(0x80U | (number & 0x7fU));
    number >>= 7U;
  }
  out += static_cast<char>(number);
}

std::optional<std::uint64_t> take_leb(std::string_view& bytes) {
  std::uint64_t number = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    if (bytes.empty()) return std::nullopt;
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    number |= static_cast<std::uint64_t>(byte & 0x7fU) << shift;
    if ((byte & 0x80U) == 0) return number;
  }
  return std::nullopt;
}

std::string encode_state(std::uint64_t change) {
  std::string bytes;
  append_leb(bytes, change);
  return "s" + encode_bytes(bytes);
}

std::string encode_intermediate_state(std::uint64_t change, std::uint64_t items_sent) {
  std::string bytes;
  append_leb(bytes, change);
  append_leb(bytes, items_sent);
  return "r" + encode_bytes(bytes);
}

std::optional<ParsedState> parse_state(std::string_view text) {
  if (text.empty()) return std::nullopt;
  if (text.front() == 'n') return ParsedState{};
  if (text.front() != 's' && text.front() != 'r') return std::nullopt;
  const auto bytes = decode_bytes(text.substr(1));
  if (!bytes) return std::nullopt;
  std::string_view rest = *bytes;
  ParsedState state;
  const auto change = take_leb(rest);
  if (!change) return std::nullopt;
  state.change = *change;
  if (text.front() == 'r') {
    const auto sent = take_leb(rest);
    if (!sent) return std::nullopt;
    state.items_sent = *sent;
  }
  return state;
}

}  // namespace plan::rehearsal
