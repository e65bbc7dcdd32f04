#include "compiler/schema/mta_pattern.h"

#include <algorithm>
#include <list>
#include <memory>
#include <regex>
#include <unordered_map>
#include <vector>

#include "compiler/source/text.h"

namespace plan::schema {
namespace {

// Of a repetition; more states than five digits say are not compiled.
constexpr std::size_t kCountDigitsMax = 5;
/// Of what is compiled of a pattern: a character of a text may be compared with each of them.
constexpr std::size_t kStatesMax = 10'000;

/// What each thread keeps: of the patterns and of answers so many bytes, and so many states, each
/// of which may have some hundred bytes.
constexpr std::size_t kPatternsBytesMax = std::size_t{8} << 20U;
constexpr std::size_t kCompiledStatesMax = 100'000;
constexpr std::size_t kAnswersBytesMax = std::size_t{4} << 20U;
/// An address; what is longer is asked for once.
constexpr std::size_t kAnsweredTextMax = 320;
constexpr std::size_t kBytesOfEntry = 128;

[[nodiscard]] bool is_digit(char c) { return c >= '0' && c <= '9'; }

[[nodiscard]] bool is_letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c);
}

/// The server's patterns have no back references, and libstdc++ reads their numbers, and counts in
/// braces, into an integer of which it does not watch the bounds.
bool has_back_reference_or_huge_count(std::string_view pattern) {
  bool is_count = false;
  std::size_t digits = 0;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\') {
      if (++i < pattern.size() && is_digit(pattern[i])) return true;
      is_count = false;
    } else if (c == '{' || (c == ',' && is_count)) {
      is_count = true;
      digits = 0;
    } else if (is_count && is_digit(c)) {
      if (++digits > kCountDigitsMax) return true;
    } else {
      is_count = false;
    }
  }
  return false;
}

/// How many states are compiled of a pattern, about: two for a character, and all that is repeated
/// as often as `{2,3}` says. More than kStatesMax are not told apart.
[[nodiscard]] std::size_t states_of(std::string_view pattern) {
  struct Level {
    std::size_t all = 0;
    std::size_t last = 0;  // of what a count behind it repeats
  };
  const auto bounded = [](std::size_t states) { return std::min(states, kStatesMax + 1); };
  std::vector<Level> levels(1);
  const auto add = [&](std::size_t states) {
    levels.back().last = bounded(states);
    levels.back().all = bounded(levels.back().all + states);
  };
  std::size_t i = 0;
  while (i < pattern.size()) {
    const char c = pattern[i++];
    if (c == '\\') {
      ++i;
      add(2);
    } else if (c == '[') {
      while (i < pattern.size() && pattern[i] != ']') i += pattern[i] == '\\' ? 2U : 1U;
      ++i;
      add(2);
    } else if (c == '(') {
      levels.emplace_back();
    } else if (c == ')' && levels.size() > 1) {
      const std::size_t inner = levels.back().all;
      levels.pop_back();
      add(inner + 4);
    } else if (c == '{') {
      std::size_t most = 1;
      std::size_t count = 0;
      for (; i < pattern.size() && (is_digit(pattern[i]) || pattern[i] == ','); ++i) {
        count = is_digit(pattern[i])
                    ? bounded(count * 10 + static_cast<std::size_t>(pattern[i] - '0'))
                    : 0;
        most = std::max(most, count);
      }
      add(bounded(levels.back().last * most + 2));
    } else if (c == '*' || c == '+' || c == '?') {
      const std::size_t repeated = levels.back().last;
      add(2);
      levels.back().last = bounded(repeated + 2);
    } else {
      add(2);
    }
  }
  // A group that does not end: libstdc++ does not take it.
  std::size_t states = 0;
  for (const Level& level : levels) states = bounded(states + level.all);
  return states;
}

/// Reads from the left what a pattern consists of, outside of its groups.
class PatternReading {
 public:
  explicit PatternReading(std::string_view pattern) : pattern_(pattern) {}

  [[nodiscard]] PatternText read() {
    constexpr std::string_view kAnyCase = "(?i)";
    if (pattern_.starts_with(kAnyCase)) {
      text_.is_any_case = true;
      at_ = kAnyCase.size();
    }
    text_.is_from_first = at_ < pattern_.size() && pattern_[at_] == '^';
    const bool is_any_case = text_.is_any_case;
    while (at_ < pattern_.size()) {
      if (!step()) {
        PatternText nothing;
        nothing.is_any_case = is_any_case;
        return nothing;
      }
    }
    end_of_run();
    if (is_any_case) {
      text_.needed = lower_ascii(text_.needed);
      text_.domain.clear();
    }
    return std::move(text_);
  }

