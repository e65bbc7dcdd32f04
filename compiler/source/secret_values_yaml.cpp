#include "compiler/source/secret_finder.h"

#include <algorithm>
#include <array>

#include "compiler/source/secret_names.h"
#include "compiler/source/text.h"

// Values behind the keys of secrets in YAML and JSON.
namespace plan {
namespace {

// Members beside a secret that say what kind of one it is and where it is read.
constexpr std::array<std::string_view, 3> kOpenMembers = {"@type", "variableName", "filePath"};

template <class List>
bool has(const List& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

}  // namespace

void SecretFinder::value(std::size_t at, Shape shape) {
  const std::size_t indent = indentation(at);
  at = past_blanks(at);
  if (is_language_) return language_value(at, indent, shape);
  bool is_reference = false;
  std::size_t tag = kNone;
  while (peek(at) == '!') {
    tag = at + 1;
    const std::size_t end = past_word(peek(at + 1) == '!' ? at + 2 : at + 1);
    is_reference = is_near_name(lower_ascii(text_.substr(at + 1, std::min(end - at - 1, kNameMax))),
                                "secret") ||
                   text_.substr(at, end - at) == "!lock";
    at = past_blanks(end);
  }
  at_ = at;
  const char c = peek(at);
  if (is_quote(c)) {
    const std::size_t end = closing(at, text_.size());
    const std::size_t close = end == kNone ? line_end(at) : end;
    const bool is_open = is_reference && says_where(text_.substr(at + 1, close - at - 1));
    if (is_open)
      reference(at + 1, close);
    else
      add(at + 1, close);
    at_ = std::min(close + 1, text_.size());
    // A quote in a secret ends it too early.
    const std::size_t behind = past_blanks(at_);
    if (end == kNone || behind >= text_.size() ||
        std::string_view("\n,}]#:=").find(text_[behind]) != kNone)
      return;
    const std::size_t rest = bare_end(behind, shape.ends_at_comma);
    add(behind, rest);
    at_ = std::max(rest, at_);
    return;
  }
  if (c == '[' || c == '{') {
    if (!shape.is_scalar_only) bracket(at, indent);
    return;
  }
  const bool is_block = flow_.empty() && is_block_header(at);
  if (c != '\n' && !is_block) {
    // An anchor or an alias, of which a plan has none: the sign is shown, what it names is not.
    const std::size_t first = c == '&' || c == '*' ? at + 1 : at;
    const std::size_t end = std::max(bare_end(at, shape.ends_at_comma), first);
    const std::string_view given = trim(text_.substr(first, end - first));
    if (given.empty() && tag != kNone && !is_reference) add(tag, past_word(tag));
    const bool is_open = (is_reference && (says_where(given) || given == "certificate")) ||
                         (shape.is_scalar_only && (given.starts_with("# ") || given == "#"));
    if (is_open)
      reference(first, end);
    else if (given != "null" && given != "~")
      add(first, end);
    at_ = std::max(end, at_);
    if ((is_open && c != '#') || end < line_end(at)) return;
  }
  if (!shape.is_scalar_only || is_block) below(line_end(at), indent);
}

void SecretFinder::reference(std::size_t begin, std::size_t end) {
  constexpr std::string_view kCommand = "command:";
  const std::string_view given = text_.substr(begin, std::max(begin, end) - begin);
  if (!given.starts_with(kCommand)) return;
  begin += kCommand.size();
  for (const SecretOfWord& secret : CommandWords().take(given.substr(kCommand.size())))
    add(begin + secret.begin, begin + secret.end);
}

bool SecretFinder::is_block_header(std::size_t at) const {
  if (peek(at) != '|' && peek(at) != '>') return false;
  std::size_t end = at + 1;
  while (end < at + 3 && std::string_view("+-123456789").find(peek(end)) != kNone) ++end;
  const std::size_t behind = past_blanks(end);
  return peek(behind) == '\n' || (peek(behind) == '#' && behind > end);
}

bool SecretFinder::is_entry(std::size_t at) const {
  const std::size_t most = std::min(at + kNameMax + 2, text_.size());
  if (std::string_view("\n}])#").find(peek(at)) != kNone) return true;
  const bool is_quoted = is_quote(peek(at));
  std::size_t end = is_quoted ? at + 1 : at;
  while (end < most && (is_quoted ? text_[end] != text_[at] : is_word(text_[end]))) ++end;
  if (end == most || end == at) return false;
  if (is_quoted) ++end;
  const std::size_t sign = past_blanks(end);
  const char c = peek(sign);
  if (c == ':') return is_quoted || is_space(peek(sign + 1)) || is_quote(peek(sign + 1));
  return is_language_ && (c == '=' || c == '{') && (sign > end || is_quoted);
}

bool SecretFinder::is_close(std::size_t at) const {
  return std::string_view(",}])#\n").find(peek(past_blanks(at + 1))) != kNone;
}

std::size_t SecretFinder::bare_end(std::size_t at, bool ends_at_comma) const {
  const bool is_block = !is_language_ && flow_.empty();
  bool is_open = false;  // a `${` that nothing closes
  for (std::size_t i = at; i < text_.size(); ++i) {
    const char c = text_[i];
    if (c == '\n' || (c == '#' && i > at && is_blank(text_[i - 1]))) return i;
    if (is_block) continue;
    if (!is_open && text_.substr(i, 2) == "${") {
      const std::size_t close = text_.find_first_of("}\n", i);
      is_open = close == kNone || text_[close] != '}';
      if (!is_open) i = close;
    } else if (c == ',') {
      if (ends_at_comma || is_entry(past_blanks(i + 1))) return i;
    } else if (c == '}' || c == ']') {
      if (ends_at_comma || is_close(i)) return i;
    }
  }
  return text_.size();
}

void SecretFinder::below(std::size_t at, std::size_t indent) {
  while (at < text_.size()) {
    const std::size_t begin = at + 1;
    const std::size_t end = line_end(begin);
    std::size_t first = past_blanks(begin);
    if (first < end) {
      const bool is_item = text_.substr(first, 2) == "- ";
      if (first - begin < indent + (is_item ? 0 : 1)) return;
      while (text_.substr(first, 2) == "- ") first = past_blanks(first + 2);
      const std::size_t word_end = past_word(first);
      const bool is_key = word_end > first && peek(word_end) == ':' &&
                          (peek(word_end + 1) == ' ' || word_end + 1 >= end);
      if (is_key) first = past_blanks(word_end + 1);
      std::string_view given = text_.substr(first, end - std::min(first, end));
      if (given.starts_with("!secret ")) given = trim(given.substr(8));
      if (is_quote(given.empty() ? ' ' : given.front())) given.remove_prefix(1);
      if (!says_where(given)) add(first, end);
    }
    at = end;
    at_ = end;
  }
}

std::size_t SecretFinder::bracket_end(std::size_t at, std::size_t indent) const {
  std::size_t depth = 0;
  for (std::size_t i = at; i < text_.size(); ++i) {
    const char c = text_[i];
    if (is_quote(c) && !is_word(text_[i - 1])) {
      const std::size_t close = closing(i, line_end(i));
      if (close != kNone) i = close;
    } else if (c == '[' || c == '{') {
      ++depth;
    } else if (c == ']' || c == '}') {
      if (--depth == 0) return i + 1;
    } else if (c == '\n') {
      const std::size_t first = past_blanks(i + 1);
      const char begins = peek(first);
      if (begins != '\n' && begins != ']' && begins != '}' && first - i - 1 <= indent) return i;
    }
  }
  return text_.size();
}

void SecretFinder::bracket(std::size_t at, std::size_t indent) {
  const std::size_t end = bracket_end(at, indent);
  std::string_view key;
  bool is_reference = false;
  std::size_t i = at;
  while (i < end) {
    const char c = text_[i];
    if (c == ',' || c == '[' || c == ']' || c == '{' || c == '}' || c == '\n') {
      if (c == ',' || c == '}') key = {};
      is_reference = false;
      ++i;
      continue;
    }
    if (c == ' ' || c == '\t' || c == '\r' || c == ':' || c == '=') {
      ++i;
      continue;
    }
    std::size_t first = i;
    std::size_t last = i;
    const std::size_t close = is_quote(c) ? closing(i, line_end(i)) : kNone;
    if (close != kNone) {
      first = i + 1;
      last = close;
      i = close + 1;
    } else if (c == '!') {
      i = past_word(i + 1);
      is_reference = is_near_name(
          lower_ascii(text_.substr(first + 1, std::min(i - first - 1, kNameMax))), "secret");
      continue;
    } else {
      while (last < end && std::string_view(",[]{}\n").find(text_[last]) == kNone &&
             !(text_[last] == ':' && (peek(last + 1) == ' ' || is_quote(peek(last + 1)))) &&
             !(is_language_ && (is_quote(text_[last]) || text_[last] == '=')))
        ++last;
      i = std::max(last, first + 1);
      last = i;
    }
    const std::string_view given = text_.substr(first, last - first);
    const std::size_t behind = past_blanks(i);
    if (behind < end && (text_[behind] == ':' || (is_language_ && text_[behind] == '='))) {
      key = trim(given);
      continue;
    }
    if (is_language_ && close == kNone) {
      is_reference = is_near_name(lower_ascii(trim(given).substr(0, kNameMax)), "secret");
      if (!has(kOpenMembers, key)) expression(first, last);
      continue;
    }
    if (is_reference && says_where(given))
      reference(first, last);
    else if (!has(kOpenMembers, key))
      add(first, last);
    is_reference = false;
  }
  at_ = std::max(end, at_);
}

}  // namespace plan
