#include "compiler/syntax/format.h"

#include <fmt/format.h>

#include <algorithm>

#include "compiler/source/text.h"
#include "compiler/syntax/language.h"
#include "compiler/syntax/scalar.h"
#include "compiler/syntax/words.h"
#include "compiler/syntax/writer.h"
#include "compiler/syntax/yaml.h"

namespace plan::syntax {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

/// Of words that may stand in front of a part on its line.
bool is_lead(char c) { return c == '-' || c == '?' || is_blank(c) || (c >= 'a' && c <= 'z'); }

// A carriage return within it would end it in YAML.
std::string text_of_comment(std::string_view text, const Comment& comment) {
  std::string words(text.substr(comment.begin, comment.end - comment.begin));
  std::replace(words.begin(), words.end(), '\r', ' ');
  return words;
}

std::vector<std::string> texts_of_comments(std::string_view text, const Node& tree,
                                           Language language) {
  std::vector<std::string> texts;
  for (const Comment& comment : comments_of(text, tree, language))
    texts.push_back(text_of_comment(text, comment));
  std::sort(texts.begin(), texts.end());
  return texts;
}

bool is_one_expression(const Node& scalar) {
  return scalar.tag.empty() && scalar.text.starts_with("${") && scalar.text.ends_with('}');
}

/// Without the blanks inside its braces, and with its texts in one kind of quotes.
std::string in_one_style(const Node& expression) {
  const std::string_view inner =
      trim(std::string_view(expression.text).substr(2, expression.text.size() - 3));
  return with_plain_quotes(fmt::format("${{{}}}", inner));
}

bool is_expression_over_lines(const Node& scalar) {
  return scalar.text.find('\n') != std::string::npos && scalar.text.starts_with("${");
}

}  // namespace

std::string with_single_blanks(std::string_view expression) {
  std::string line;
  char quote = 0;
  for (std::size_t at = 0; at < expression.size(); ++at) {
    const char c = expression[at];
    if (quote == 0 && (c == '\n' || c == ' ' || c == '\t' || c == '\r')) {
      if (!line.ends_with(' ')) line += ' ';
      continue;
    }
    line += c;
    if (quote == 0) {
      if (c == '"' || c == '\'') quote = c;
    } else if (c == '\\' && quote == '"' && at + 1 < expression.size()) {
      line += expression[++at];
    } else if (c == quote) {
      quote = 0;
    }
  }
  return line;
}

std::string with_plain_quotes(std::string expression) {
  constexpr std::string_view kNeedOthers = "'\\$\n";
  std::size_t open = std::string::npos;
  for (std::size_t at = 0; at < expression.size(); ++at) {
    const char c = expression[at];
    if (open == std::string::npos) {
      if (c == '"' || c == '\'') open = at;
    } else if (c == '\\' && expression[open] == '"') {
      ++at;
    } else if (c == expression[open]) {
      const auto text = std::string_view(expression).substr(open + 1, at - open - 1);
      if (text.find_first_of(kNeedOthers) == std::string_view::npos)
        expression[open] = expression[at] = '\'';
      open = std::string::npos;
    }
  }
  return expression;
}

std::string quoted_text(std::string_view text) {
  std::string quoted = "\"";
  for (const char c : text) {
    switch (c) {
      case '"':
        quoted += "\\\"";
        break;
      case '\\':
        quoted += "\\\\";
        break;
      case '\n':
        quoted += "\\n";
        break;
      case '\r':
        quoted += "\\r";
        break;
      case '\t':
        quoted += "\\t";
        break;
      default:
        quoted += c;
    }
  }
  return quoted + '"';
}

bool is_quantity(std::string_view text) {
  return read_duration_ms(text).has_value() || read_bytes(text).has_value();
}

bool is_plain_value(const Node& scalar) {
  return !scalar.is_quoted && scalar.tag.empty() && !scalar_value(scalar).is_string();
}

std::size_t Writer::column() const {
  const std::size_t line = out_.rfind('\n');
  return out_.size() - (line == std::string::npos ? 0 : line + 1);
}

std::uint32_t Writer::lead_begin(std::uint32_t at) const {
  while (at > 0 && is_lead(layout_.text[at - 1])) --at;
  return at;
}

bool Writer::has_empty_line_above(std::uint32_t at) const {
  const std::string_view text = layout_.text;
  const std::uint32_t line = lead_begin(at);
  if (line == 0 || text[line - 1] != '\n') return false;
  std::uint32_t above = line - 1;
  while (above > 0 && is_blank(text[above - 1])) --above;
  return above == 0 || text[above - 1] == '\n';
}

