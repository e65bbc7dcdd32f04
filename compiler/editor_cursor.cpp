#include "compiler/editor_cursor.h"

#include <algorithm>

#include "compiler/syntax/language.h"
#include "compiler/syntax/words.h"

namespace plan {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '-'; }

}  // namespace

EditorCursor::EditorCursor(std::string_view file_name, std::string_view text, std::size_t at)
    : is_language_(syntax::is_language_file(file_name)),
      text_(text),
      at_(std::min(at, text.size())) {
  word_begin_ = at_;
  while (word_begin_ > 0 && syntax::is_word_part(text_[word_begin_ - 1])) --word_begin_;
  word_end_ = at_;
  while (word_end_ < text_.size() && syntax::is_word_part(text_[word_end_])) ++word_end_;
  path_begin_ = at_;
  while (path_begin_ > 0 && is_path_char(path_begin_ - 1)) --path_begin_;
  path_end_ = at_;
  while (path_end_ < text_.size() && is_path_char(path_end_)) ++path_end_;
}

std::string_view EditorCursor::word() const {
  return text_.substr(word_begin_, word_end_ - word_begin_);
}

std::string_view EditorCursor::path_word() const {
  return text_.substr(path_begin_, path_end_ - path_begin_);
}

std::string_view EditorCursor::before() const {
  const std::size_t line = line_begin(word_begin_);
  return text_.substr(line, word_begin_ - line);
}

std::string_view EditorCursor::before_path() const {
  const std::size_t line = line_begin(path_begin_);
  return text_.substr(line, path_begin_ - line);
}

bool EditorCursor::is_module() const {
  for (const std::string_view line : split(text_, '\n')) {
    if (line.starts_with("module") || line.starts_with("steps")) return true;
    if (line.starts_with("plan")) return false;
  }
  return false;
}

bool EditorCursor::is_in_expression() const {
  const std::string_view left = before();
  const std::size_t open = left.rfind("${");
  if (open != std::string_view::npos && left.find('}', open) == std::string_view::npos) return true;
  return is_language_ && is_behind_assign(left);
}

std::vector<std::string> EditorCursor::members_before() const {
  std::vector<std::string> names;
  std::string_view left = before();
  while (left.ends_with('.')) {
    left.remove_suffix(1);
    std::size_t begin = left.size();
    while (begin > 0 && syntax::is_word_part(left[begin - 1])) --begin;
    names.insert(names.begin(), std::string(left.substr(begin)));
    left = left.substr(0, begin);
  }
  return names;
}

bool EditorCursor::is_quoted() const {
  return word_begin_ > 0 && (text_[word_begin_ - 1] == '"' || text_[word_begin_ - 1] == '\'');
}

std::optional<ir::StepKind> EditorCursor::kind_of_step() const {
  if (!is_language_) return ir::step_kind_by_name(value_in_step("kind"));
  const std::size_t begin = step_begin();
  if (!begins_step(begin)) return std::nullopt;
  std::string_view head = text_.substr(begin, text_.find('\n', begin) - begin);
  head = trim(head.substr(0, head.rfind('{')));
  return ir::step_kind_by_name(trim(head.substr(head.rfind(':') + 1)));
}

std::vector<std::string> EditorCursor::blocks() const {
  std::vector<std::string> keys;
  std::size_t line = line_begin(word_begin_);
  std::size_t indent = indent_of(line, word_begin_);
  while (line > 0 && indent > 0) {
    line = line_begin(line - 1);
    const std::size_t size = text_.find('\n', line) - line;
    const std::string_view above = text_.substr(line, size);
    const std::size_t column = indent_of(line, line + above.size());
    if (column >= indent || trim(above).empty() || trim(above).starts_with('#')) continue;
    const std::string key = key_of(above);
    if (key.empty()) continue;
    keys.insert(keys.begin(), key);
    indent = column;
  }
  add_braces(before(), keys);
  return keys;
}

bool EditorCursor::begins_step(std::size_t line) const {
  const std::string_view rest = text_.substr(line);
  if (is_language_) return rest.starts_with("step ");
  const std::string_view item = rest.substr(std::min(rest.find_first_not_of(' '), rest.size()));
  return item.starts_with("- id:") || item.starts_with("- {id:");
}

std::size_t EditorCursor::step_begin() const {
  std::size_t begin = line_begin(at_);
  while (begin > 0 && !begins_step(begin)) begin = line_begin(begin - 1);
  return begin;
}

