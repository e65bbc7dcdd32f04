// Problems of a text of the plan language, and where reading goes on behind one.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/source/text.h"
#include "compiler/syntax/grammar_words.h"
#include "compiler/syntax/language_builder.h"
#include "compiler/syntax/words.h"

namespace plan::syntax {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

// What ends a name and begins nothing: as a rule it belongs to a text whose quotes are missing.
constexpr std::string_view kNoPartOfNames = "/:@-*%+\\~;?";

bool ends_bare_text(char c) {
  return is_blank(c) || std::string_view("\n,[]{}()=\"'").find(c) != std::string_view::npos;
}

}  // namespace

void LanguageBuilder::report(Kind kind, Span where, std::string message) {
  count_problem();
  sink_.report(kind, where, std::move(message));
}

void LanguageBuilder::count_problem() {
  is_broken_ = true;
  if (++problems_ >= kProblemsMax) is_stopped_ = true;
}

LanguageBuilder::At LanguageBuilder::behind_blanks(At at) const {
  while (at < end()) {
    if (is_blank(*at) || *at == '\n') {
      ++at;
    } else if (*at == '#' && expressions_ == 0) {
      while (at < end() && *at != '\n') ++at;
    } else {
      break;
    }
  }
  return at;
}

/// Behind a text that begins at `at`; the end of the line when it is not closed.
LanguageBuilder::At LanguageBuilder::behind_text(At at) const {
  const char quote = *at++;
  while (at < end() && *at != '\n') {
    if (*at == '\\' && quote == '"' && at + 1 < end() && at[1] != '\n') {
      at += 2;
    } else if (*at++ == quote) {
      return at;
    }
  }
  return at;
}

/// The end of the last thing in front of `at` that is no blank and no comment. Texts end on their
/// line, so each line can be read by itself.
LanguageBuilder::At LanguageBuilder::end_before(At at) const {
  At line_end = at;
  while (true) {
    At line = line_end;
    while (line > text_.data() && line[-1] != '\n') --line;
    At last = nullptr;
    for (At i = line; i < line_end && *i != '#';) {
      if (is_blank(*i)) {
        ++i;
        continue;
      }
      i = *i == '"' || *i == '\'' ? behind_text(i) : i + 1;
      last = std::min(i, line_end);
    }
    if (last != nullptr) return last;
    if (line == text_.data()) return line;
    line_end = line - 1;
  }
}

/// `own/a` behind a `=` or in a list, where reading stopped at the `/`; empty: it is something
/// else.
std::string_view LanguageBuilder::bare_text_at(At at) const {
  if (at == end() || kNoPartOfNames.find(*at) == std::string_view::npos) return {};
  At begin = at;
  while (begin > text_.data() && !ends_bare_text(begin[-1])) --begin;
  At behind = at;
  while (behind < end() && !ends_bare_text(*behind)) ++behind;
  At before = begin;
  while (before > text_.data() && is_blank(before[-1])) --before;
  const bool is_value =
      before > text_.data() && (before[-1] == '=' || before[-1] == '[' || before[-1] == ',');
  return is_value ? view(begin, behind) : std::string_view();
}

/// `two words` behind a `=`: the second one was taken for the next entry, which is not there.
/// Empty: it is something else, or longer than a text that somebody would write so.
std::string_view LanguageBuilder::bare_words_before(At at) const {
  constexpr std::ptrdiff_t kBytesMax = 200;
  const auto is_part = [](char c) { return is_word_part(c) || c == '.' || c == ' '; };
  At begin = at;
  while (begin > text_.data() && at - begin < kBytesMax && is_part(begin[-1])) --begin;
  const bool is_value = begin > text_.data() && begin[-1] == '=' &&
                        (begin - 1 == text_.data() ||
                         std::string_view("=!<>").find(begin[-2]) == std::string_view::npos);
  if (!is_value) return {};
  At behind = at;
  while (behind < end() && behind - at < kBytesMax && is_part(*behind)) ++behind;
  if (behind < end() && (*behind == '=' || *behind == '{')) return {};
  const std::string_view words = trim(view(begin, behind));
  const bool is_text = words.find(' ') != std::string_view::npos && !words.starts_with("for ");
  return is_text ? words : std::string_view();
}

