#include "compiler/source/secret_places.h"

#include <algorithm>
#include <array>
#include <set>

#include "compiler/source/command_secrets.h"
#include "compiler/source/secret_names.h"
#include "compiler/source/text.h"

namespace plan {
namespace {

constexpr std::string_view kMask = "********";
constexpr std::size_t kNone = std::string_view::npos;
// A shorter secret would be found in words that have nothing to do with it.
constexpr std::size_t kShortestReplaced = 4;
constexpr std::size_t kSecretsOfDiagnosticMax = 200;
constexpr std::size_t kPrefixSought = 24;
// So many quotes of a line are looked at to its end in vain: it may be as long as the file.
constexpr std::size_t kUnclosedMax = 16;
// Longer names are of no key; the distance costs their square.
constexpr std::size_t kNameMax = 40;
constexpr std::size_t kPathMax = 120;

// Members beside a secret that say what kind of one it is and where it is read.
constexpr std::array<std::string_view, 3> kOpenMembers = {"@type", "variableName", "filePath"};
// What may stand in an expression whose value is a secret, beside the names of secrets.
constexpr std::array<std::string_view, 9> kWords = {"true", "false",  "null",     "for", "in",
                                                    "lock", "tagged", "numbered", "if"};
// Keys of commands, whose words are a list.
constexpr std::array<std::string_view, 7> kCommandNames = {"run",   "undo",    "command", "stop",
                                                           "start", "running", "ready"};
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

bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '@';
}

/// Where nothing stands behind the colon, nothing is secret either.
bool says_where(std::string_view value) {
  for (const std::string_view provider : {"env:", "file:", "command:"}) {
    if (value.starts_with(provider)) return true;
  }
  return false;
}

class Finder {
 public:
  Finder(std::string_view text, bool is_language) : text_(text), is_language_(is_language) {}