 private:
  /// False for what is not looked into.
  bool step() {
    const char c = pattern_[at_++];
    switch (c) {
      case '\\':
        return escape();
      case '[':
        return bracket();
      case '(':
        ++depth_;
        end_of_run();
        return true;
      case ')':
        end_of_run();
        return depth_-- > 0;
      case '|':
        // Either side will do: what stands beside it is not needed.
        return depth_ > 0;
      case '*':
      case '?':
        optional_character();
        return true;
      case '+':
        end_of_run();
        return true;
      case '{': {
        optional_character();
        const std::size_t end = pattern_.find('}', at_);
        if (end == std::string_view::npos) return false;
        at_ = end + 1;
        return true;
      }
      case '$':
        if (depth_ == 0 && at_ == pattern_.size()) end_of_text();
        end_of_run();
        return true;
      case '^':
      case '.':
      case ']':
      case '}':
        end_of_run();
        return true;
      default:
        character(c);
        return true;
    }
  }

  bool escape() {
    if (at_ == pattern_.size()) return false;
    const char c = pattern_[at_++];
    if (!is_letter_or_digit(c)) {
      character(c);
      return true;
    }
    end_of_run();
    return std::string_view("dDsSwWbB").find(c) != std::string_view::npos;
  }

  bool bracket() {
    constexpr std::string_view kPlain = ".@+*?$_";
    if (at_ + 1 < pattern_.size() && pattern_[at_ + 1] == ']' &&
        (is_letter_or_digit(pattern_[at_]) ||
         kPlain.find(pattern_[at_]) != std::string_view::npos)) {
      character(pattern_[at_]);
      at_ += 2;
      return true;
    }
    end_of_run();
    for (; at_ < pattern_.size(); ++at_) {
      const char c = pattern_[at_];
      if (c == '\\') {
        ++at_;
      } else if (c == '[') {
        return false;  // a class of characters by its name
      } else if (c == ']') {
        ++at_;
        return true;
      }
    }
    return false;
  }

  void character(char c) {
    const bool is_plain = c >= ' ' && c <= '~';
    if (depth_ == 0 && is_plain) {
      run_ += c;
    } else {
      end_of_run();
    }
  }

  /// The last one may be there any number of times, also not at all.
  void optional_character() {
    if (!run_.empty()) run_.pop_back();
    end_of_run();
  }

  void end_of_run() {
    if (run_.size() > text_.needed.size()) text_.needed = run_;
    run_.clear();
  }

  void end_of_text() {
    const std::size_t at = run_.rfind('@');
    if (at != std::string::npos) text_.domain = run_.substr(at + 1);
  }

  std::string_view pattern_;
  std::size_t at_ = 0;
  std::size_t depth_ = 0;
  std::string run_;  // characters one behind the other, each there once
  PatternText text_;
};

struct Pattern {
  PatternText text = {};
  bool is_readable = true;
  std::size_t states = 0;
  std::size_t work_of_character = 1;
  std::unique_ptr<const std::regex> compiled = {};  ///< null: given up for others
  std::list<Pattern*>::iterator used = {};          ///< of what is compiled
  std::unordered_map<std::string, std::optional<Captures>> answers = {};
};

/// The patterns of a plan are asked one after the other of each of its addresses: what is read of
/// one is kept for the next address. Most of it is small; of what is not the one that was not used
/// for the longest time is given up first.
class Patterns {
 public:
  /// Null: nobody but the server can read it.
  [[nodiscard]] Pattern* of(const std::string& pattern) {
    if (const auto known = patterns_.find(pattern); known != patterns_.end())
      return known->second.is_readable ? &known->second : nullptr;
    const std::size_t bytes = 3 * pattern.size() + 2 * kBytesOfEntry;
    if (bytes_ + bytes > kPatternsBytesMax) forget();
    bytes_ += bytes;
    Pattern& made = patterns_[pattern];
    made.text = read_pattern(pattern);
    made.states = states_of(pattern);
    // Few states are open at a time, but for those that a count makes.
    const std::size_t written = 2 * pattern.size();
    made.work_of_character =
        made.states > written ? std::max<std::size_t>((made.states - written) / 4, 1) : 1;
    made.is_readable = made.states <= kStatesMax && !has_back_reference_or_huge_count(pattern) &&
                       compile(pattern, made);
    return made.is_readable ? &made : nullptr;
  }

