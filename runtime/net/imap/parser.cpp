#include "runtime/net/imap/parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "compiler/source/text.h"
#include "runtime/net/errors.h"

namespace plan::net::imap {
namespace {

constexpr std::size_t kCompactBytes = 65536;
constexpr std::size_t kFirstReserveBytes = std::size_t{1} << 20U;

Error violation(std::string message) {
  return Error(net::errors::protocol_violation, std::move(message))
      .with_effect(Effect::unknown)
      .with_blame(Blame::source);
}

std::string upper_ascii(std::string_view text) {
  std::string upper(text);
  for (char& letter : upper)
    if (letter >= 'a' && letter <= 'z') letter = static_cast<char>(letter - 'a' + 'A');
  return upper;
}

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return {};
  return number;
}

/// Reads items from the text of a response, taking literals where they stood.
class ItemReader {
 public:
  ItemReader(std::string_view text, const Limits& limits, std::vector<std::string>* literals,
             const std::vector<std::size_t>* places)
      : text_(text), limits_(limits), literals_(literals), places_(places) {}

  void move_to(std::size_t position) { position_ = position; }

  Result<std::vector<Item>> all() {
    std::vector<Item> items;
    skip_blanks();
    while (position_ < text_.size()) {
      PLAN_TRY(item, one(0));
      items.push_back(std::move(item));
      if (position_ < text_.size() && text_[position_] != ' ' && text_[position_] != '(')
        return violation("no blank between two items of a response");
      skip_blanks();
    }
    return items;
  }

 private:
  void skip_blanks() {
    while (position_ < text_.size() && text_[position_] == ' ') ++position_;
  }

  Result<Item> one(std::size_t depth) {
    if (++count_ > limits_.items_max)
      return violation(fmt::format("a response has more than {} items", limits_.items_max));
    const char first = text_[position_];
    if (first == '(') return list(depth);
    if (first == ')') return violation("a list ends that never began");
    if (first == '"') return quoted();
    if (is_literal_here()) return literal();
    return atom();
  }

  Result<Item> list(std::size_t depth) {
    if (depth >= limits_.list_depth_max)
      return violation(fmt::format("lists are nested deeper than {}", limits_.list_depth_max));
    Item item{.type = Item::Type::list};
    ++position_;
    while (true) {
      skip_blanks();
      if (position_ >= text_.size()) return violation("a response ends inside a list");
      if (text_[position_] == ')') break;
      PLAN_TRY(member, one(depth + 1));
      item.items.push_back(std::move(member));
    }
    ++position_;
    return item;
  }

  Result<Item> quoted() {
    Item item{.type = Item::Type::string};
    for (++position_; position_ < text_.size(); ++position_) {
      char letter = text_[position_];
      if (letter == '"') {
        ++position_;
        return item;
      }
      if (letter == '\\') {
        if (++position_ >= text_.size()) break;
        letter = text_[position_];
      }
      item.text += letter;
    }
    return violation("a response ends inside a quoted string");
  }

  [[nodiscard]] bool is_literal_here() const {
    if (literals_ == nullptr || next_literal_ >= places_->size()) return false;
    return (*places_)[next_literal_] == position_;
  }

  Result<Item> literal() {
    Item item{.type = Item::Type::string, .text = std::move((*literals_)[next_literal_])};
    ++next_literal_;
    position_ = text_.find('}', position_) + 1;  // note_literal put it there
    return item;
  }

  Result<Item> atom() {
    const std::size_t begin = position_;
    bool is_in_section = false;  // BODY[HEADER.FIELDS (From "x")]<0>
    while (position_ < text_.size()) {
      const char letter = text_[position_];
      if (is_in_section) {
        if (letter == ']') is_in_section = false;
      } else if (letter == ' ' || letter == ')' || letter == '(') {
        break;
      } else if (letter == '[') {
        const std::string_view name = text_.substr(begin, position_ - begin);
        is_in_section =
            equals_ignoring_case(name, "BODY") || equals_ignoring_case(name, "BODY.PEEK") ||
            equals_ignoring_case(name, "BINARY") || equals_ignoring_case(name, "BINARY.SIZE");
      }
      if (is_literal_here()) return violation("a literal in the middle of an atom");
      ++position_;
    }
    if (is_in_section) return violation("a response ends inside a section");
    Item item{.text = std::string(text_.substr(begin, position_ - begin))};
    if (equals_ignoring_case(item.text, "NIL")) item.type = Item::Type::nil;
    return item;
  }

