#include "runtime/net/imap/mailbox_name.h"

#include <cstdint>

#include "compiler/source/text.h"
#include "compiler/source/utf8.h"

namespace plan::net::imap {
namespace {

constexpr std::string_view kAlphabet =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+,";

/// Of valid UTF-8.
std::uint32_t take_code(std::string_view& text) {
  const auto byte = [&](std::size_t index) { return static_cast<std::uint8_t>(text[index]); };
  std::uint32_t code = byte(0);
  std::size_t length = 1;
  if (code >= 0xF0) {
    code =
        (code & 7U) << 18U | (byte(1) & 0x3FU) << 12U | (byte(2) & 0x3FU) << 6U | (byte(3) & 0x3FU);
    length = 4;
  } else if (code >= 0xE0) {
    code = (code & 15U) << 12U | (byte(1) & 0x3FU) << 6U | (byte(2) & 0x3FU);
    length = 3;
  } else if (code >= 0xC0) {
    code = (code & 31U) << 6U | (byte(1) & 0x3FU);
    length = 2;
  }
  text.remove_prefix(length);
  return code;
}

/// The part between `&` and `-`.
bool decode_shift(std::string_view shift, std::string& text) {
  std::uint32_t bits = 0;
  std::uint32_t bit_count = 0;
  std::uint32_t high = 0;
  for (const char letter : shift) {
    const std::size_t value = kAlphabet.find(letter);
    if (value == std::string_view::npos) return false;
    bits = bits << 6U | static_cast<std::uint32_t>(value);
    bit_count += 6;
    if (bit_count < 16) continue;
    bit_count -= 16;
    const std::uint32_t unit = bits >> bit_count & 0xFFFFU;
    bits &= (1U << bit_count) - 1;
    if (high != 0) {
      if (unit < 0xDC00 || unit > 0xDFFF) return false;
      append_utf8(text, 0x10000 + ((high - 0xD800) << 10U) + (unit - 0xDC00));
      high = 0;
    } else if (unit >= 0xD800 && unit <= 0xDBFF) {
      high = unit;
    } else if ((unit >= 0xDC00 && unit <= 0xDFFF) || unit == 0) {
      return false;
    } else {
      append_utf8(text, unit);
    }
  }
  return high == 0 && bit_count < 6 && bits == 0;
}

}  // namespace

std::optional<std::string> decode_mailbox_name(std::string_view wire) {
  if (first_invalid_utf8(wire)) return {};
  std::string text;
  while (!wire.empty()) {
    const char letter = wire.front();
    if (letter == '\0' || letter == '\r' || letter == '\n') return {};
    if (letter != '&') {
      text += letter;
      wire.remove_prefix(1);
      continue;
    }
    const std::size_t end = wire.find('-');
    if (end == std::string_view::npos) return {};
    if (end == 1)
      text += '&';
    else if (!decode_shift(wire.substr(1, end - 1), text))
      return {};
    wire.remove_prefix(end + 1);
  }
  return text;
}

std::optional<std::string> encode_mailbox_name(std::string_view utf8) {
  if (first_invalid_utf8(utf8)) return {};
  std::string wire;
  std::uint32_t bits = 0;
  std::uint32_t bit_count = 0;
  bool is_shifted = false;
  const auto end_shift = [&] {
    if (!is_shifted) return;
    if (bit_count > 0) wire += kAlphabet[bits << (6 - bit_count) & 0x3FU];
    wire += '-';
    bits = bit_count = 0;
    is_shifted = false;
  };
  const auto put_unit = [&](std::uint32_t unit) {
    if (!is_shifted) wire += '&';
    is_shifted = true;
    bits = bits << 16U | unit;
    bit_count += 16;
    while (bit_count >= 6) {
      bit_count -= 6;
      wire += kAlphabet[bits >> bit_count & 0x3FU];
    }
    bits &= (1U << bit_count) - 1;
  };
  while (!utf8.empty()) {
    const std::uint32_t code = take_code(utf8);
    if (code >= 0x20 && code < 0x7F) {
      end_shift();
      wire += static_cast<char>(code);
      if (code == '&') wire += '-';
    } else if (code >= 0x10000) {
      put_unit(0xD800 + (code - 0x10000) / 0x400);
      put_unit(0xDC00 + (code - 0x10000) % 0x400);
    } else {
      put_unit(code);
    }
  }
  end_shift();
  return wire;
}

}  // namespace plan::net::imap
