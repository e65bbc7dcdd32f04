#include "compiler/syntax/words.h"

#include <algorithm>
#include <array>

namespace plan::syntax {
namespace {

constexpr std::array<std::string_view, 5> kStatements = {"module", "use", "input", "let", "step"};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

}  // namespace

bool is_word_begin(char c) { return is_letter(c) || c == '_'; }
bool is_word_part(char c) { return is_word_begin(c) || is_digit(c) || c == '-'; }
bool is_path_part(char c) { return is_word_part(c) || c == '.' || c == '/' || c == '@'; }

bool is_word(std::string_view text) {
  return !text.empty() && is_word_begin(text.front()) &&
         std::all_of(text.begin(), text.end(), is_word_part);
}

bool is_name(std::string_view text) {
  return is_word(text) && text.find('-') == std::string_view::npos;
}

bool is_path(std::string_view text) {
  if (text.empty()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with("{}")) {
      ++i;
    } else if (!is_path_part(text[i])) {
      return false;
    }
  }
  return true;
}

bool is_tag(std::string_view text) {
  return text.size() > 1 && text.front() == '!' &&
         std::all_of(text.begin() + 1, text.end(),
                     [](char c) { return is_path_part(c) || c == '!' || c == ':'; });
}

bool is_statement_word(std::string_view text) {
  return std::find(kStatements.begin(), kStatements.end(), text) != kStatements.end();
}

std::string escape_template(std::string_view text) {
  std::string escaped;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text.substr(i).starts_with("${")) escaped += '$';
    escaped += text[i];
  }
  return escaped;
}

}  // namespace plan::syntax