  std::vector<SecretPlace> find() {
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

 private:
  [[nodiscard]] char peek(std::size_t at) const { return at < text_.size() ? text_[at] : '\n'; }
  [[nodiscard]] std::size_t past_blanks(std::size_t at) const {
    while (at < text_.size() && (text_[at] == ' ' || text_[at] == '\t' || text_[at] == '\r')) ++at;
    return at;
  }
  // Both keep what they found: a line may be as long as the file and full of keys.
  [[nodiscard]] std::size_t line_end(std::size_t at) const {
    if (at < end_known_from_ || at > end_known_) {
      end_known_from_ = at;
      end_known_ = std::min(text_.find('\n', at), text_.size());
    }
    return end_known_;
  }
  [[nodiscard]] std::size_t line_begin(std::size_t at) const {
    if (at < begin_known_at_) begin_known_ = begin_known_at_ = 0;
    for (; begin_known_at_ < at; ++begin_known_at_) {
      if (text_[begin_known_at_] == '\n') begin_known_ = begin_known_at_ + 1;
    }
    return begin_known_;
  }
  [[nodiscard]] std::size_t past_word(std::size_t at) const {
    while (at < text_.size() && is_word(text_[at])) ++at;
    return at;
  }
  /// Where the quote at `at` closes; kNone: it does not, before `end`.
  [[nodiscard]] std::size_t closing(std::size_t at, std::size_t end) const {
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
  static bool is_quote(char c) { return c == '"' || c == '\''; }

  /// The first byte that is no blank of the line of `at`.
  [[nodiscard]] std::size_t first_of_line(std::size_t at) const {
    const std::size_t begin = line_begin(at);
    if (first_known_of_ != begin || first_known_ < begin) {
      first_known_of_ = begin;
      first_known_ = past_blanks(begin);
    }
    return first_known_;
  }
  [[nodiscard]] std::size_t indentation(std::size_t at) const {
    return first_of_line(at) - line_begin(at);
  }

  [[nodiscard]] bool begins_line_with(std::size_t at, std::string_view word) const {
    const std::size_t begin = first_of_line(at);
    return text_.substr(begin, word.size()) == word && begin + word.size() < text_.size() &&
           is_blank(text_[begin + word.size()]);
  }

  /// Does a key stand at `begin`: in front of it a line, an entry, or the word that makes it one?
  [[nodiscard]] bool is_key_place(std::size_t begin) const {
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

  void step() {
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

  /// Brackets are not counted over lines: one that is missing would make the rest a part of it.
  void begin_line(std::size_t begin) {
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
  /// Does the line that ends at `end` go on in the next one?
  [[nodiscard]] bool last_of_line(std::size_t end) const {
    while (end > 0 && is_blank(text_[end - 1])) --end;
    return end > 0 && (text_[end - 1] == ',' || text_[end - 1] == '[');
  }

  /// What may be the next word of a command, behind the `[`, `,` or `-` in front of `at`.
  void command_word(std::size_t at, bool is_line = false) {
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

  /// A command in one text, as a shell would take it.
  void command_line(std::size_t at) {
    at = past_blanks(at);
    if (at < command_line_end_ || at >= text_.size() || text_[at] == '[' || text_[at] == '\n')
      return;
    command_line_end_ = line_end(at);
    if (is_quote(text_[at])) ++at;
    for (const SecretOfWord& secret :
         CommandWords().take(text_.substr(at, command_line_end_ - std::min(at, command_line_end_))))
      add(at + secret.begin, at + secret.end);
  }

  /// A string that is no value of a secret: a key, or a word of a command.
  void quoted() {
    const std::size_t end = closing(at_, line_end(at_));
    if (end == kNone) {
      ++at_;
      return;
    }
    const std::size_t begin = at_ + 1;
    const std::string_view content = text_.substr(begin, end - begin);
    at_ = end + 1;
    const std::size_t equals = content.find('=');
    if (content.starts_with("--") && equals != kNone &&
        is_secret_name(content.substr(2, equals - 2)))
      add(begin + equals + 1, end);
    word(content, begin - 1, at_);
  }

  /// What stands behind a word or a quoted word, from `begin` to `end` with its quotes.
  void word(std::string_view name, std::size_t begin, std::size_t end) {
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

  /// `password "..."`, `password ...`: what somebody writes who forgets the sign between the two.
  void without_sign(std::string_view name, std::size_t begin, std::size_t end, std::size_t at) {
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

  struct Shape {
    bool is_scalar_only = false;  // a mapping that stands there has keys of its own
    bool ends_at_comma = false;   // it is a word of a list
  };

  /// The value that begins at `at`, behind its key.
  void value(std::size_t at, Shape shape) {
    const std::size_t indent = indentation(at);
    at = past_blanks(at);
    if (is_language_) return language_value(at, indent, shape);
    bool is_reference = false;
    std::size_t tag = kNone;
    while (peek(at) == '!') {
      tag = at + 1;
      const std::size_t end = past_word(peek(at + 1) == '!' ? at + 2 : at + 1);
      is_reference =
          is_near_name(lower_ascii(text_.substr(at + 1, std::min(end - at - 1, kNameMax))),
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
      if (!is_open) add(at + 1, close);
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
      if (!is_open && given != "null" && given != "~") add(first, end);
      at_ = std::max(end, at_);
      if ((is_open && c != '#') || end < line_end(at)) return;
    }
    if (!shape.is_scalar_only || is_block) below(line_end(at), indent);
  }

  /// `|`, `>-`, `|2`, and nothing else in the line.
  [[nodiscard]] bool is_block_header(std::size_t at) const {
    if (peek(at) != '|' && peek(at) != '>') return false;
    std::size_t end = at + 1;
    while (end < at + 3 && std::string_view("+-123456789").find(peek(end)) != kNone) ++end;
    const std::size_t behind = past_blanks(end);
    return peek(behind) == '\n' || (peek(behind) == '#' && behind > end);
  }

  /// Does what stands at `at`, behind a comma, begin another entry, or is nothing there?
  [[nodiscard]] bool is_entry(std::size_t at) const {
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
  /// Does the bracket at `at` close something, as one that is no part of a value?
  [[nodiscard]] bool is_close(std::size_t at) const {
    return std::string_view(",}])#\n").find(peek(past_blanks(at + 1))) != kNone;
  }

  /// Where what stands at `at` without quotes ends: generously, for it may have any character.
  [[nodiscard]] std::size_t bare_end(std::size_t at, bool ends_at_comma) const {
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

  /// The lines that are indented deeper than their key, from the end of its line on.
  void below(std::size_t at, std::size_t indent) {
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

  /// The end of a list or mapping: behind its bracket, or where a line is not of it any more.
  [[nodiscard]] std::size_t bracket_end(std::size_t at, std::size_t indent) const {
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

  void bracket(std::size_t at, std::size_t indent) {
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
      if (!(is_reference && says_where(given)) && !has(kOpenMembers, key)) add(first, last);
      is_reference = false;
    }
    at_ = std::max(end, at_);
  }

  /// `let NAME`, `input NAME`, `for NAME`: names of the author's own are no secrets.
  void find_declared_names() {
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

  /// May a name be shown where a secret is expected? One that the plan has, not one that may be
  /// the secret itself.
  [[nodiscard]] bool is_known_name(std::string_view path) const {
    if (path.size() > kPathMax) return false;
    if (has(kWords, path) || is_near_name(lower_ascii(path), "secret")) return true;
    const std::size_t dot = path.find('.');
    const std::string_view first = path.substr(0, dot);
    return declared_.contains(first) || (dot != kNone && has(kRoots, first));
  }

  /// The end of the name or the number at `at`, with all its parts.
  [[nodiscard]] std::size_t past_name(std::size_t at) const {
    while (at < text_.size() && (is_word(text_[at]) || text_[at] == '.')) ++at;
    return at;
  }
  /// `default(`: the name of a function has small letters only.
  [[nodiscard]] bool is_function(std::size_t begin, std::size_t end) const {
    return peek(end) == '(' && end - begin <= kNameMax &&
           std::all_of(text_.begin() + static_cast<std::ptrdiff_t>(begin),
                       text_.begin() + static_cast<std::ptrdiff_t>(end),
                       [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; });
  }
  [[nodiscard]] bool is_shown(std::size_t begin, std::size_t end) const {
    return is_function(begin, end) || is_known_name(text_.substr(begin, end - begin));
  }

  /// The part [begin, end) of an expression: all of it that is no name of the plan is secret.
  void expression(std::size_t begin, std::size_t end) {
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

  /// Behind `input NAME :` a type, and behind it the default: secret by its name or its type.
  void input_value(std::size_t at, bool is_secret) {
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

  /// Where the value at the end of its line begins when it stands in the next one, which is a
  /// mistake; kNone: nothing is there.
  [[nodiscard]] std::size_t in_next_line(std::size_t end, std::size_t indent) const {
    if (end >= text_.size()) return kNone;
    const std::size_t begin = end + 1;
    const std::size_t first = past_blanks(begin);
    const char c = peek(first);
    if (c == '\n' || is_entry(first)) return kNone;
    return is_quote(c) || first - begin > indent ? first : kNone;
  }

  /// An expression that begins at `at`: it may be anything but one.
  void language_value(std::size_t at, std::size_t indent, Shape shape) {
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
        if (!(is_reference && says_where(text_.substr(at + 1, close - at - 1)))) add(at + 1, close);
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
  /// What stands at `at` is of no expression: with all that follows a secret. Where it ends.
  std::size_t rest(std::size_t at) {
    const std::size_t end = std::max(bare_end(at, false), at + 1);
    add(at, end);
    return end;
  }

  /// `https://user:secret@host`
  void find_urls() {
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

  /// Adds what is in [begin, end); of an interpolation `${...}` what is no name of the plan.
  void add(std::size_t begin, std::size_t end) {
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
  void place(std::size_t begin, std::size_t end) {
    while (begin < end && is_space(text_[begin])) ++begin;
    while (end > begin && is_space(text_[end - 1])) --end;
    if (begin < end)
      places_.push_back({static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)});
  }
  static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }
  static bool is_space(char c) { return is_blank(c) || c == '\n'; }

  /// Quotes of one kind that nothing closes before `end`.
  struct Unclosed {
    std::size_t end = 0;
    std::size_t count = 0;
  };

  std::string_view text_;
  bool is_language_ = false;
  std::size_t at_ = 0;
  mutable Unclosed single_ = {};
  mutable Unclosed double_ = {};
  std::string flow_ = {};  // the brackets of the line that are open
  bool is_comment_ = false;
  CommandWords command_ = {};
  std::size_t command_line_end_ = 0;
  std::set<std::string_view> declared_ = {};
  mutable std::size_t end_known_from_ = 1;
  mutable std::size_t end_known_ = 0;
  mutable std::size_t begin_known_at_ = 0;
  mutable std::size_t begin_known_ = 0;
  mutable std::size_t first_known_of_ = kNone;
  mutable std::size_t first_known_ = 0;
  std::vector<SecretPlace> places_ = {};
};

bool is_letter(char c) { return is_word(c) && c != '@'; }

/// Also what a message shows of a secret that was too long for it.
void replace(std::string& text, const std::string& secret) {
  const std::string_view sought = std::string_view(secret).substr(0, kPrefixSought);
  std::size_t at = text.find(sought);
  while (at != std::string::npos) {
    std::size_t size = sought.size();
    while (size < secret.size() && at + size < text.size() && text[at + size] == secret[size])
      ++size;
    const std::size_t end = at + size;
    const bool is_part = size == secret.size() && size < kPrefixSought &&
                         ((at > 0 && is_letter(text[at - 1]) && is_letter(secret.front())) ||
                          (end < text.size() && is_letter(text[end]) && is_letter(secret.back())));
    if (!is_part) text.replace(at, size, kMask);
    at = text.find(sought, at + (is_part ? 1 : kMask.size()));
  }
}

/// The same in what the text quotes: `...`. Elsewhere a part of a secret may be any word.
void replace_quoted(std::string& text, const std::string& part) {
  std::size_t open = text.find('`');
  while (open != std::string::npos) {
    const std::size_t close = text.find('`', open + 1);
    if (close == std::string::npos) return;
    std::string quoted = text.substr(open + 1, close - open - 1);
    replace(quoted, part);
    text.replace(open + 1, close - open - 1, quoted);
    open = text.find('`', open + quoted.size() + 2);
  }
}

bool is_worth_replacing(std::string_view secret) {
  if (secret.size() < kShortestReplaced || is_scalar_secret_name(secret)) return false;
  const std::string plain = plain_name(secret.substr(0, kNameMax));
  return !is_ending_of_secret(plain) && !is_near_name(plain, "secret");
}

bool is_between_words(char c) { return std::string_view(" \t\r\n,;:=\"'`(){}[]").find(c) != kNone; }
bool is_outside_names(char c) { return !is_word(c) || c == '-' || c == '@'; }

/// What of `secret` stands between the characters of which `is_between` says so.
void collect_parts(std::string_view secret, bool (*is_between)(char),
                   std::vector<std::string>& parts) {
  std::size_t at = 0;
  while (at < secret.size() && parts.size() < kSecretsOfDiagnosticMax) {
    while (at < secret.size() && is_between(secret[at])) ++at;
    const std::size_t begin = at;
    while (at < secret.size() && !is_between(secret[at])) ++at;
    const std::string_view part = secret.substr(begin, at - begin);
    if (part.size() < secret.size() && is_worth_replacing(part)) parts.emplace_back(part);
  }
}

}  // namespace

std::vector<SecretPlace> secret_places(std::string_view text, bool is_language) {
  return Finder(text, is_language).find();
}

SecretMask::SecretMask(const SourceSet& sources, const std::vector<Diagnostic>& diagnostics)
    : sources_(sources) {
  // What is said of a step of a module stands at its name, and not at the secret.
  const auto is_of_step = [&](const Diagnostic& one) {
    return !sources.name(one.span.file).ends_with(".ndjson") &&
           std::any_of(one.arguments.begin(), one.arguments.end(),
                       [](const auto& argument) { return argument.first == "step"; });
  };
  for (const Diagnostic& one : diagnostics) {
    if (one.kind == Kind::secret_in_clear && one.span.is_known() && !is_of_step(one))
      told_[one.span.file].push_back({one.span.begin, one.span.end});
  }
}

const std::vector<SecretPlace>& SecretMask::places(FileId file) {
  const auto known = places_.find(file);
  if (known != places_.end()) return known->second;
  std::vector<SecretPlace> found =
      secret_places(sources_.text(file), sources_.name(file).ends_with(".plan"));
  std::vector<SecretPlace> more;
  for (const SecretPlace& told : told_[file]) {
    // Of a larger place only the secret in it, where it was found.
    const auto behind = std::lower_bound(
        found.begin(), found.end(), told.begin,
        [](const SecretPlace& place, std::uint32_t at) { return place.end <= at; });
    if ((behind == found.end() || behind->begin >= told.end) && told.begin < told.end)
      more.push_back(told);
  }
  found.insert(found.end(), more.begin(), more.end());
  std::sort(found.begin(), found.end(),
            [](const SecretPlace& a, const SecretPlace& b) { return a.begin < b.begin; });
  return places_.emplace(file, std::move(found)).first->second;
}

std::string SecretMask::text(FileId file, std::uint32_t begin, std::uint32_t end) {
  const std::string_view whole = sources_.text(file);
  end = static_cast<std::uint32_t>(std::min<std::size_t>(end, whole.size()));
  const std::vector<SecretPlace>& all = places(file);
  auto place =
      std::lower_bound(all.begin(), all.end(), begin,
                       [](const SecretPlace& one, std::uint32_t at) { return one.end <= at; });
  std::string out;
  while (begin < end) {
    if (place == all.end() || place->begin >= end) {
      out += whole.substr(begin, end - begin);
      break;
    }
    if (place->begin > begin) out += whole.substr(begin, place->begin - begin);
    out += kMask;
    begin = std::max(begin, place->end);
    ++place;
  }
  return out;
}

Span SecretMask::with_whole_secrets(Span span) {
  for (const std::uint32_t at : {span.begin, span.end}) {
    const std::vector<SecretPlace>& all = places(span.file);
    const auto place =
        std::lower_bound(all.begin(), all.end(), at,
                         [](const SecretPlace& one, std::uint32_t of) { return one.end <= of; });
    if (place == all.end() || place->begin >= at) continue;
    span.begin = std::min(span.begin, place->begin);
    span.end = std::max(span.end, place->end);
  }
  return span;
}

void SecretMask::collect(Span span, Secrets& secrets) {
  if (!span.is_known()) return;
  const std::string_view whole = sources_.text(span.file);
  std::uint32_t begin = 0;
  std::uint32_t last = 0;
  (void)sources_.line_at(span.file, span.begin, &begin);
  const std::string_view line = sources_.line_at(span.file, std::max(span.begin, span.end), &last);
  const std::size_t end = last + line.size();
  const std::vector<SecretPlace>& all = places(span.file);
  auto place =
      std::lower_bound(all.begin(), all.end(), begin,
                       [](const SecretPlace& one, std::uint32_t at) { return one.end <= at; });
  for (; place != all.end() && place->begin < end; ++place) {
    if (secrets.whole.size() >= kSecretsOfDiagnosticMax) return;
    const std::string_view secret = whole.substr(place->begin, place->end - place->begin);
    if (!is_worth_replacing(secret)) continue;
    secrets.whole.emplace_back(secret);
    collect_parts(secret, is_between_words, secrets.parts);
    collect_parts(secret, is_outside_names, secrets.parts);
  }
}

Diagnostic SecretMask::masked(Diagnostic diagnostic) {
  Secrets secrets;
  collect(diagnostic.span, secrets);
  for (const Label& note : diagnostic.notes) collect(note.span, secrets);
  for (const std::string& secret : secrets.whole) {
    replace(diagnostic.message, secret);
    replace(diagnostic.label, secret);
    for (Label& note : diagnostic.notes) replace(note.text, secret);
    for (std::string& help : diagnostic.help) replace(help, secret);
    for (auto& [name, argument] : diagnostic.arguments) replace(argument, secret);
  }
  for (const std::string& part : secrets.parts) {
    replace_quoted(diagnostic.message, part);
    replace_quoted(diagnostic.label, part);
    for (Label& note : diagnostic.notes) replace_quoted(note.text, part);
    for (auto& [name, argument] : diagnostic.arguments) replace(argument, part);
  }
  return diagnostic;
}

}  // namespace plan
