#include "compiler/syntax/yaml_recovery.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "compiler/source/report_again.h"
#include "compiler/syntax/words.h"
#include "compiler/syntax/yaml.h"

namespace plan::syntax {
namespace {

/// Lists in maps in lists: deeper the smallest part is not looked for.
constexpr std::size_t kLevelsMax = 8;
/// Parts that can be read are read so many bytes at a time, and one by one only where that fails.
constexpr std::size_t kRunBytes = std::size_t{64} << 10U;
/// What an entry does not begin with: brackets that close.
constexpr std::string_view kClosing = "}])";

bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }

/// Lines of the text, from the begin of one to behind the end of another.
struct Lines {
  std::size_t begin = 0;
  std::size_t end = 0;
};

class Search {
 public:
  Search(std::string_view text, std::uint32_t skipped, FileId file, Sink& sink,
         const TreeLimits& limits)
      : text_(text), skipped_(skipped), file_(file), sink_(sink), limits_(limits) {}

  std::vector<BrokenPart> search() {
    look_into({0, text_.size()}, 0, 0);
    return std::move(parts_);
  }

 private:
  [[nodiscard]] std::size_t line_end(std::size_t line) const {
    return std::min(text_.find('\n', line), text_.size());
  }
  [[nodiscard]] std::size_t next_line(std::size_t line) const {
    return std::min(line_end(line) + 1, text_.size());
  }
  /// The first character of a line that is no blank; the end of a line without words, or with only
  /// a comment.
  [[nodiscard]] std::size_t first_of(std::size_t line) const {
    const std::size_t end = line_end(line);
    std::size_t at = line;
    while (at < end && (text_[at] == ' ' || text_[at] == '\r')) ++at;
    const bool is_empty = text_.find_first_not_of(" \t\r", at) >= end;
    return is_empty || text_[at] == '#' ? end : at;
  }
  [[nodiscard]] bool is_item_at(std::size_t at) const {
    if (at >= text_.size() || text_[at] != '-') return false;
    const char behind = at + 1 < text_.size() ? text_[at + 1] : '\n';
    return behind == ' ' || behind == '\n' || behind == '\r';
  }
  [[nodiscard]] bool is_document_line(std::size_t line) const {
    const std::string_view rest = text_.substr(line);
    return rest.starts_with("---") || rest.starts_with("...") || rest.starts_with("%");
  }

  /// The lines cut where one begins in column `indent` or in front of it. Where entries are looked
  /// for, a list may stand in the column of its key.
  [[nodiscard]] std::vector<Lines> cut(Lines whole, std::size_t indent, bool are_items) const {
    std::vector<Lines> pieces;
    for (std::size_t line = whole.begin; line < whole.end; line = next_line(line)) {
      const std::size_t first = first_of(line);
      const bool has_words = first < line_end(line);
      const bool goes_on = has_words && (first - line > indent ||
                                         kClosing.find(text_[first]) != std::string_view::npos ||
                                         (!are_items && is_item_at(first)));
      if (has_words && !goes_on) pieces.push_back({line, line});
      if (!pieces.empty()) pieces.back().end = next_line(line);
    }
    return pieces;
  }

  struct Read {
    std::optional<Node> tree = {};
    Sink said = {};
  };

  /// Reads lines by themselves, without empty lines behind: a bracket that is not closed is missed
  /// in the last line that has something.
  [[nodiscard]] Read read(Lines lines) const {
    while (lines.end > lines.begin && is_blank(text_[lines.end - 1])) --lines.end;
    Read result;
    result.tree = read_yaml_lines(text_.substr(lines.begin, lines.end - lines.begin),
                                  skipped_ + static_cast<std::uint32_t>(lines.begin), file_,
                                  result.said, limits_);
    return result;
  }

  void tell(const Sink& said) {
    for (const Diagnostic& one : said.sorted()) {
      if (++problems_ > kProblemsMax) return;
      report_again(one, sink_);
    }
  }

  /// Finds what is broken among the entries or items that begin in column `indent` of these lines.
  void look_into(Lines whole, std::size_t indent, std::size_t level) {
    std::size_t line = whole.begin;
    while (line < whole.end && first_of(line) >= line_end(line)) line = next_line(line);
    if (line >= whole.end) return;
    if (level == 0) indent = first_of(line) - line;
    const bool are_items = is_item_at(line + indent);
    const std::vector<Lines> pieces = cut({line, whole.end}, indent, are_items);
    for (std::size_t i = 0; i < pieces.size() && problems_ < kProblemsMax;) {
      std::size_t behind = i;
      Lines run = pieces[i];
      while (behind < pieces.size() &&
             (behind == i || pieces[behind].end - run.begin <= kRunBytes)) {
        run.end = pieces[behind++].end;
      }
      const Read all = read(run);
      const NodeKind wanted = are_items ? NodeKind::sequence : NodeKind::mapping;
      if (all.tree && all.tree->kind == wanted) {
        tell(all.said);
        i = behind;
        continue;
      }
      for (; i < behind && problems_ < kProblemsMax; ++i) {
        if (level == 0 && !are_items && i > 0 && is_indented_with_tab(pieces[i].begin))
          leave_out(pieces[i - 1]);
        look_at(pieces[i], indent, are_items, level);
      }
    }
  }