std::string EditorCursor::value_in_step(std::string_view key) const {
  std::size_t line = step_begin();
  do {
    const std::size_t end = std::min(text_.find('\n', line), text_.size());
    if (std::string value = value_in(text_.substr(line, end - line), key); !value.empty())
      return value;
    line = end + 1;
  } while (line < text_.size() && !begins_step(line));
  return {};
}

std::string EditorCursor::value_in(std::string_view line, std::string_view key) {
  for (std::size_t at = line.find(key); at != std::string_view::npos; at = line.find(key, at + 1)) {
    if (at > 0 && syntax::is_word_part(line[at - 1])) continue;
    std::string_view rest = trim(line.substr(at + key.size()));
    if (!rest.starts_with(':') && !rest.starts_with('=')) continue;
    rest = trim(rest.substr(1));
    if (rest.starts_with('"') || rest.starts_with('\'')) rest.remove_prefix(1);
    std::size_t end = 0;
    while (end < rest.size() && (syntax::is_path_part(rest[end]) || rest[end] == ':')) ++end;
    return std::string(rest.substr(0, end));
  }
  return {};
}

bool EditorCursor::is_behind_assign(std::string_view line) {
  std::string open;
  bool is_value = false;
  bool is_in_text = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (c == '"') is_in_text = !is_in_text;
    if (is_in_text) {
      i += c == '\\' ? 1 : 0;
      continue;
    }
    if (c == '{' || c == '[' || c == '(') open += c;
    if ((c == '}' || c == ']' || c == ')') && !open.empty()) open.pop_back();
    if (c == '=') is_value = true;
    if (c == '{' || (c == ',' && open.ends_with('{'))) is_value = false;
  }
  return is_value && !is_in_text;
}

std::string EditorCursor::key_before(std::string_view left) {
  while (!left.empty() && (left.back() == ' ' || left.back() == '"')) left.remove_suffix(1);
  if (left.empty() || (left.back() != ':' && left.back() != '=')) return {};
  left.remove_suffix(1);
  left = trim(left);
  if (left.ends_with('"') && left.size() > 1) {
    const std::size_t open = left.rfind('"', left.size() - 2);
    if (open == std::string_view::npos) return {};
    return std::string(left.substr(open + 1, left.size() - open - 2));
  }
  std::size_t begin = left.size();
  while (begin > 0 && syntax::is_word_part(left[begin - 1])) --begin;
  return std::string(left.substr(begin));
}

bool EditorCursor::is_path_char(std::size_t i) const {
  return syntax::is_path_part(text_[i]) || text_.substr(i, 2) == "{}" ||
         (i > 0 && text_.substr(i - 1, 2) == "{}");
}

std::size_t EditorCursor::line_begin(std::size_t at) const {
  while (at > 0 && text_[at - 1] != '\n') --at;
  return at;
}

std::size_t EditorCursor::indent_of(std::size_t line, std::size_t end) const {
  std::size_t at = line;
  while (at < end && at < text_.size() && is_blank(text_[at])) ++at;
  return at - line;
}

std::string EditorCursor::key_of(std::string_view line) {
  while (!line.empty() && is_blank(line.front())) line.remove_prefix(1);
  std::size_t end = 0;
  while (end < line.size() && syntax::is_word_part(line[end])) ++end;
  const std::string_view rest = trim(line.substr(end));
  const bool is_key = rest.starts_with(':') || rest.starts_with('=') || rest.starts_with('{');
  return is_key ? std::string(line.substr(0, end)) : std::string();
}

void EditorCursor::add_braces(std::string_view line, std::vector<std::string>& keys) {
  std::vector<std::string> open;
  for (std::size_t i = 0; i < line.size(); ++i) {
    if (line[i] == '{' && (i == 0 || line[i - 1] != '$')) {
      std::string_view left = trim(line.substr(0, i));
      while (!left.empty() && (left.back() == ':' || left.back() == '=')) {
        left.remove_suffix(1);
        left = trim(left);
      }
      std::size_t begin = left.size();
      while (begin > 0 && syntax::is_word_part(left[begin - 1])) --begin;
      open.emplace_back(left.substr(begin));
    } else if (line[i] == '}' && !open.empty()) {
      open.pop_back();
    }
  }
  // The `-` of a list's item is no key.
  for (std::string& key : open) {
    if (syntax::is_word(key)) keys.push_back(std::move(key));
  }
}

}  // namespace plan