  std::string_view text_;
  const Limits& limits_;
  std::vector<std::string>* literals_;
  const std::vector<std::size_t>* places_;
  std::size_t position_ = 0;
  std::size_t next_literal_ = 0;
  std::size_t count_ = 0;
};

std::string_view take_word(std::string_view& text) {
  const std::size_t blank = text.find(' ');
  const std::string_view word = text.substr(0, blank);
  text.remove_prefix(blank == std::string_view::npos ? text.size() : blank + 1);
  return word;
}

bool is_status_name(std::string_view name) {
  return name == "OK" || name == "NO" || name == "BAD" || name == "BYE" || name == "PREAUTH";
}

/// Status responses and continuations hold words for people, in which `{5}` at the end means
/// nothing.
bool may_have_literals(std::string_view text) {
  const std::string_view tag = take_word(text);
  if (tag == "+") return false;
  return !is_status_name(upper_ascii(take_word(text)));
}

bool is_data_name(std::string_view name) {
  static constexpr std::string_view kNames[] = {
      "CAPABILITY", "ENABLED", "ESEARCH",   "EXISTS", "EXPUNGE", "FETCH",  "FLAGS",   "ID",
      "LIST",       "LSUB",    "NAMESPACE", "RECENT", "SEARCH",  "STATUS", "VANISHED"};
  return std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

void read_status(std::string_view rest, Response& response) {
  if (rest.starts_with('[')) {
    // A code may hold quoted strings and lists with brackets: PERMANENTFLAGS (a]b).
    bool is_quoted = false;
    std::size_t depth = 0;
    for (std::size_t index = 1; index < rest.size(); ++index) {
      const char letter = rest[index];
      if (letter == '"') is_quoted = !is_quoted;
      if (is_quoted) continue;
      if (letter == '(') ++depth;
      if (letter == ')' && depth > 0) --depth;
      if (letter != ']' || depth > 0) continue;
      std::string_view code = rest.substr(1, index - 1);
      response.code = upper_ascii(take_word(code));
      response.code_text = std::string(code);
      rest.remove_prefix(index + 1);
      break;
    }
  }
  response.text = std::string(trim(rest));
}

}  // namespace

std::optional<std::uint64_t> Item::number() const {
  if (type != Type::atom) return {};
  return number_of<std::uint64_t>(text);
}

void ResponseParser::feed(std::string_view bytes) {
  if (is_in_literal_ && begin_ == input_.size()) {
    const std::size_t count = std::min(literal_left_, bytes.size());
    literals_.back().append(bytes.substr(0, count));
    literal_left_ -= count;
    bytes.remove_prefix(count);
  }
  if (begin_ == input_.size()) {
    input_.clear();
    begin_ = 0;
  } else if (begin_ >= kCompactBytes) {
    input_.erase(0, begin_);
    begin_ = 0;
  }
  input_.append(bytes);
}

Result<std::optional<Response>> ResponseParser::next() {
  while (true) {
    if (is_in_literal_) {
      const std::size_t count = std::min(literal_left_, input_.size() - begin_);
      literals_.back().append(input_, begin_, count);
      begin_ += count;
      literal_left_ -= count;
      if (literal_left_ > 0) return std::optional<Response>();
      is_in_literal_ = false;
    }
    PLAN_TRY(has_line, take_line());
    if (!has_line) return std::optional<Response>();
    PLAN_TRY(has_literal, note_literal());
    if (has_literal) continue;
    PLAN_TRY(response, parse());
    text_.clear();
    literals_.clear();
    literal_places_.clear();
    literal_bytes_ = 0;
    text_at_literal_ = 0;
    return std::optional<Response>(std::move(response));
  }
}

/// Moves bytes up to the next line end from input_ to text_; false when there is none yet.
Result<bool> ResponseParser::take_line() {
  const std::size_t end = input_.find('\n', begin_ + searched_);
  const std::size_t length = (end == std::string::npos ? input_.size() : end) - begin_;
  // One byte more may wait here: the CR whose LF has not come.
  if (text_.size() + length > limits_.line_bytes_max + 1)
    return Error(net::errors::line_too_long,
                 fmt::format("a response has more than {} bytes beside its literals",
                             limits_.line_bytes_max))
        .with_effect(Effect::unknown)
        .with_blame(Blame::source);
  if (end == std::string::npos) {
    searched_ = length;
    return false;
  }
  std::string_view line(input_.data() + begin_, length);
  if (line.ends_with('\r')) line.remove_suffix(1);
  if (text_.size() + line.size() > limits_.line_bytes_max)
    return Error(net::errors::line_too_long,
                 fmt::format("a response has more than {} bytes beside its literals",
                             limits_.line_bytes_max))
        .with_effect(Effect::unknown)
        .with_blame(Blame::source);
  if (line.find('\0') != std::string_view::npos) return violation("a NUL outside of a literal");
  text_.append(line);
  begin_ = end + 1;
  searched_ = 0;
  return true;
}

/// Does text_ end by announcing a literal? Then its bytes are due next.
Result<bool> ResponseParser::note_literal() {
  if (!text_.ends_with('}') || text_.size() == text_at_literal_) return false;
  const std::size_t open = text_.rfind('{');
  if (open == std::string::npos) return false;
  std::string_view size_text = std::string_view(text_).substr(open + 1);
  size_text.remove_suffix(1);
  if (size_text.ends_with('+')) size_text.remove_suffix(1);
  if (size_text.empty() || !may_have_literals(text_)) return false;
  if (size_text.find_first_not_of("0123456789") != std::string_view::npos) return false;
  const auto size = number_of<std::uint64_t>(size_text);
  if (!size || *size > limits_.literal_bytes_max - literal_bytes_)
    return Error(net::errors::answer_too_large,
                 fmt::format("a literal of {} bytes is over the limit of {} for one response",
                             printable(size_text, 40), limits_.literal_bytes_max))
        .with_effect(Effect::unknown)
        .with_blame(Blame::source);
  if (literals_.size() >= limits_.items_max)
    return violation(fmt::format("a response has more than {} items", limits_.items_max));
  const std::size_t place = open > 0 && text_[open - 1] == '~' ? open - 1 : open;  // literal8
  literal_places_.push_back(place);
  text_at_literal_ = text_.size();
  literals_.emplace_back();
  literals_.back().reserve(std::min<std::size_t>(*size, kFirstReserveBytes));
  literal_bytes_ += *size;
  literal_left_ = *size;
  is_in_literal_ = true;
  return true;
}

Result<Response> ResponseParser::parse() {
  Response response;
  std::string_view rest = text_;
  const std::string_view tag = take_word(rest);
  if (tag == "+" || (tag.empty() && text_.empty())) {
    if (tag.empty()) return violation("an empty line instead of a response");
    response.kind = Response::Kind::continuation;
    response.text = std::string(rest);
    return response;
  }
  std::string_view word = take_word(rest);
  if (tag == "*") {
    if (const auto number = number_of<std::uint64_t>(word)) {
      response.number = number;
      word = take_word(rest);
    }
  } else {
    response.kind = Response::Kind::tagged;
    response.tag = std::string(tag);
  }
  response.name = upper_ascii(word);
  if (response.is_status()) {
    read_status(rest, response);
    return response;
  }
  if (response.kind == Response::Kind::tagged || response.name.empty())
    return violation("a line that is no IMAP response")
        .with_detail(std::string_view(text_).substr(0, 200));
  if (!is_data_name(response.name)) {
    response.text = std::string(rest);
    return response;
  }
  ItemReader reader(text_, limits_, &literals_, &literal_places_);
  reader.move_to(text_.size() - rest.size());
  PLAN_TRY(items, reader.all());
  response.items = std::move(items);
  return response;
}

Result<std::vector<Item>> parse_items(std::string_view text, const Limits& limits) {
  return ItemReader(text, limits, nullptr, nullptr).all();
}

void UidSet::add(std::uint32_t uid) {
  if (!ranges.empty() && ranges.back().last != UINT32_MAX && ranges.back().last + 1 == uid)
    ranges.back().last = uid;
  else
    ranges.push_back({uid, uid});
}

void UidSet::add(std::uint32_t first, std::uint32_t last) {
  ranges.push_back({std::min(first, last), std::max(first, last)});
}

void UidSet::normalize() {
  std::sort(ranges.begin(), ranges.end(), [](const Range& left, const Range& right) {
    return left.first != right.first ? left.first < right.first : left.last < right.last;
  });
  std::vector<Range> joined;
  for (const Range& range : ranges) {
    if (!joined.empty() &&
        (joined.back().last == UINT32_MAX || range.first <= joined.back().last + 1))
      joined.back().last = std::max(joined.back().last, range.last);
    else
      joined.push_back(range);
  }
  ranges = std::move(joined);
}

bool UidSet::contains(std::uint32_t uid) const {
  const auto after = std::upper_bound(
      ranges.begin(), ranges.end(), uid,
      [](std::uint32_t wanted, const Range& range) { return wanted < range.first; });
  return after != ranges.begin() && std::prev(after)->last >= uid;
}

std::uint64_t UidSet::count() const {
  std::uint64_t count = 0;
  for (const Range& range : ranges) count += std::uint64_t{range.last} - range.first + 1;
  return count;
}

std::string UidSet::to_string() const {
  std::string text;
  for (const Range& range : ranges) {
    if (!text.empty()) text += ',';
    text += range.first == range.last ? fmt::format("{}", range.first)
                                      : fmt::format("{}:{}", range.first, range.last);
  }
  return text;
}

std::optional<UidSet> parse_uid_set(std::string_view text) {
  UidSet set;
  for (const std::string_view part : split(text, ',')) {
    const std::size_t colon = part.find(':');
    const auto first = number_of<std::uint32_t>(part.substr(0, colon));
    const auto last =
        colon == std::string_view::npos ? first : number_of<std::uint32_t>(part.substr(colon + 1));
    if (!first || !last || *first == 0 || *last == 0) return {};
    set.add(*first, *last);
  }
  set.normalize();
  return set;
}

}  // namespace plan::net::imap