  /// What a line behind a tab was meant to be part of may lack just that: nothing is said of it.
  void leave_out(Lines piece) {
    BrokenPart part = part_of(piece, first_of(piece.begin), false);
    if (part.key_end == part.at) return;
    std::erase_if(parts_, [&](const BrokenPart& one) { return one.begin >= part.begin; });
    parts_.push_back(std::move(part));
  }

  void look_at(Lines piece, std::size_t indent, bool are_items, std::size_t level) {
    if (level == 0 && is_document_line(piece.begin)) return;
    const std::size_t first = first_of(piece.begin);
    Read alone = read(piece);
    const bool is_right_kind =
        alone.tree && (are_items ? alone.tree->is_sequence() : alone.tree->is_mapping());
    const bool is_at_column = first - piece.begin == indent;
    if (is_right_kind && is_at_column) return tell(alone.said);
    BrokenPart part = part_of(piece, first, are_items);
    // What is not what stands around it, or not in its column, has no place of its own.
    if (alone.tree || !is_at_column || (are_items && !is_item_at(first))) {
      part.is_item = false;
      part.key_end = part.at;
    }
    if (alone.tree) {
      if (problems_++ < kProblemsMax)
        sink_
            .report(Kind::yaml_syntax, span(first, first + 1),
                    are_items ? "this line does not fit the list that it stands in"
                              : "this line does not fit the mapping that it stands in")
            .help(std::string(kYamlRemedy));
      parts_.push_back(std::move(part));
      return;
    }
    const std::size_t known = parts_.size();
    if (level < kLevelsMax) look_below(piece, first, part, level);
    if (parts_.size() == known) {
      tell(alone.said);
      parts_.push_back(std::move(part));
      return;
    }
    // Of a step nothing is judged when a part of it is missing, and nobody can tell where in this
    // entry an entry without a key belongs.
    const bool is_step = level == 1 && are_items && is_in_steps_;
    const bool is_nameless =
        std::any_of(parts_.begin() + static_cast<std::ptrdiff_t>(known), parts_.end(),
                    [](const BrokenPart& one) { return !one.is_item && one.key_end == one.at; });
    if (!is_step && !is_nameless) return;
    parts_.resize(known);
    parts_.push_back(std::move(part));
  }

  /// What stands inside an entry or an item that fails.
  void look_below(Lines piece, std::size_t first, const BrokenPart& part, std::size_t level) {
    if (level == 0) is_in_steps_ = part.key == "steps";
    if (part.is_item) {
      std::size_t inner = first + 1;
      while (inner < line_end(first) && text_[inner] == ' ') ++inner;
      // `- key: value` has its other keys in the column of the first.
      if (inner < line_end(first) && text_[inner] != '#' && text_[inner] != '\r') {
        return look_into_item(piece, first, inner - piece.begin, level);
      }
    } else if (!has_only_key(part)) {
      return;
    }
    // Where a line is indented with a tab nobody can tell what it belongs to.
    if (has_tab_in_indentation(piece)) return;
    std::size_t line = next_line(piece.begin);
    while (line < piece.end && first_of(line) >= line_end(line)) line = next_line(line);
    if (line < piece.end) look_into({line, piece.end}, first_of(line) - line, level + 1);
  }

  [[nodiscard]] bool has_tab_in_indentation(Lines piece) const {
    for (std::size_t line = piece.begin; line < piece.end; line = next_line(line)) {
      if (is_indented_with_tab(line)) return true;
    }
    return false;
  }
  [[nodiscard]] bool is_indented_with_tab(std::size_t line) const {
    const std::size_t first = first_of(line);
    return first < line_end(line) && text_[first] == '\t';
  }

  /// The text is looked at as if a blank stood where the item has its `-`.
  void look_into_item(Lines piece, std::size_t dash, std::size_t indent, std::size_t level) {
    std::string inner(text_.substr(piece.begin, piece.end - piece.begin));
    inner[dash - piece.begin] = ' ';
    Search below(inner, skipped_ + static_cast<std::uint32_t>(piece.begin), file_, sink_, limits_);
    below.problems_ = problems_;
    below.look_into({0, inner.size()}, indent, level + 1);
    problems_ = below.problems_;
    for (BrokenPart& one : below.parts_) parts_.push_back(std::move(one));
  }