bool Writer::begins_line(std::uint32_t at, char sign) const {
  // In the plan language no collection is opened without a bracket, which is no lead.
  if (layout_.language == Language::plan) return true;
  const std::string_view text = layout_.text;
  while (at > 0 && is_blank(text[at - 1])) --at;
  if (at > 0 && text[at - 1] == sign) --at;
  while (at > 0 && is_blank(text[at - 1])) --at;
  return at > 0 && text[at - 1] == '\n';
}

void Writer::write_comment(const Comment& comment) {
  out_ += text_of_comment(layout_.text, comment);
  is_written_[comment.index] = true;
  has_comment_ = true;
}

void Writer::write_comment_lines(const CommentPlaces::List& comments, std::size_t from,
                                 std::size_t to, std::size_t indent, bool is_first,
                                 bool keeps_empty_lines) {
  std::uint32_t column = 0;
  for (std::size_t i = from; i < to; ++i) {
    const Comment& comment = comments[i];
    const bool goes_on = i > from && comment.column >= column &&
                         is_directly_below(layout_.text, comments[i - 1], comment);
    if (!goes_on) column = comment.column;
    if (keeps_empty_lines && !is_first && has_empty_line_above(comment.begin)) end_line();
    is_first = false;
    begin_line(indent + (comment.column - column));
    write_comment(comment);
    end_line();
  }
}

void Writer::write_before(const void* part, std::uint32_t place, std::size_t indent, Front front) {
  write_before(part, place, indent, front, '?');
}

void Writer::write_before_item(const Node& item, std::size_t indent, Front front) {
  const std::uint32_t place = item.tag.span().is_known()
                                  ? std::min(item.tag.span().begin, item.span.begin)
                                  : item.span.begin;
  // Where nothing stands behind a dash the reader knows no place.
  const bool is_left_out = item.is_null() && item.span.begin == item.span.end;
  write_before(&item, place, indent,
               is_left_out && front == Front::opening ? Front::nothing : front, '-');
}

void Writer::write_before(const void* part, std::uint32_t place, std::size_t indent, Front front,
                          char sign) {
  if (!has_layout()) return;
  const CommentPlaces::List& comments = layout_.comments.before(part);
  // Others come from inside the part: they stand right in front of it.
  const auto in_front = static_cast<std::size_t>(
      std::count_if(comments.begin(), comments.end(),
                    [&](const Comment& comment) { return comment.begin < place; }));
  const bool keeps_first = front == Front::part || (front == Front::opening && in_front > 0 &&
                                                    comments.front().has_own_line);
  write_comment_lines(comments, 0, in_front, indent, !keeps_first, true);
  if (has_empty_line_above(place)) {
    const std::uint32_t line = lead_begin(place);
    if (front == Front::part || in_front > 0 ||
        (front == Front::opening && below_empty_line_ != line && begins_line(place, sign)))
      end_line();
    below_empty_line_ = line;
  }
  write_comment_lines(comments, in_front, comments.size(), indent, true, false);
}

void Writer::write_behind(const CommentPlaces::List& comments) {
  if (has_comment_ || comments.empty()) return;
  // Comments that stood under one another still do; behind a line that has become shorter than
  // the page, one does not stay out there.
  const Comment& first = comments.front();
  const std::size_t nearest = std::max<std::size_t>(first.column, column() + 1);
  const bool keeps_column = layout_.language == to_ && nearest < options_.width_columns;
  const std::size_t place = keeps_column ? nearest : column() + 2;
  for (std::size_t i = 0; i < comments.size(); ++i) {
    const Comment& comment = comments[i];
    if (i > 0) {
      // Another comment of the same line has no place behind the first.
      const bool goes_on = comment.column >= first.column &&
                           is_directly_below(layout_.text, comments[i - 1], comment);
      if (!goes_on) break;
      end_line();
    }
    begin_line(place + (comment.column - first.column) - column());
    write_comment(comment);
  }
}

void Writer::write_lines(const CommentPlaces::List& comments, std::size_t indent) {
  write_comment_lines(comments, 0, comments.size(), indent, true, false);
}

void Writer::write_tail(const Node& node, std::size_t indent, bool is_first) {
  const CommentPlaces::List& comments = layout_.comments.at_tail(node);
  write_comment_lines(comments, 0, comments.size(), indent, is_first, true);
}

Written Writer::take_written() {
  Written written{std::move(out_), {}};
  for (const Comment& comment : layout_.comments.all()) {
    if (!is_written_[comment.index]) written.left_out.push_back(comment);
  }
  return written;
}

