#include "compiler/source/secret_places.h"

#include <algorithm>
#include <array>

#include "compiler/source/secret_finder.h"
#include "compiler/source/secret_names.h"
#include "compiler/source/text.h"

namespace plan {
namespace {

// So many quotes of a line are looked at to its end in vain: it may be as long as the file.
constexpr std::size_t kUnclosedMax = 16;
// Keys of commands, whose words are a list.
constexpr std::array<std::string_view, 7> kCommandNames = {"run",   "undo",    "command", "stop",
                                                           "start", "running", "ready"};

template <class List>
bool has(const List& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

}  // namespace

std::vector<SecretPlace> SecretFinder::find() {
  if (is_language_) find_declared_names();
  begin_line(0);
  while (at_ < text_.size()) step();
  find_urls();
  std::sort(places_.begin(), places_.end(), [](const SecretPlace& a, const SecretPlace& b) {
    return a.begin != b.begin ? a.begin < b.begin : a.end > b.end;
  });
  std::vector<SecretPlace> joined;
  for (const SecretPlace& place : places_) {
    if (joined.empty() || place.begin > joined.back().end)
      joined.push_back(place);
    else
      joined.back().end = std::max(joined.back().end, place.end);
  }
  return joined;
}

std::size_t SecretFinder::line_end(std::size_t at) const {
  if (at < end_known_from_ || at > end_known_) {
    end_known_from_ = at;
    end_known_ = std::min(text_.find('\n', at), text_.size());
  }
  return end_known_;
}

std::size_t SecretFinder::line_begin(std::size_t at) const {
  if (at < begin_known_at_) begin_known_ = begin_known_at_ = 0;
  for (; begin_known_at_ < at; ++begin_known_at_) {
    if (text_[begin_known_at_] == '\n') begin_known_ = begin_known_at_ + 1;
  }
  return begin_known_;
}

std::size_t SecretFinder::closing(std::size_t at, std::size_t end) const {
  const char quote = text_[at];
  Unclosed& unclosed = quote == '"' ? double_ : single_;
  if (unclosed.end != end) unclosed = {end, 0};
  if (unclosed.count == kUnclosedMax) return kNone;
  for (std::size_t i = at + 1; i < end; ++i) {
    if (text_[i] == '\\' && quote == '"')
      ++i;
    else if (text_[i] == quote) {
      if (quote == '\'' && !is_language_ && i + 1 < end && text_[i + 1] == '\'')
        ++i;
      else
        return i;
    }
  }
  ++unclosed.count;
  return kNone;
}

bool SecretFinder::says_where(std::string_view value) {
  for (const std::string_view provider : {"env:", "file:", "command:"}) {
    if (value.starts_with(provider)) return true;
  }
  return false;
}

bool SecretFinder::begins_line_with(std::size_t at, std::string_view word) const {
  const std::size_t begin = first_of_line(at);
  return text_.substr(begin, word.size()) == word && begin + word.size() < text_.size() &&
         is_blank(text_[begin + word.size()]);
}

bool SecretFinder::is_key_place(std::size_t begin) const {
  std::size_t at = begin;
  while (at > 0 && is_blank(text_[at - 1])) --at;
  if (at == 0) return true;
  const char c = text_[at - 1];
  if (c == '\n' || c == '{' || c == ',') return true;
  const bool is_apart = at < begin;
  if (c == '-' && is_apart) return at == 1 || is_space(text_[at - 2]);
  const std::string_view front = text_.substr(0, at);
  return is_language_ && is_apart && (front.ends_with("let") || front.ends_with("input"));
}

void SecretFinder::step() {
  const char c = text_[at_];
  if (c == '\n') {
    begin_line(at_ + 1);
    ++at_;
  } else if (c == '#' && (at_ == 0 || is_space(text_[at_ - 1]))) {
    is_comment_ = true;
    ++at_;
  } else if (is_quote(c) && (at_ == 0 || !is_word(text_[at_ - 1]))) {
    quoted();
  } else if (c == '!') {
    const std::size_t end = past_word(at_ + 1);
    const std::string tag = lower_ascii(text_.substr(at_ + 1, std::min(end - at_ - 1, kNameMax)));
    if (past_blanks(end) > end && is_near_name(tag, "secret"))
      value(at_, {});
    else
      at_ = end;
  } else if (is_word(c)) {
    const std::size_t begin = at_;
    const std::size_t end = past_word(at_);
    at_ = end;
    word(text_.substr(begin, end - begin), begin, end);
  } else {
    if (c == '{' || c == '[') {
      flow_ += c;
      command_ = {};
      if (c == '[') command_word(at_ + 1);
    } else if (c == '}' || c == ']') {
      if (!flow_.empty()) flow_.pop_back();
      command_ = {};
    } else if (c == ',' && (flow_.empty() || flow_.back() == '[')) {
      command_word(at_ + 1);
    }
    ++at_;
  }
}

void SecretFinder::begin_line(std::size_t begin) {
  const bool goes_on = begin > 0 && last_of_line(begin - 1);
  flow_.clear();
  is_comment_ = false;
  const std::size_t first = past_blanks(begin);
  const char c = peek(first);
  if (c == '#' || c == '\n') return;
  if (c == '-' && is_blank(peek(first + 1))) return command_word(first + 1, true);
  if (!goes_on) command_ = {};
  if (goes_on) command_word(begin);
}

bool SecretFinder::last_of_line(std::size_t end) const {
  while (end > 0 && is_blank(text_[end - 1])) --end;
  return end > 0 && (text_[end - 1] == ',' || text_[end - 1] == '[');
}

void SecretFinder::command_word(std::size_t at, bool is_line) {
  at = past_blanks(at);
  if (at >= text_.size() || text_[at] == '\n') return;
  std::size_t end = is_quote(text_[at]) ? closing(at, line_end(at)) : kNone;
  if (end != kNone) {
    ++at;
  } else if (is_line) {
    end = line_end(at);
  } else {
    end = std::min(text_.find_first_of(",[]{}\n", at), text_.size());
    if (is_quote(text_[at])) ++at;
  }
  while (end > at && is_blank(text_[end - 1])) --end;
  if (end <= at) return;
  for (const SecretOfWord& secret : command_.take(text_.substr(at, end - at)))
    add(at + secret.begin, at + secret.end);
}

void SecretFinder::command_line(std::size_t at) {
  at = past_blanks(at);
  if (at < command_line_end_ || at >= text_.size() || text_[at] == '[' || text_[at] == '\n') return;
  command_line_end_ = line_end(at);
  if (is_quote(text_[at])) ++at;
  for (const SecretOfWord& secret :
       CommandWords().take(text_.substr(at, command_line_end_ - std::min(at, command_line_end_))))
    add(at + secret.begin, at + secret.end);
}

void SecretFinder::quoted() {
  const std::size_t end = closing(at_, line_end(at_));
  if (end == kNone) {
    ++at_;
    return;
  }
  const std::size_t begin = at_ + 1;
  const std::string_view content = text_.substr(begin, end - begin);
  at_ = end + 1;
  const std::size_t equals = content.find('=');
  if (content.starts_with("--") && equals != kNone && is_secret_name(content.substr(2, equals - 2)))
    add(begin + equals + 1, end);
  word(content, begin - 1, at_);
}

void SecretFinder::word(std::string_view name, std::size_t begin, std::size_t end) {
  std::size_t at = past_blanks(end);
  if (at >= text_.size()) return;
  const char c = text_[at];
  if (c == ':' || c == '=') {
    if (has(kCommandNames, name)) command_line(at + 1);
    const bool is_scalar = is_scalar_secret_name(name);
    // `step key : KIND {`, `input key : TYPE = "..."`
    const bool is_statement = is_language_ && c == ':' && flow_.empty();
    if (is_statement && begins_line_with(begin, "input"))
      return input_value(at + 1, is_secret_name(name));
    if (!is_scalar && !is_secret_name(name)) return;
    // Of a lock, or of a script in a plan: `login=alice` is a name.
    if (is_scalar && !is_language_ && c == '=') return;
    if (is_statement && begins_line_with(begin, "step")) return;
    // A setting of scripts is called so: `key = "..."`.
    if (is_language_ && plain_name(name) == "key") return;
    // In YAML `=` is of a command's word: `MYSQL_PWD=...`.
    const bool is_of_command =
        !is_language_ && c == '=' && at == end && !flow_.empty() && flow_.back() == '[';
    ++at;
    if (c == '=' && peek(at) == '=') ++at;
    return value(at, {is_scalar, is_of_command});
  }
  if (is_language_ && is_quote(c) && at > end && is_near_name(lower_ascii(name), "secret"))
    return value(begin, {});
  if (c == ',') {
    // In a list the word was taken with its comma or bracket.
    if (flow_.empty() && name.starts_with('-')) (void)command_.take(name);
    return;
  }
  without_sign(name, begin, end, at);
}

void SecretFinder::without_sign(std::string_view name, std::size_t begin, std::size_t end,
                                std::size_t at) {
  const char c = text_[at];
  if (is_comment_ || c == '\n' || (c == '#' && at > end)) return;
  const bool is_scalar = is_scalar_secret_name(name);
  if (is_scalar ? plain_name(name) == "key" || !is_quote(c) : !is_secret_name(name)) return;
  const bool is_opened = is_quote(c) || c == '{' || c == '[';
  // Without quotes only a key has a value: in a sentence a word follows it, too.
  const bool is_bare = at > end && std::string_view(",}])(.;/+").find(c) == kNone;
  if (!is_quote(c) && !is_opened && !is_bare) return;
  if ((is_scalar || !is_quote(c)) && !is_key_place(begin)) return;
  value(at, {is_scalar});
}

void SecretFinder::find_urls() {
  for (std::size_t at = text_.find("://"); at != kNone; at = text_.find("://", at + 3)) {
    const std::size_t begin = at + 3;
    const std::size_t end = std::min(text_.find_first_of("/ \t\r\n\"'", begin), text_.size());
    const std::string_view authority = text_.substr(begin, end - begin);
    const std::size_t host = authority.rfind('@');
    if (host == kNone) continue;
    const std::size_t colon = authority.substr(0, host).find(':');
    if (colon != kNone) add(begin + colon + 1, begin + host);
  }
}

void SecretFinder::add(std::size_t begin, std::size_t end) {
  end = std::min(end, text_.size());
  while (begin < end) {
    const std::size_t open = std::min(text_.substr(0, end).find("${", begin), end);
    place(begin, open);
    if (open >= end) return;
    const std::size_t close = std::min(text_.substr(0, end).find('}', open), end);
    expression(open + 2, close);
    begin = close + 1;
  }
}

void SecretFinder::place(std::size_t begin, std::size_t end) {
  while (begin < end && is_space(text_[begin])) ++begin;
  while (end > begin && is_space(text_[end - 1])) --end;
  if (begin < end)
    places_.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)});
}

std::vector<SecretPlace> secret_places(std::string_view text, bool is_language) {
  return SecretFinder(text, is_language).find();
}

}  // namespace plan