  /// Nothing but a comment or a tag stands behind the key, on its line.
  [[nodiscard]] bool has_only_key(const BrokenPart& part) const {
    if (part.key_end == part.at) return false;
    std::size_t at = part.key_end - skipped_;
    const std::size_t end = line_end(at);
    while (at < end && text_[at] != ':') ++at;
    ++at;
    while (at < end && (text_[at] == ' ' || text_[at] == '\r')) ++at;
    if (at < end && text_[at] == '!')
      while (at < end && text_[at] != ' ' && text_[at] != '\r') ++at;
    while (at < end && (text_[at] == ' ' || text_[at] == '\r')) ++at;
    return at >= end || text_[at] == '#';
  }

  [[nodiscard]] Span span(std::size_t begin, std::size_t end) const {
    return {file_, skipped_ + static_cast<std::uint32_t>(begin),
            skipped_ + static_cast<std::uint32_t>(end)};
  }

  [[nodiscard]] BrokenPart part_of(Lines piece, std::size_t first, bool is_item) const {
    BrokenPart part;
    part.begin = span(piece.begin, piece.end).begin;
    part.end = span(piece.begin, piece.end).end;
    part.at = part.key_end = span(first, first).begin;
    part.is_item = is_item;
    if (is_item) return part;
    const std::size_t end = line_end(first);
    const bool is_quoted = text_[first] == '"' || text_[first] == '\'';
    std::size_t behind = first + (is_quoted ? 1 : 0);
    const auto is_of_key = [&](char c) {
      return is_quoted
                 ? c != text_[first]
                 : is_word_part(c) || std::string_view("./@$<>*").find(c) != std::string_view::npos;
    };
    while (behind < end && is_of_key(text_[behind])) ++behind;
    std::string key(
        text_.substr(first + (is_quoted ? 1 : 0), behind - first - (is_quoted ? 1 : 0)));
    if (is_quoted) ++behind;
    // What stands behind the colon may be what is wrong.
    const bool is_key = !key.empty() && behind < end && text_[behind] == ':';
    if (!is_key) return part;
    part.key_end = span(behind, behind).begin;
    part.key = std::move(key);
    return part;
  }

  std::string_view text_;
  std::uint32_t skipped_;
  FileId file_;
  Sink& sink_;
  const TreeLimits& limits_;
  std::vector<BrokenPart> parts_;
  std::size_t problems_ = 0;
  bool is_in_steps_ = false;
};

/// Lines that are tried; of more, nobody can tell which of them are to blame.
constexpr std::size_t kLoneQuotesMax = 3;

/// Where quotes stand that are all that their line has.
std::vector<std::size_t> lone_quotes(std::string_view text) {
  std::vector<std::size_t> found;
  for (std::size_t line = 0; line < text.size() && found.size() <= kLoneQuotesMax;) {
    const std::size_t end = std::min(text.find('\n', line), text.size());
    const std::size_t first = text.find_first_not_of(" \r", line);
    const bool is_quote = first < end && (text[first] == '"' || text[first] == '\'');
    if (is_quote && text.find_first_not_of(" \r", first + 1) >= end) found.push_back(first);
    line = end + 1;
  }
  return found;
}

/// The line of a lone quote without which the text can be read: it swallows what stands below, so
/// that by their indentation many lines would be to blame.
std::optional<BrokenPart> stray_quote(std::string_view text, std::uint32_t skipped, FileId file,
                                      Sink& sink, const TreeLimits& limits) {
  const std::vector<std::size_t> quotes = lone_quotes(text);
  if (quotes.size() > kLoneQuotesMax) return std::nullopt;
  for (const std::size_t quote : quotes) {
    std::string without(text);
    without[quote] = ' ';
    Sink said;
    if (!read_yaml_lines(without, skipped, file, said, limits)) continue;
    const std::uint32_t at = skipped + static_cast<std::uint32_t>(quote);
    sink.report(Kind::yaml_syntax, Span{file, at, at + 1}, std::string(kOpenQuote))
        .help("remove it, or put it where the text ends that it belongs to");
    for (const Diagnostic& one : said.sorted()) report_again(one, sink);
    BrokenPart part;
    part.begin = part.at = part.key_end = at;
    part.end = at + 1;
    part.is_alone = true;
    return part;
  }
  return std::nullopt;
}

}  // namespace

std::vector<BrokenPart> broken_yaml_parts(std::string_view text, std::uint32_t skipped, FileId file,
                                          Sink& sink, const TreeLimits& limits) {
  if (auto quote = stray_quote(text, skipped, file, sink, limits)) return {std::move(*quote)};
  return Search(text, skipped, file, sink, limits).search();
}

}  // namespace plan::syntax
