#include "compiler/facts/lock_text.h"

#include <algorithm>

#include "compiler/source/text.h"

namespace plan::facts {
namespace {

constexpr std::string_view kHexDigits = "0123456789ABCDEF";

int hex_value(char c) {
  const std::size_t at = kHexDigits.find(c);
  return at == std::string_view::npos ? -1 : static_cast<int>(at);
}

}  // namespace

bool has_negative(const ir::Value& value) {
  if (value.is_number()) return value.number_or(0) < 0;
  return std::any_of(value.items().begin(), value.items().end(), has_negative) ||
         std::any_of(value.members().begin(), value.members().end(),
                     [](const auto& member) { return has_negative(member.second); });
}

std::string escape_word(std::string_view text) {
  if (text.empty()) return "%";
  const bool is_utf8 = !first_invalid_utf8(text).has_value();
  std::string word;
  word.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool is_plain =
        byte > 0x20 && byte != 0x7F && c != '%' && c != ',' && (byte < 0x80 || is_utf8);
    if (is_plain) {
      word += c;
    } else {
      word += '%';
      word += kHexDigits[byte >> 4U];
      word += kHexDigits[byte & 0x0FU];
    }
  }
  return word;
}

std::optional<std::string> unescape_word(std::string_view word) {
  if (word == "%") return std::string();
  if (word.empty()) return std::nullopt;
  std::string text;
  text.reserve(word.size());
  bool has_escape = false;
  for (std::size_t i = 0; i < word.size(); ++i) {
    const auto byte = static_cast<unsigned char>(word[i]);
    if (byte <= 0x20 || byte == 0x7F || word[i] == ',') return std::nullopt;
    if (word[i] != '%') {
      text += word[i];
      continue;
    }
    if (i + 2 >= word.size()) return std::nullopt;
    const int high = hex_value(word[i + 1]);
    const int low = hex_value(word[i + 2]);
    if (high < 0 || low < 0) return std::nullopt;
    text += static_cast<char>(high * 16 + low);
    has_escape = true;
    i += 2;
  }
  if (has_escape && escape_word(text) != word) return std::nullopt;
  return text;
}

std::string escape_list(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) {
    if (!text.empty()) text += ',';
    text += escape_word(word);
  }
  return text;
}

std::optional<std::vector<std::string>> unescape_list(std::string_view text) {
  std::vector<std::string> words;
  if (text.empty()) return words;
  for (const std::string_view part : split(text, ',')) {
    auto word = unescape_word(part);
    if (!word) return std::nullopt;
    words.push_back(std::move(*word));
  }
  return words;
}

}  // namespace plan::facts