void LanguageBuilder::problem(At at, std::string_view which) {
  const At unclosed = unclosed_;
  unclosed_ = nullptr;
  const At token = behind_blanks(at);
  const auto complaint = std::move(complaint_);
  complaint_.reset();
  if (is_stopped_ || (resumed_ != nullptr && token == behind_blanks(resumed_))) return;
  resumed_ = at;
  const Kind kind = expressions_ > 0 ? Kind::expression_syntax : syntax_kind_;
  count_problem();
  if (complaint) {
    sink_
        .report(expressions_ > 0 ? kind : Kind::language_bound,
                span(complaint->at, complaint->at + 1), complaint->message)
        .help(complaint->help);
    return;
  }
  if (which == kTextEnd) {
    // The line is read by itself; what is open at its end is the text.
    At line = at;
    while (line > text_.data() && line[-1] != '\n') --line;
    At begin = line;
    while (begin < at) {
      if (*begin != '"' && *begin != '\'') {
        ++begin;
        continue;
      }
      const At behind = behind_text(begin);
      if (behind >= at) break;
      begin = behind;
    }
    sink_.report(kind, span(begin, at), "the text is not closed");
    return;
  }
  std::string wanted(which);
  if (wanted.size() == 3 && wanted.front() == '\'') wanted = fmt::format("`{}`", wanted[1]);
  At begin = token;
  At behind = token;
  const At before = end_before(token);
  // What should stand on a line of its own does not lack behind the line before.
  const bool is_of_line = wanted.starts_with("a statement");
  if (token == end() || (!is_of_line && std::find(before, token, '\n') != token)) {
    begin = before;
    behind = before + 1;
  } else if (*token == '"' || *token == '\'') {
    behind = behind_text(token);
  } else {
    while (behind < end() && is_word_part(*behind)) ++behind;
    if (behind == token) ++behind;
    // A character of several bytes is one place.
    while (behind < end() && (static_cast<unsigned char>(*behind) & 0xC0U) == 0x80U) ++behind;
  }
  auto report = sink_.report(kind, span(begin, behind),
                             token == end() && expressions_ == 0
                                 ? fmt::format("the file ends here, {} should stand here", wanted)
                                 : fmt::format("{} should stand here", wanted));
  std::string_view bare = bare_text_at(at);
  if (bare.empty() && expressions_ == 0) bare = bare_words_before(before);
  if (const std::string_view help = help_of_other_language(token); !help.empty())
    report.help(std::string(help));
  else if (!bare.empty())
    report.help(fmt::format("a text stands in quotes: `\"{}\"`", printable(bare, 80)));
  if (unclosed != nullptr &&
      (wanted.find('}') != std::string::npos || wanted.find(']') != std::string::npos ||
       wanted.find(')') != std::string::npos))
    report.note(span(unclosed, unclosed + 1), fmt::format("this `{}` is not closed", *unclosed));
}

/// What somebody means who writes as in another language: its comments, the end of its statements.
std::string_view LanguageBuilder::help_of_other_language(At token) const {
  if (expressions_ != 0) return {};
  const std::string_view rest = view(token, end());
  for (const std::string_view comment : {"//", "--", "/*"}) {
    if (rest.starts_with(comment)) return "a comment begins with `#`";
  }
  return rest.starts_with(';') ? "a statement ends with its line: nothing closes it" : "";
}

/// Does a line begin here like an entry or a statement? In the first column that ends every
/// bracket.
bool LanguageBuilder::is_entry_line(At at, bool is_statement_only) const {
  const bool is_first_column = at == text_.data() || at[-1] == '\n';
  if (is_statement_only && !is_first_column) return false;
  while (at < end() && is_blank(*at)) ++at;
  if (at == end()) return true;
  if (*at == '}') return true;
  At behind = at;
  if (*at == '"') {
    behind = behind_text(at);
  } else {
    while (behind < end() && is_word_part(*behind)) ++behind;
  }
  const std::string_view word = view(at, behind);
  if (word.empty()) return false;
  const bool has_blank = behind < end() && is_blank(*behind);
  while (behind < end() && is_blank(*behind)) ++behind;
  if (behind == end()) return false;
  if (*behind == '{') return word != "for";
  if (*behind == '=') return behind + 1 == end() || behind[1] != '=';
  return has_blank && is_statement_word(word);
}

