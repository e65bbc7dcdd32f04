#include "compiler/keys_beside.h"

#include <algorithm>
#include <vector>

#include "compiler/source/text.h"
#include "compiler/syntax/words.h"

namespace plan {
namespace {

/// YAML.
class Beside {
 public:
  Beside(std::string_view text, std::size_t at) : text_(text), at_(std::min(at, text.size())) {}

  std::set<std::string> keys() {
    const std::size_t own = line_begin(at_);
    if (const std::size_t brace = open_brace(own); brace != std::string_view::npos) {
      take_braces(brace + 1);
      return std::move(keys_);
    }
    indent_ = indent_of(own, at_);
    for (std::size_t line = own; line > 0 && !is_item(line);) {
      line = line_begin(line - 1);
      if (!take(line)) break;
    }
    for (std::size_t end = line_end(own); end + 1 < text_.size(); end = line_end(end + 1)) {
      const std::size_t line = end + 1;
      const bool is_next = is_item(line) && indent_of(line, text_.size()) == indent_;
      if (is_next || !take(line)) break;
    }
    return std::move(keys_);
  }

 private:
  [[nodiscard]] std::size_t line_begin(std::size_t at) const {
    while (at > 0 && text_[at - 1] != '\n') --at;
    return at;
  }
  [[nodiscard]] std::size_t line_end(std::size_t at) const {
    return std::min(text_.find('\n', at), text_.size());
  }
  /// Where the words of a line begin; the `-` of an item stands in front of them.
  [[nodiscard]] std::size_t indent_of(std::size_t line, std::size_t end) const {
    std::size_t at = line;
    while (at < end && at < text_.size() && (text_[at] == ' ' || text_[at] == '-')) ++at;
    return at - line;
  }
  [[nodiscard]] bool is_item(std::size_t line) const {
    return trim(text_.substr(line, line_end(line) - line)).starts_with('-');
  }

  /// Adds the key of a line; false: the mapping ends there.
  bool take(std::size_t line) {
    const std::string_view words = trim(text_.substr(line, line_end(line) - line));
    const std::size_t column = indent_of(line, line_end(line));
    if (words.empty() || words.starts_with('#') || column > indent_) return true;
    if (column < indent_) return false;
    std::size_t end = line + column;
    while (end < text_.size() && syntax::is_word_part(text_[end])) ++end;
    if (end < text_.size() && text_[end] == ':')
      keys_.emplace(text_.substr(line + column, end - line - column));
    return true;
  }

  [[nodiscard]] std::size_t open_brace(std::size_t line) const {
    std::vector<std::size_t> open;
    for (std::size_t i = line; i < at_; ++i) {
      if (text_[i] == '{') open.push_back(i);
      if (text_[i] == '}' && !open.empty()) open.pop_back();
    }
    return open.empty() ? std::string_view::npos : open.back();
  }
  void take_braces(std::size_t begin) {
    std::size_t depth = 0;
    for (std::size_t i = begin; i < line_end(begin); ++i) {
      if (text_[i] == '}' && depth == 0) return;
      if (text_[i] == '{' || text_[i] == '[') ++depth;
      if ((text_[i] == '}' || text_[i] == ']') && depth > 0) --depth;
      if (depth != 0 || text_[i] != ':') continue;
      std::size_t word = i;
      while (word > begin && syntax::is_word_part(text_[word - 1])) --word;
      if (word != i && word != at_) keys_.emplace(text_.substr(word, i - word));
    }
  }

  std::string_view text_;
  std::size_t at_;
  std::size_t indent_ = 0;
  std::set<std::string> keys_;
};

/// The plan language: blocks are what stands between braces, and the file itself.
class BesideInLanguage {
 public:
  BesideInLanguage(std::string_view text, std::size_t at)
      : text_(text), at_(std::min(at, text.size())) {}

  std::set<std::string> keys() {
    std::vector<std::size_t> open;
    for (std::size_t i = 0; i < at_;) {
      if (is_opening(text_[i])) open.push_back(i);
      if (is_closing(text_[i]) && !open.empty()) open.pop_back();
      i = behind(i);
    }
    if (!open.empty() && text_[open.back()] != '{') return {};
    take(open.empty() ? 0 : open.back() + 1);
    return std::move(keys_);
  }

 private:
  static bool is_opening(char c) { return c == '{' || c == '[' || c == '('; }
  static bool is_closing(char c) { return c == '}' || c == ']' || c == ')'; }

  /// Behind the text, the comment or the single character that begins there. A text that nobody has
  /// closed yet ends with its line.
  [[nodiscard]] std::size_t behind(std::size_t i) const {
    const char first = text_[i];
    if (first != '"' && first != '\'' && first != '#') return i + 1;
    for (++i; i < text_.size() && text_[i] != '\n'; ++i) {
      if (first == '"' && text_[i] == '\\' && i + 1 < text_.size() && text_[i + 1] != '\n') {
        ++i;
      } else if (first != '#' && text_[i] == first) {
        return i + 1;
      }
    }
    return i;
  }

  void take(std::size_t begin) {
    std::size_t depth = 0;
    bool may_begin = true;  // an entry may begin here
    for (std::size_t i = begin; i < text_.size();) {
      const char c = text_[i];
      if (is_closing(c) && depth-- == 0) return;
      if (is_opening(c)) ++depth;
      if (depth == 0 && may_begin && syntax::is_word_part(c)) {
        std::size_t end = i;
        while (end < text_.size() && syntax::is_word_part(text_[end])) ++end;
        if (i != at_ && is_assigned(end)) keys_.emplace(text_.substr(i, end - i));
        i = end;
        may_begin = false;
        continue;
      }
      const bool is_blank = c == ' ' || c == '\t' || c == '\r';
      if (!is_blank) may_begin = c == '\n' || c == ',' || c == '"' || c == '\'' || is_closing(c);
      i = behind(i);
    }
  }
  /// Behind a key: `= value` or a block.
  [[nodiscard]] bool is_assigned(std::size_t end) const {
    end = std::min(text_.find_first_not_of(" \t", end), text_.size());
    const std::string_view rest = text_.substr(end);
    return rest.starts_with('{') || (rest.starts_with('=') && !rest.starts_with("=="));
  }

  std::string_view text_;
  std::size_t at_;
  std::set<std::string> keys_;
};

}  // namespace

std::set<std::string> keys_beside(std::string_view text, std::size_t at, bool is_language) {
  return is_language ? BesideInLanguage(text, at).keys() : Beside(text, at).keys();
}

}  // namespace plan