  [[nodiscard]] std::optional<Captures> find(const std::string& pattern, Pattern& of,
                                             const std::string& text) {
    const std::string& needed = of.text.needed;
    const bool has_needed = of.text.is_any_case && !needed.empty()
                                ? lower_ascii(text).find(needed) != std::string::npos
                                : text.find(needed) != std::string::npos;
    if (!has_needed) return std::nullopt;
    const std::size_t begins = of.text.is_from_first ? 1 : text.size() + 1;
    work_ += begins * (text.size() + 1) * of.work_of_character;
    const bool is_kept = text.size() <= kAnsweredTextMax;
    if (is_kept) {
      if (const auto known = of.answers.find(text); known != of.answers.end()) return known->second;
    }
    std::optional<Captures> found = search(pattern, of, text);
    if (!is_kept) return found;
    const std::size_t bytes =
        kBytesOfEntry + text.size() + (found ? found->size() * sizeof(Captures::value_type) : 0);
    if (answers_bytes_ + bytes > kAnswersBytesMax) {
      for (auto& [unused, one] : patterns_) one.answers.clear();
      answers_bytes_ = 0;
    }
    answers_bytes_ += bytes;
    of.answers.emplace(text, found);
    return found;
  }

  [[nodiscard]] std::size_t work() const { return work_; }

 private:
  void forget() {
    patterns_.clear();
    used_.clear();
    bytes_ = 0;
    compiled_states_ = 0;
    answers_bytes_ = 0;
  }

  [[nodiscard]] std::optional<Captures> search(const std::string& pattern, Pattern& of,
                                               const std::string& text) {
    if (of.compiled == nullptr) {
      // It was compiled before, and the same text is compiled in the same way.
      if (!compile(pattern, of)) return std::nullopt;
    } else {
      used_.splice(used_.begin(), used_, of.used);
    }
    std::smatch found;
    const auto flags = of.text.is_from_first ? std::regex_constants::match_continuous
                                             : std::regex_constants::match_default;
    if (!std::regex_search(text, found, *of.compiled, flags)) return std::nullopt;
    Captures captures;
    captures.reserve(found.size());
    for (const auto& group : found) {
      if (!group.matched) {
        captures.emplace_back(0, 0);
        continue;
      }
      captures.emplace_back(static_cast<std::uint32_t>(group.first - text.begin()),
                            static_cast<std::uint32_t>(group.second - text.begin()));
    }
    return captures;
  }

  [[nodiscard]] bool compile(const std::string& pattern, Pattern& of) {
    while (!used_.empty() && compiled_states_ + of.states > kCompiledStatesMax) {
      Pattern* oldest = used_.back();
      used_.pop_back();
      oldest->compiled.reset();
      compiled_states_ -= oldest->states;
    }
    // The breadth-first matcher of libstdc++: time linear in the text whatever the pattern.
    auto flags = std::regex::ECMAScript | std::regex_constants::__polynomial;
    if (of.text.is_any_case) flags |= std::regex::icase;
    try {
      of.compiled = std::make_unique<const std::regex>(
          pattern.substr(of.text.is_any_case ? std::string_view("(?i)").size() : 0), flags);
    } catch (const std::regex_error&) {
      return false;
    }
    used_.push_front(&of);
    of.used = used_.begin();
    compiled_states_ += of.states;
    return true;
  }

  std::unordered_map<std::string, Pattern> patterns_;
  std::list<Pattern*> used_;  // those of which something compiled is there, the last one in front
  std::size_t bytes_ = 0;
  std::size_t compiled_states_ = 0;
  std::size_t answers_bytes_ = 0;
  std::size_t work_ = 0;
};

[[nodiscard]] Patterns& patterns_of_thread() {
  thread_local Patterns patterns;
  return patterns;
}

}  // namespace

PatternText read_pattern(std::string_view pattern) { return PatternReading(pattern).read(); }

PatternAnswer find_pattern(const std::string& pattern, const std::string& text) {
  Patterns& patterns = patterns_of_thread();
  Pattern* known = patterns.of(pattern);
  if (known == nullptr) return {false, std::nullopt};
  return {true, patterns.find(pattern, *known, text)};
}

std::size_t pattern_work() { return patterns_of_thread().work(); }

std::string domain_of_pattern(const MtaExpression& expression, const MtaNode& node) {
  if (node.kind != MtaNode::Kind::matches || node.children.size() != 2) return {};
  const std::string& pattern = expression.nodes[node.children[0]].text;
  const MtaNode& subject = expression.nodes[node.children[1]];
  if (subject.kind != MtaNode::Kind::variable || subject.text != "rcpt") return {};
  if (pattern.size() > kPatternBytesMax) return {};
  const Pattern* known = patterns_of_thread().of(pattern);
  return known == nullptr ? std::string() : known->text.domain;
}

}  // namespace plan::schema
