#include "compiler/flow/text_for_pattern.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace plan::flow {
namespace {

constexpr std::size_t kPatternDepthMax = 32;

[[nodiscard]] bool is_digit(char c) { return c >= '0' && c <= '9'; }
[[nodiscard]] bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c) || c == '_';
}

/// The shortest way through a regular expression: the first alternative, no repetition that may be
/// left out; a group for which there is a text has that one.
class ShortestText {
 public:
  ShortestText(std::string_view pattern, const Groups* groups) : rest_(pattern), groups_(groups) {
    if (rest_.starts_with("(?i)")) rest_.remove_prefix(4);
  }

  [[nodiscard]] std::optional<std::string> text() {
    std::string text = alternatives(0);
    if (is_beyond_ || !rest_.empty() || text.size() > kTextBytesMax) return std::nullopt;
    return text;
  }

 private:
  [[nodiscard]] bool take(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }

  std::string beyond() {
    is_beyond_ = true;
    rest_ = {};
    return {};
  }

  std::string alternatives(std::size_t depth) {
    if (depth > kPatternDepthMax) return beyond();
    std::string first = sequence(depth);
    while (take('|')) (void)sequence(depth);
    return first;
  }

  std::string sequence(std::size_t depth) {
    std::string text;
    while (!rest_.empty() && rest_.front() != '|' && rest_.front() != ')') {
      const std::string atom = this->atom(depth);
      const std::size_t times = repetitions();
      for (std::size_t i = 0; i < times && text.size() <= kTextBytesMax; ++i) text += atom;
    }
    return text;
  }

  std::string atom(std::size_t depth) {
    const char c = rest_.front();
    rest_.remove_prefix(1);
    switch (c) {
      case '(': {
        const bool is_kept = !take('?');
        if (!is_kept && !take(':')) return beyond();
        const std::size_t number = is_kept ? ++group_ : 0;
        std::string inner = alternatives(depth + 1);
        if (!take(')')) return beyond();
        if (!is_kept || groups_ == nullptr) return inner;
        const auto wanted = groups_->find(number);
        return wanted == groups_->end() ? inner : wanted->second;
      }
      case '[':
        return one_of_class();
      case '\\':
        return escaped();
      case '.':  // mostly the one of a domain
        return !rest_.empty() && is_word(rest_.front()) ? "." : "a";
      case '^':
      case '$':
        return {};
      case '*':
      case '+':
      case '?':
      case '{':
        return beyond();
      default:
        return {c};
    }
  }

  std::string escaped() {
    if (rest_.empty()) return beyond();
    const char c = rest_.front();
    rest_.remove_prefix(1);
    if (c == 'd') return "1";
    if (c == 'w' || c == 'S' || c == 'D') return "a";
    if (c == 'W') return "-";
    if (c == 'b') return {};
    return is_word(c) ? beyond() : std::string(1, c);
  }

  /// A character of a class; of one that excludes, a usual one that it does not exclude.
  std::string one_of_class() {
    const bool excludes = take('^');
    std::vector<std::pair<char, char>> ranges;
    bool is_first = true;
    while (is_first || rest_.empty() || rest_.front() != ']') {
      if (rest_.empty() || rest_.front() == '[') return beyond();
      is_first = false;
      const bool is_escaped = take('\\');
      if (rest_.empty()) return beyond();
      const char begin = rest_.front();
      rest_.remove_prefix(1);
      if (is_escaped && begin == 'd') {
        ranges.emplace_back('0', '9');
      } else if (is_escaped && begin == 'w') {
        ranges.insert(ranges.end(), {{'a', 'z'}, {'A', 'Z'}, {'0', '9'}, {'_', '_'}});
      } else if (is_escaped && is_word(begin)) {
        return beyond();
      } else if (rest_.size() > 1 && rest_[0] == '-' && rest_[1] != ']') {
        if (rest_[1] == '\\') return beyond();
        ranges.emplace_back(begin, rest_[1]);
        rest_.remove_prefix(2);
      } else {
        ranges.emplace_back(begin, begin);
      }
    }
    rest_.remove_prefix(1);
    const auto is_in = [&](char c) {
      return std::any_of(ranges.begin(), ranges.end(),
                         [&](const auto& range) { return c >= range.first && c <= range.second; });
    };
    constexpr std::string_view kUsual = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    const auto usual =
        std::find_if(kUsual.begin(), kUsual.end(), [&](char c) { return is_in(c) != excludes; });
    if (usual != kUsual.end()) return {*usual};
    return excludes ? beyond() : std::string(1, ranges.front().first);
  }

  [[nodiscard]] std::size_t repetitions() {
    std::size_t times = 1;
    if (take('*') || take('?')) {
      times = 0;
    } else if (!take('+') && take('{')) {
      const std::size_t end = rest_.find('}');
      if (end == std::string_view::npos || end == 0 || !is_digit(rest_.front())) {
        beyond();
        return 0;
      }
      times = 0;
      for (std::size_t i = 0; i < end && is_digit(rest_[i]); ++i)
        times = std::min(times * 10 + static_cast<std::size_t>(rest_[i] - '0'), kTextBytesMax + 1);
      rest_.remove_prefix(end + 1);
    }
    (void)take('?');  // a lazy one
    return times;
  }

  std::string_view rest_;
  const Groups* groups_ = nullptr;
  std::size_t group_ = 0;  // the last one that was begun
  bool is_beyond_ = false;
};

}  // namespace

std::optional<std::string> text_for_pattern(std::string_view pattern, const Groups* groups) {
  return ShortestText(pattern, groups).text();
}

}  // namespace plan::flow