LanguageBuilder::At LanguageBuilder::goes_on_at(At at) {
  resumed_ = at;
  return at;
}

LanguageBuilder::At LanguageBuilder::skip(At at, Stop stop) {
  if (is_stopped_) return end();
  at = behind_blanks(at);
  At line = at;
  while (line > text_.data() && is_blank(line[-1])) --line;
  if ((line == text_.data() || line[-1] == '\n') && at < end() && is_entry_line(line, false))
    return goes_on_at(at);
  std::size_t depth = 0;
  while (at < end()) {
    const char c = *at;
    if (c == '\n') {
      ++at;
      if (at < end() && is_entry_line(at, depth > 0)) return goes_on_at(behind_blanks(at));
      continue;
    }
    if (c == '#') {
      while (at < end() && *at != '\n') ++at;
      continue;
    }
    if (c == '"' || c == '\'') {
      at = behind_text(at);
      continue;
    }
    if (c == '{' || c == '[' || c == '(') {
      ++depth;
    } else if (c == '}' || c == ']' || c == ')') {
      if (depth > 0) {
        --depth;
      } else if (c == '}' || (c == ']' && stop == Stop::item)) {
        return goes_on_at(at);
      } else if (c == ']' && stop == Stop::list) {
        return goes_on_at(at + 1);
      }
    } else if (c == ',' && depth == 0 && stop == Stop::item) {
      return goes_on_at(at);
    }
    ++at;
  }
  return goes_on_at(at);
}

/// The line where reading stopped, when it begins a statement in the first column; else nullptr.
LanguageBuilder::At LanguageBuilder::broken_head(At at) const {
  const At before = end_before(behind_blanks(at));
  At line = before;
  while (line > text_.data() && line[-1] != '\n') --line;
  const bool is_head = line < before && !is_blank(*line) && *line != '}' && *line != ']';
  return is_head && !is_stopped_ ? line : nullptr;
}

/// What is indented below a line belongs to it, and so does the bracket that ends it: where that is
/// over; nullptr when nothing is.
LanguageBuilder::At LanguageBuilder::behind_indented(At line) {
  bool has_indented = false;
  At at = std::find(line, end(), '\n');
  while (at < end()) {
    ++at;  // the begin of a line
    At first = at;
    while (first < end() && is_blank(*first)) ++first;
    const bool is_empty = first == end() || *first == '\n' || *first == '#';
    if (!is_empty && first == at) {
      if (!has_indented) return nullptr;
      if (*at == '}') ++at;
      return goes_on_at(behind_blanks(at));
    }
    has_indented = has_indented || !is_empty;
    at = std::find(first, end(), '\n');
  }
  return has_indented ? goes_on_at(end()) : nullptr;
}

LanguageBuilder::At LanguageBuilder::next_entry(At, At at) {
  const At head = broken_head(at);
  const At behind = head == nullptr ? nullptr : behind_indented(head);
  return behind == nullptr ? skip(at, Stop::entry) : behind;
}
LanguageBuilder::At LanguageBuilder::next_item(At, At at) { return skip(at, Stop::item); }
LanguageBuilder::At LanguageBuilder::behind_list(At begin, At at) {
  // The bracket itself was the problem: it is still to be counted.
  const bool is_at_bracket = behind_blanks(begin) == behind_blanks(at);
  return skip(at, is_at_bracket ? Stop::item : Stop::list);
}
LanguageBuilder::At LanguageBuilder::next_statement(At, At at) {
  at = behind_blanks(at);
  const At next = skip(at, Stop::entry);
  if (next > at || at == end()) return next;
  // A bracket that closes nothing: everything up to the next line that begins like an entry.
  return skip(at + 1, Stop::entry);
}

}  // namespace plan::syntax
