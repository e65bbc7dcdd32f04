#include "compiler/source/secret_places.h"

#include <algorithm>
#include <array>

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

constexpr std::array<std::string_view, 13> kEndings = {
    "password",   "passwd",     "passphrase", "secret",  "token",   "secretkey", "secretaccesskey",
    "privatekey", "accountkey", "apikey",     "hmackey", "otpcode", "pwd"};
constexpr std::array<std::string_view, 7> kMisspelt = {
    "password", "passphrase", "secret", "token", "authsecret", "secretaccesskey", "privatekey"};
// Keys whose scalar is a secret and whose mapping has keys of its own.
constexpr std::array<std::string_view, 4> kScalarNames = {"login", "key", "credentials", "auth"};
// Members beside a secret that say what kind of one it is and where it is read.
constexpr std::array<std::string_view, 3> kOpenMembers = {"@type", "variableName", "filePath"};

template <class List>
bool has(const List& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

std::string plain_name(std::string_view name) {
  std::string plain;
  for (const char c : lower_ascii(name)) {
    if (c != '_' && c != '-') plain += c;
  }
  return plain;
}

/// Edit distance in which two exchanged neighbours are one edit.
std::size_t distance(std::string_view left, std::string_view right) {
  std::vector<std::size_t> before(right.size() + 1);
  std::vector<std::size_t> last(right.size() + 1);
  std::vector<std::size_t> row(right.size() + 1);
  for (std::size_t j = 0; j < last.size(); ++j) last[j] = j;
  for (std::size_t i = 1; i <= left.size(); ++i) {
    row[0] = i;
    for (std::size_t j = 1; j <= right.size(); ++j) {
      const std::size_t change = left[i - 1] == right[j - 1] ? 0 : 1;
      row[j] = std::min({row[j - 1] + 1, last[j] + 1, last[j - 1] + change});
      if (i > 1 && j > 1 && left[i - 1] == right[j - 2] && left[i - 2] == right[j - 1])
        row[j] = std::min(row[j], before[j - 2] + 1);
    }
    std::swap(before, last);
    std::swap(last, row);
  }
  return last.back();
}

bool is_near(std::string_view word, std::string_view name) {
  const std::size_t allowed = name.size() <= 6 ? 1 : 2;
  if (word.size() < 4 || word.size() + allowed < name.size() || word.size() > name.size() + allowed)
    return false;
  return distance(word, name) <= allowed;
}

bool is_scalar_name(std::string_view name) { return has(kScalarNames, plain_name(name)); }

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

/// Options whose word is a name and, behind a colon, its secret.
bool is_user_option(std::string_view option) {
  return option == "-u" || option == "--user" || option == "--proxy-user";
}

bool takes_secret_behind(std::string_view option) {
  return is_user_option(option) || (option.starts_with("--") && is_secret_name(option.substr(2)));
}

class Finder {
 public:
  Finder(std::string_view text, bool is_language) : text_(text), is_language_(is_language) {}

  std::vector<SecretPlace> find() {
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
        if (quote == '\'' && i + 1 < end && text_[i + 1] == '\'')
          ++i;
        else
          return i;
      }
    }
    ++unclosed.count;
    return kNone;
  }
  static bool is_quote(char c) { return c == '"' || c == '\''; }

  [[nodiscard]] std::size_t indentation(std::size_t at) const {
    const std::size_t begin = line_begin(at);
    return past_blanks(begin) - begin;
  }

  void step() {
    const char c = text_[at_];
    if (c == '\n') {
      flow_depth_ = 0;
      ++at_;
    } else if (is_quote(c) && (at_ == 0 || !is_word(text_[at_ - 1]))) {
      quoted();
    } else if (c == '!') {
      const std::size_t end = past_word(at_ + 1);
      const std::string tag = lower_ascii(text_.substr(at_ + 1, std::min(end - at_ - 1, kNameMax)));
      if (past_blanks(end) > end && is_near(tag, "secret"))
        value(at_, false);
      else
        at_ = end;
    } else if (is_word(c)) {
      const std::size_t begin = at_;
      const std::size_t end = past_word(at_);
      at_ = end;
      word(text_.substr(begin, end - begin), end);
    } else {
      if (c == '{' || c == '[') ++flow_depth_;
      if ((c == '}' || c == ']') && flow_depth_ > 0) --flow_depth_;
      ++at_;
    }
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
    word(content, at_);
  }

  /// What stands behind a word or a quoted word that ends at `end`.
  void word(std::string_view name, std::size_t end) {
    std::size_t at = past_blanks(end);
    const char c = peek(at);
    if (at < text_.size() && (c == ':' || c == '=')) {
      const bool is_scalar = is_scalar_name(name);
      if (!is_scalar && !is_secret_name(name)) return;
      // In the plan language `step key : KIND` names a step and `key = "..."` a setting, and
      // scripts in a plan have variables of these names.
      if (is_scalar && (c == ':') == is_language_) return;
      if (is_scalar && is_language_ && plain_name(name) == "key") return;
      ++at;
      if (c == '=' && peek(at) == '=') ++at;
      return value(at, is_scalar || (is_language_ && c == ':'));
    }
    if (is_language_ && is_quote(c) && at > end && is_near(lower_ascii(name), "secret"))
      return value(end - name.size(), false);
    if (c == ',' && takes_secret_behind(name)) {
      at = past_blanks(at + 1);
      // `-u root` is a name; a secret stands behind its colon.
      const std::size_t stop = std::min(text_.find_first_of(",]\n", at), text_.size());
      const std::size_t close = is_quote(peek(at)) ? closing(at, line_end(at)) : kNone;
      const std::size_t first = close == kNone ? at : at + 1;
      const std::size_t last = close == kNone ? stop : close;
      const std::size_t colon = text_.substr(first, last - first).find(':');
      if (!is_user_option(name))
        add(first, last);
      else if (colon != kNone)
        add(first + colon + 1, last);
      at_ = std::max(at_, last);
    }
  }

  /// The value that begins at `at`, behind its key.
  void value(std::size_t at, bool is_scalar_only) {
    const std::size_t indent = indentation(at);
    at = past_blanks(at);
    if (is_language_) return language_value(at, is_scalar_only);
    bool is_reference = false;
    std::size_t tag = kNone;
    while (peek(at) == '!' || peek(at) == '&') {
      if (peek(at) == '!') tag = at + 1;
      const std::size_t end = past_word(peek(at + 1) == '!' ? at + 2 : at + 1);
      if (peek(at) == '!')
        is_reference = is_near(lower_ascii(text_.substr(at + 1, std::min(end - at - 1, kNameMax))),
                               "secret") ||
                       text_.substr(at, end - at) == "!lock";
      at = past_blanks(end);
    }
    at_ = at;
    const char c = peek(at);
    if (c == '*') return;
    if (is_quote(c)) {
      std::size_t close = closing(at, text_.size());
      if (close == kNone) close = line_end(at);
      const bool is_open = is_reference && says_where(text_.substr(at + 1, close - at - 1));
      if (!is_open) add(at + 1, close);
      at_ = std::min(close + 1, text_.size());
      return;
    }
    if (c == '[' || c == '{') {
      if (!is_scalar_only) bracket(at, indent);
      return;
    }
    const bool is_block = c == '|' || c == '>';
    if (c != '\n' && !is_block) {
      const std::size_t end = plain_end(at);
      const std::string_view given = trim(text_.substr(at, end - at));
      if (given.empty() && tag != kNone && !is_reference) add(tag, past_word(tag));
      const bool is_open = is_reference && (says_where(given) || given == "certificate");
      if (!is_open && given != "null" && given != "~") add(at, end);
      at_ = std::max(end, at_);
      if (is_open || end < line_end(at)) return;
    }
    if (!is_scalar_only || is_block) below(line_end(at), indent);
  }

  [[nodiscard]] std::size_t plain_end(std::size_t at) const {
    bool is_open = false;  // a `${` that nothing closes
    for (std::size_t i = at; i < text_.size(); ++i) {
      const char c = text_[i];
      if (c == '\n' || (c == '#' && i > 0 && (text_[i - 1] == ' ' || text_[i - 1] == '\t')))
        return i;
      if (flow_depth_ == 0) continue;
      if (!is_open && text_.substr(i, 2) == "${") {
        const std::size_t close = text_.find_first_of("}\n", i);
        is_open = close == kNone || text_[close] != '}';
        if (!is_open) i = close;
      } else if (c == ',' || c == '}' || c == ']') {
        return i;
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
        is_reference = is_near(
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
        is_reference = is_near(lower_ascii(trim(given).substr(0, kNameMax)), "secret");
        continue;
      }
      if (!(is_reference && says_where(given)) && !has(kOpenMembers, key)) add(first, last);
      is_reference = false;
    }
    at_ = std::max(end, at_);
  }

  /// An expression: its string literals.
  void language_value(std::size_t at, bool ends_at_bracket) {
    const std::size_t indent = indentation(at);
    bool is_reference = false;
    at_ = at;
    while (at < text_.size()) {
      const char c = text_[at];
      if (c == '\n' || c == ',' || c == '}' || c == ']' || c == '#') break;
      if (c == '{' || c == '[') {
        if (ends_at_bracket) break;
        return bracket(at, indent);
      }
      if (c == '"') {
        std::size_t close = closing(at, line_end(at));
        if (close == kNone) close = line_end(at);
        if (!(is_reference && says_where(text_.substr(at + 1, close - at - 1)))) add(at + 1, close);
        at = std::min(close + 1, text_.size());
        is_reference = false;
      } else if (is_word(c)) {
        const std::size_t end = past_word(at);
        is_reference =
            is_near(lower_ascii(text_.substr(at, std::min(end - at, kNameMax))), "secret");
        at = end;
      } else {
        ++at;
      }
    }
    at_ = std::max(at, at_);
  }

  /// `https://user:secret@host`
  void find_urls() {
    for (std::size_t at = text_.find("://"); at != kNone; at = text_.find("://", at + 3)) {
      const std::size_t begin = at + 3;
      const std::size_t end = std::min(text_.find_first_of("/ \t\r\n\"'@", begin), text_.size());
      if (peek(end) != '@') continue;
      const std::size_t colon = text_.substr(begin, end - begin).find(':');
      if (colon != kNone) add(begin + colon + 1, end);
    }
  }

  /// Adds what is no interpolation: `${...}` is a name and no secret.
  void add(std::size_t begin, std::size_t end) {
    end = std::min(end, text_.size());
    while (begin < end) {
      const std::size_t open = std::min(text_.substr(0, end).find("${", begin), end);
      std::size_t first = begin;
      std::size_t last = open;
      while (first < last && is_space(text_[first])) ++first;
      while (last > first && is_space(text_[last - 1])) --last;
      if (first < last)
        places_.push_back({static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(last)});
      if (open >= end) return;
      const std::size_t close = text_.substr(0, end).find('}', open);
      if (close == kNone) return;
      begin = close + 1;
    }
  }
  static bool is_space(char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; }

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
  std::size_t flow_depth_ = 0;
  mutable std::size_t end_known_from_ = 1;
  mutable std::size_t end_known_ = 0;
  mutable std::size_t begin_known_at_ = 0;
  mutable std::size_t begin_known_ = 0;
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

}  // namespace