bool Writer::is_inline(const Node& node) const {
  if (node.items.empty() && node.entries.empty()) return !layout_.comments.are_inside(node);
  if (!has_layout() || !node.span.is_known()) {
    return node.is_sequence() &&
           std::all_of(node.items.begin(), node.items.end(),
                       [](const Node& item) { return item.is_scalar() || item.is_null(); });
  }
  const std::string_view text =
      layout_.text.substr(node.span.begin, node.span.end - node.span.begin);
  return !text.empty() && (text.front() == '{' || text.front() == '[') &&
         text.find('\n') == std::string_view::npos && !layout_.comments.are_inside(node);
}

bool Writer::fits(std::string_view text) const {
  return text.find('\n') == std::string_view::npos &&
         column() + display_width(text) <= options_.width_columns;
}

std::string Writer::on_one_line(std::string_view expression) {
  std::string line;
  for (const std::string_view part : split(expression, '\n')) {
    const std::string_view words = trim(part);
    if (words.empty()) continue;
    if (!line.empty()) line += ' ';
    line += words;
  }
  return with_plain_quotes(std::move(line));
}

bool mean_the_same(const Node& left, const Node& right) {
  if (!left.tag.is(right.tag.text())) return false;
  // Behind a tag YAML has no null: it is a text there.
  if (!left.tag.empty() && left.is_null() != right.is_null()) {
    const Node& other = left.is_null() ? right : left;
    return other.is_scalar() && other.text == "null";
  }
  if (left.kind != right.kind) return false;
  switch (left.kind) {
    case NodeKind::null:
      return true;
    case NodeKind::scalar:
      // A bare expression over several lines is written on one.
      if (is_expression_over_lines(left) || is_expression_over_lines(right))
        return with_plain_quotes(with_single_blanks(left.text)) ==
               with_plain_quotes(with_single_blanks(right.text));
      if (is_one_expression(left) && is_one_expression(right))
        return in_one_style(left) == in_one_style(right);
      if (!left.tag.empty()) return left.text == right.text;
      if (is_quantity(left.text) && left.is_quoted != right.is_quoted) return false;
      return scalar_value(left) == scalar_value(right);
    case NodeKind::sequence:
      return left.items.size() == right.items.size() &&
             std::equal(left.items.begin(), left.items.end(), right.items.begin(), mean_the_same);
    case NodeKind::mapping:
      break;
  }
  if (left.entries.size() != right.entries.size()) return false;
  std::vector<const Entry*> by_key[2];
  for (const Entry& entry : left.entries) by_key[0].push_back(&entry);
  for (const Entry& entry : right.entries) by_key[1].push_back(&entry);
  for (auto& entries : by_key) {
    std::sort(entries.begin(), entries.end(),
              [](const Entry* a, const Entry* b) { return a->key < b->key; });
  }
  return std::equal(by_key[0].begin(), by_key[0].end(), by_key[1].begin(),
                    [](const Entry* a, const Entry* b) {
                      return a->key == b->key && mean_the_same(a->value, b->value);
                    });
}

std::string write_text(const Node& tree, Layout& layout, Language to,
                       const FormatOptions& options) {
  while (true) {
    Written written = to == Language::yaml ? write_yaml(tree, layout, options)
                                           : write_language(tree, layout, options);
    if (!layout.comments.raise(written.left_out)) return std::move(written.text);
  }
}

std::string write_tree(const Node& tree, Language to, const FormatOptions& options) {
  Layout none;
  return write_text(tree, none, to, options);
}

