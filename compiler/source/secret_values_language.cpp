#include "compiler/source/secret_finder.h"

#include <algorithm>
#include <array>

#include "compiler/source/secret_names.h"
#include "compiler/source/text.h"

// Values behind the keys of secrets in the plan language: expressions, and what was meant to be
// one.
namespace plan {
namespace {

constexpr std::size_t kPathMax = 120;
// What may stand in an expression whose value is a secret, beside the names of secrets.
constexpr std::array<std::string_view, 9> kWords = {"true", "false",  "null",     "for", "in",
                                                    "lock", "tagged", "numbered", "if"};
// First parts of names that a plan and its rows have: `account.password`.
constexpr std::array<std::string_view, 13> kRoots = {
    "account",  "accounts", "addresses", "source", "target", "move",    "cutover",
    "finalize", "prior",    "domain",    "wave",   "list",   "throttle"};
// Types of inputs, as compiler/syntax has them.
constexpr std::array<std::string_view, 16> kTypes = {
    "any",    "boolean", "integer", "number",  "duration", "size", "text", "address",
    "domain", "host",    "ip",      "network", "url",      "list", "map",  "rows"};

template <class List>
bool has(const List& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

}  // namespace

void SecretFinder::find_declared_names() {
  for (std::size_t begin = 0; begin < text_.size(); begin = line_end(begin) + 1) {
    const std::size_t end = line_end(begin);
    std::size_t at = past_blanks(begin);
    const std::string_view line = text_.substr(at, end - at);
    std::size_t word = kNone;
    if (line.starts_with("let ") || line.starts_with("for ")) word = at + 4;
    if (line.starts_with("input ")) word = at + 6;
    if (line.starts_with("step ")) {
      const std::size_t row = line.find(" for ");
      if (row != kNone) word = at + row + 5;
    }
    if (word == kNone) continue;
    word = past_blanks(word);
    if (const std::size_t last = past_word(word); last > word)
      declared_.insert(text_.substr(word, last - word));
  }
}

bool SecretFinder::is_known_name(std::string_view path) const {
  if (path.size() > kPathMax) return false;
  if (has(kWords, path) || is_near_name(lower_ascii(path), "secret")) return true;
  const std::size_t dot = path.find('.');
  const std::string_view first = path.substr(0, dot);
  return declared_.contains(first) || (dot != kNone && has(kRoots, first));
}

bool SecretFinder::is_function(std::size_t begin, std::size_t end) const {
  return peek(end) == '(' && end - begin <= kNameMax &&
         std::all_of(text_.begin() + static_cast<std::ptrdiff_t>(begin),
                     text_.begin() + static_cast<std::ptrdiff_t>(end),
                     [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
}

bool SecretFinder::is_shown(std::size_t begin, std::size_t end) const {
  return is_function(begin, end) || is_known_name(text_.substr(begin, end - begin));
}

void SecretFinder::expression(std::size_t begin, std::size_t end) {
  std::size_t at = begin;
  while (at < end) {
    if (is_word(text_[at])) {
      const std::size_t last = std::min(past_name(at), end);
      if (!is_shown(at, last)) place(at, last);
      at = last;
    } else if (is_quote(text_[at])) {
      const std::size_t close = std::min(text_.substr(0, end).find(text_[at], at + 1), end);
      place(at + 1, close);
      at = std::min(close + 1, end);
    } else {
      const std::size_t first = at;
      while (at < end && !is_word(text_[at]) && !is_quote(text_[at])) ++at;
      if (text_.substr(first, at - first).find_first_not_of(" \t\r\n.()[]!=<>&|?:,") != kNone)
        place(first, at);
    }
  }
}

void SecretFinder::input_value(std::size_t at, bool is_secret) {
  while (true) {
    at = past_blanks(at);
    if (at < text_.size() && std::string_view("(),?").find(text_[at]) != kNone) {
      ++at;
      continue;
    }
    const std::size_t end = past_word(at);
    const std::string type = lower_ascii(text_.substr(at, std::min(end - at, kNameMax)));
    if (is_near_name(type, "secret")) is_secret = true;
    const bool is_type = is_near_name(type, "secret") || has(kTypes, type) ||
                         std::any_of(kTypes.begin(), kTypes.end(), [&](std::string_view known) {
                           return is_near_name(type, known);
                         });
    if (end == at || !is_type) break;
    at = end;
  }
  at_ = std::max(at, at_);
  if (!is_secret || peek(at) == '\n' || peek(at) == '#') return;
  const std::size_t indent = indentation(at);
  if (peek(at) == '=') at = past_blanks(at + 1);
  language_value(at, indent, {});
}

std::size_t SecretFinder::in_next_line(std::size_t end, std::size_t indent) const {
  if (end >= text_.size()) return kNone;
  const std::size_t begin = end + 1;
  const std::size_t first = past_blanks(begin);
  const char c = peek(first);
  if (c == '\n' || is_entry(first)) return kNone;
  return is_quote(c) || first - begin > indent ? first : kNone;
}

void SecretFinder::language_value(std::size_t at, std::size_t indent, Shape shape) {
  if (peek(at) == '\n') {
    const std::size_t next = shape.is_scalar_only ? kNone : in_next_line(at, indent);
    if (next == kNone) {
      at_ = std::max(at, at_);
      return;
    }
    at = next;
  }
  bool is_reference = false;
  std::size_t depth = 0;
  const std::size_t begin = at;
  while (at < text_.size()) {
    const char c = text_[at];
    if (c == '\n' || (c == '#' && at > begin)) break;
    if (depth == 0 && (c == ',' || c == '}' || c == ']')) break;
    const bool is_list = c == '[' && at == begin;
    if (c == '{' || is_list) {
      if (shape.is_scalar_only) break;
      bracket(at, indent);
      at = at_;
      if (is_list) break;
    } else if (is_quote(c)) {
      const std::size_t end = closing(at, line_end(at));
      const std::size_t close = end == kNone ? line_end(at) : end;
      if (is_reference && says_where(text_.substr(at + 1, close - at - 1)))
        reference(at + 1, close);
      else
        add(at + 1, close);
      at = end == kNone ? close : end + 1;
      is_reference = false;
    } else if (is_word(c)) {
      const std::size_t end = past_name(at);
      if (!is_shown(at, end) && !(depth > 0 && end - at <= 2)) {
        at = rest(at);
        break;
      }
      is_reference =
          is_near_name(lower_ascii(text_.substr(at, std::min(end - at, kNameMax))), "secret");
      at = end;
    } else if (is_blank(c)) {
      ++at;
    } else if (std::string_view("()[]!=<>&|?:.,}").find(c) != kNone) {
      if (c == '(' || c == '[') ++depth;
      if ((c == ')' || c == ']') && depth > 0) --depth;
      is_reference = false;
      ++at;
    } else {
      at = rest(at);
      break;
    }
  }
  at_ = std::max(at, at_);
}

std::size_t SecretFinder::rest(std::size_t at) {
  const std::size_t end = std::max(bare_end(at, false), at + 1);
  add(at, end);
  return end;
}

}  // namespace plan