bool is_secret_name(std::string_view name) {
  if (name.size() > kNameMax) return false;
  const std::string plain = plain_name(name);
  // `without_password` lists accounts.
  if (plain.starts_with("without")) return false;
  if (plain == "pass" || plain == "authorization") return true;
  if (std::any_of(kEndings.begin(), kEndings.end(),
                  [&](std::string_view ending) { return plain.ends_with(ending); }))
    return true;
  return std::any_of(kMisspelt.begin(), kMisspelt.end(),
                     [&](std::string_view known) { return is_near(plain, known); });
}

bool is_secret_of_command(std::string_view option, std::string_view value) {
  if (!takes_secret_behind(option) || value.empty() || value.starts_with('-')) return false;
  if (!is_user_option(option)) return true;
  const std::size_t colon = value.find(':');
  return colon != kNone && colon + 1 < value.size();
}

std::vector<SecretPlace> secret_places(std::string_view text, bool is_language) {
  return Finder(text, is_language).find();
}

SecretMask::SecretMask(const SourceSet& sources, const std::vector<Diagnostic>& diagnostics)
    : sources_(sources) {
  for (const Diagnostic& one : diagnostics) {
    if (one.kind == Kind::secret_in_clear && one.span.is_known())
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

void SecretMask::collect(Span span, std::vector<std::string>& secrets) {
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
    if (secrets.size() >= kSecretsOfDiagnosticMax) return;
    const std::string_view secret = whole.substr(place->begin, place->end - place->begin);
    if (secret.size() >= kShortestReplaced && !is_secret_name(secret) && !is_scalar_name(secret))
      secrets.emplace_back(secret);
  }
}

Diagnostic SecretMask::masked(Diagnostic diagnostic) {
  std::vector<std::string> secrets;
  collect(diagnostic.span, secrets);
  for (const Label& note : diagnostic.notes) collect(note.span, secrets);
  for (const std::string& secret : secrets) {
    replace(diagnostic.message, secret);
    replace(diagnostic.label, secret);
    for (Label& note : diagnostic.notes) replace(note.text, secret);
    for (std::string& help : diagnostic.help) replace(help, secret);
    for (auto& [name, argument] : diagnostic.arguments) replace(argument, secret);
  }
  return diagnostic;
}

}  // namespace plan