namespace {

/// `tree` as it stands in a file, or stands there but for one value.
Formatted write_again(const SourceSet& sources, FileId file, const Node& tree, Language to,
                      const TreeLimits& limits, const FormatOptions& options) {
  Layout layout;
  layout.language = is_language_file(sources.name(file)) ? Language::plan : Language::yaml;
  layout.text = sources.text(file);
  layout.comments = CommentPlaces(layout.text, tree, layout.language);
  std::string text = write_text(tree, layout, to, options);
  SourceSet written;
  Sink unheard;
  const FileId again =
      written.add(to == Language::plan ? "written.plan" : "written.yaml", std::move(text));
  const auto tree_again = read_source(written, again, unheard, limits);
  const bool is_whole = tree_again && !unheard.has_errors() && mean_the_same(tree, *tree_again) &&
                        texts_of_comments(layout.text, tree, layout.language) ==
                            texts_of_comments(written.text(again), *tree_again, to);
  if (!is_whole) return {.text = {}, .is_lossy = true};
  return {.text = std::string(written.text(again))};
}

[[nodiscard]] std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

/// The entry `accounts.from` of a plan; null when there is none.
[[nodiscard]] Entry* accounts_entry(Node& tree) {
  for (Entry& entry : tree.entries) {
    if (entry.key != "accounts" || !entry.value.is_mapping()) continue;
    for (Entry& inner : entry.value.entries) {
      if (inner.key == "from") return &inner;
    }
  }
  return nullptr;
}

/// The list that `from` is, or has as its `list`; null when it is something else.
[[nodiscard]] const Node* list_of(const Node& from) {
  if (from.is_sequence()) return &from;
  const Node* list = from.entries.size() == 1 ? from.find("list") : nullptr;
  return list != nullptr && list->is_sequence() ? list : nullptr;
}

/// The comments of the list's items, which are blanked in `text`: one for each item, the words of a
/// line of its own and of the one behind it together. Empty: there are none.
[[nodiscard]] std::vector<std::string> take_comments(std::string& text, const CommentPlaces& places,
                                                     const Node& list) {
  std::vector<std::string> taken(list.items.size());
  bool has_one = false;
  const auto take = [&](const CommentPlaces::List& comments, std::string& into) {
    for (const Comment& comment : comments) {
      const std::size_t size = comment.end - comment.begin;
      std::string_view words = std::string_view(text).substr(comment.begin, size);
      words.remove_prefix(std::min(words.size(), words.find_first_not_of('#')));
      if (!into.empty()) into += ' ';
      into += trim(words);
      text.replace(comment.begin, size, size, ' ');
      has_one = true;
    }
  };
  for (std::size_t i = 0; i < list.items.size(); ++i) {
    take(places.before(&list.items[i]), taken[i]);
    take(places.behind(&list.items[i]), taken[i]);
  }
  if (!taken.empty()) take(places.at_tail(list), taken.back());
  // Without its node a name with a `#` would be read as a comment.
  for (const Node& item : list.items) {
    for (std::size_t at = item.span.begin; at < item.span.end; ++at)
      if (text[at] == '#') text[at] = ' ';
  }
  if (!has_one) taken.clear();
  return taken;
}

}  // namespace

Formatted format_source(const SourceSet& sources, FileId file, Language to, Sink& sink,
                        const TreeLimits& limits, const FormatOptions& options) {
  const auto tree = read_source(sources, file, sink, limits);
  if (!tree || sink.has_errors()) return {};
  return write_again(sources, file, *tree, to, limits, options);
}

MovedAccounts move_accounts(const SourceSet& sources, FileId file, Language to,
                            const std::string& path, Sink& sink, const TreeLimits& limits) {
  auto tree = read_source(sources, file, sink, limits);
  if (!tree || sink.has_errors()) return {};
  Entry* from = accounts_entry(*tree);
  const Node* list = from == nullptr ? nullptr : list_of(from->value);
  if (list == nullptr) {
    sink.report(Kind::wrong_type, from == nullptr ? tree->span : from->key_span,
                "this plan has no list of accounts")
        .help("only a list under `accounts: {from: [...]}` can become a file");
    return {};
  }
  for (const Node& item : list->items) {
    const bool is_plain = item.is_scalar() && item.tag.empty() && !item.is_expression &&
                          item.text.find("${") == std::string::npos;
    if (!is_plain) return {.plan = {.text = {}, .is_lossy = true}};
  }
  const Language language = is_language_file(sources.name(file)) ? Language::plan : Language::yaml;
  std::string text(sources.text(file));
  const std::vector<std::string> comments =
      take_comments(text, CommentPlaces(sources.text(file), *tree, language), *list);
  MovedAccounts moved;
  moved.csv = comments.empty() ? "address\n" : "address,comment\n";
  moved.count = list->items.size();
  for (std::size_t i = 0; i < list->items.size(); ++i) {
    moved.csv += csv_field(list->items[i].text);
    if (!comments.empty()) moved.csv += "," + csv_field(comments[i]);
    moved.csv += "\n";
  }
  // Without those comments the rest is written like any plan, which keeps all others.
  SourceSet rest;
  const FileId rest_file = rest.add(std::string(sources.name(file)), std::move(text));
  tree = read_source(rest, rest_file, sink, limits);
  from = tree ? accounts_entry(*tree) : nullptr;
  if (from == nullptr) return {.plan = {.text = {}, .is_lossy = true}};
  Node file_name;
  file_name.kind = NodeKind::scalar;
  file_name.text = escape_template(path);
  file_name.is_quoted = to == Language::plan;
  // Nothing of the list is what the author wrote for the name.
  file_name.span = {from->value.span.file, from->value.span.begin, from->value.span.begin};
  Node place;
  place.kind = NodeKind::mapping;
  place.span = from->value.span;
  place.entries.push_back(
      {.key = "csv", .key_span = from->value.span, .value = std::move(file_name)});
  from->value = std::move(place);
  moved.plan = write_again(rest, rest_file, *tree, to, limits, {});
  return moved;
}

}  // namespace plan::syntax
