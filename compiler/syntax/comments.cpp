#include "compiler/syntax/comments.h"

#include <algorithm>

namespace plan::syntax {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

std::uint32_t text_begin(std::string_view text) {
  return text.starts_with(kByteOrderMark) ? static_cast<std::uint32_t>(kByteOrderMark.size()) : 0;
}

/// Nobody indents so far on purpose, and a line may have a hundred megabytes.
constexpr std::uint32_t kColumnMax = 4'096;

// A lone carriage return ends a line of YAML; in the plan language it is a blank.
bool ends_line(char c, Language language) {
  return c == '\n' || (c == '\r' && language == Language::yaml);
}

std::uint32_t line_begin(std::string_view text, std::uint32_t at, Language language) {
  const std::uint32_t first = text_begin(text);
  while (at > first && !ends_line(text[at - 1], language)) --at;
  return at;
}

/// At most kColumnMax.
std::uint32_t column_of(std::string_view text, std::uint32_t at, Language language) {
  const std::uint32_t first = text_begin(text);
  std::uint32_t column = 0;
  while (column < kColumnMax && at - column > first && !ends_line(text[at - column - 1], language))
    ++column;
  return column;
}

std::uint32_t comment_end(std::string_view text, std::uint32_t at, Language language) {
  while (at < text.size() && !ends_line(text[at], language)) ++at;
  return at;
}

bool is_collection(const Node& node) { return node.is_sequence() || node.is_mapping(); }
bool has_parts(const Node& node) { return !node.items.empty() || !node.entries.empty(); }

/// Does this collection stand in brackets?
bool is_flow(std::string_view text, const Node& node) {
  return is_collection(node) && node.span.begin < text.size() &&
         (text[node.span.begin] == '{' || text[node.span.begin] == '[');
}

/// A text of YAML on lines of its own, behind `|` or `>`.
bool is_block_scalar(std::string_view text, const Node& node) {
  return node.is_scalar() && node.is_quoted && node.span.begin < text.size() &&
         (text[node.span.begin] == '|' || text[node.span.begin] == '>');
}

/// The column of the parts of a block of YAML: of its keys or its dashes.
std::uint32_t parts_column(std::string_view text, const Node& node, Language language) {
  return column_of(text, node.span.begin, language);
}

/// Behind the last line of a block scalar that is a part of `parent`.
std::uint32_t behind_block_scalar(std::string_view text, const Node& scalar, const Node& parent) {
  const auto size = static_cast<std::uint32_t>(text.size());
  const std::uint32_t outer = parts_column(text, parent, Language::yaml);
  std::uint32_t indent = 0;  // 0: that of its first line
  std::uint32_t at = scalar.span.begin;
  for (std::uint32_t i = at + 1; i < size && i < at + 3; ++i) {
    if (text[i] >= '1' && text[i] <= '9')
      indent = outer + static_cast<std::uint32_t>(text[i] - '0');
    if (text[i] != '+' && text[i] != '-') break;
  }
  while (at < size && text[at] != '\n') ++at;
  std::uint32_t behind = at;
  while (at < size) {
    const std::uint32_t begin = at + 1;
    std::uint32_t word = begin;
    while (word < size && text[word] == ' ') ++word;
    std::uint32_t end = std::min(word, size);
    while (end < size && text[end] != '\n') ++end;
    const bool is_empty = word >= size || text[word] == '\n' || text[word] == '\r';
    if (!is_empty) {
      if (indent == 0) indent = std::max(word - begin, outer + 1);
      if (word - begin < indent) break;
      behind = end;
    }
    at = end;
  }
  return behind;
}

/// Begin and end of every text of YAML in which `#` is no comment. Outside of them it is one, also
/// without a blank in front of it: the reader takes `"a"#b` and `[a,#b`.
void scalars_of(std::string_view text, const Node& node, const Node& parent,
                std::vector<std::pair<std::uint32_t, std::uint32_t>>& into) {
  if (is_block_scalar(text, node)) {
    // A comment may stand behind the `|`.
    const auto line_end =
        static_cast<std::uint32_t>(std::min(text.find('\n', node.span.begin), text.size()));
    into.emplace_back(line_end, behind_block_scalar(text, node, parent));
  } else if (node.is_scalar()) {
    into.emplace_back(node.span.begin, node.span.end);
  }
  const Span tag = node.tag.span();
  if (tag.is_known()) into.emplace_back(tag.begin, tag.end);
  for (const Node& item : node.items) scalars_of(text, item, node, into);
  for (const Entry& entry : node.entries) {
    into.emplace_back(entry.key_span.begin, entry.key_span.end);
    scalars_of(text, entry.value, node, into);
  }
}

Comment comment_at(std::string_view text, std::uint32_t begin, Language language) {
  Comment comment;
  comment.begin = begin;
  comment.end = comment_end(text, begin, language);
  while (comment.end > begin && is_blank(text[comment.end - 1])) --comment.end;
  const std::uint32_t line = line_begin(text, begin, language);
  comment.column = std::min(begin - line, kColumnMax);
  comment.has_own_line = std::all_of(text.begin() + line, text.begin() + begin, is_blank);
  return comment;
}

}  // namespace

std::vector<Comment> comments_of(std::string_view text, const Node& tree, Language language) {
  std::vector<Comment> comments;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> scalars;
  if (language == Language::yaml) {
    scalars_of(text, tree, tree, scalars);
    std::sort(scalars.begin(), scalars.end());
  }
  std::size_t next = 0;
  const auto size = static_cast<std::uint32_t>(text.size());
  for (std::uint32_t at = text_begin(text); at < size;) {
    while (next < scalars.size() && scalars[next].first < at) ++next;
    if (next < scalars.size() && scalars[next].first == at && scalars[next].second > at) {
      at = scalars[next].second;
      continue;
    }
    const char c = text[at];
    if (language == Language::plan && (c == '"' || c == '\'')) {
      for (++at; at < size && text[at] != c && text[at] != '\n'; ++at) {
        if (text[at] == '\\' && c == '"') ++at;
      }
      ++at;
      continue;
    }
    if (c != '#') {
      ++at;
      continue;
    }
    comments.push_back(comment_at(text, at, language));
    comments.back().index = static_cast<std::uint32_t>(comments.size() - 1);
    at = comment_end(text, at, language);
  }
  return comments;
}

bool is_directly_below(std::string_view text, const Comment& above, const Comment& comment) {
  if (!comment.has_own_line || comment.begin < above.end) return false;
  const std::string_view between = text.substr(above.end, comment.begin - above.end);
  return std::count(between.begin(), between.end(), '\n') == 1 &&
         std::all_of(between.begin(), between.end(),
                     [](char c) { return c == '\n' || is_blank(c); });
}

/// Goes through a text's parts and its comments side by side.
class CommentPlaces::Walk {
 public:
  Walk(CommentPlaces& places, std::string_view text, Language language)
      : places_(places), text_(text), language_(language) {}

  void through(const Node& tree) {
    const auto size = static_cast<std::uint32_t>(text_.size());
    if (language_ == Language::plan) {
      in_parts(tree, statements_of(tree), lead(text_begin(text_)), size);
    } else if (has_parts(tree)) {
      in_collection(tree, text_begin(text_), size);
    } else {
      while (has_before(size)) put(&CommentPlaces::tail_, &tree, {});
    }
  }

 private:
  using Around = std::vector<const void*>;

  /// A statement of a file in the plan language, or an entry of a step. The first that is gathered
  /// in an entry of the tree leaves what stands in front of it to that entry.
  struct Statement {
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    const Node* value = nullptr;
    const void* part = nullptr;
    const void* gathered_in = nullptr;
    bool is_first_there = false;
  };

  // --- parts of all kinds
  // ------------------------------------------------------------------------------

  static const Node& value_of(const Entry& entry) { return entry.value; }
  static const Node& value_of(const Node& item) { return item; }
  static const Node& value_of(const Statement& statement) { return *statement.value; }
  static const void* part_of(const Entry& entry) { return &entry; }
  static const void* part_of(const Node& item) { return &item; }
  static const void* part_of(const Statement& statement) { return statement.part; }
  template <class Part>
  static const void* gathered_in(const Part&) {
    return nullptr;
  }
  static const void* gathered_in(const Statement& statement) { return statement.gathered_in; }
  template <class Part>
  static bool leaves_front(const Part&) {
    return false;
  }
  static bool leaves_front(const Statement& statement) { return statement.is_first_there; }

  static Statement statement(const Entry& entry) {
    return {entry.key_span.begin, std::max(entry.key_span.end, entry.value.span.end), &entry.value,
            &entry};
  }
  static Statement statement(const Node& item) {
    return {item.span.begin, item.span.end, &item, &item};
  }
  template <class Parts>
  static void gather(const Entry& entry, const Parts& parts, std::vector<Statement>& into) {
    for (const auto& part : parts) {
      into.push_back(statement(part));
      into.back().gathered_in = &entry;
      into.back().is_first_there = &part == parts.data();
    }
  }
  static void sort(std::vector<Statement>& statements) {
    std::stable_sort(statements.begin(), statements.end(),
                     [](const Statement& a, const Statement& b) { return a.begin < b.begin; });
  }

  // In the order of the text, which is not that of the tree where statements of several kinds
  // alternate.
  [[nodiscard]] std::vector<Statement> statements_of(const Node& tree) const {
    std::vector<Statement> statements;
    for (const Entry& entry : tree.entries) {
      if (is_flow(text_, entry.value) || !has_parts(entry.value)) {
        statements.push_back(statement(entry));
      } else {
        gather(entry, entry.value.items, statements);
        gather(entry, entry.value.entries, statements);
      }
    }
    sort(statements);
    return statements;
  }

  /// The arguments of a step stand among its own entries, in braces they share.
  [[nodiscard]] std::vector<Statement> entries_of_step(const Node& step) const {
    std::vector<Statement> statements;
    for (const Entry& entry : step.entries) {
      if (entry.key == "args" && !entry.value.entries.empty() &&
          entry.key_span == entry.value.entries.front().key_span) {
        gather(entry, entry.value.entries, statements);
      } else {
        statements.push_back(statement(entry));
        // The brace is what its line ends with.
        if (entry.key == "kind") statements.back().end = lead(statements.back().end) + 1;
      }
    }
    sort(statements);
    return statements;
  }

  // --- where parts begin and end
  // -----------------------------------------------------------------------

  /// Where the next part begins, with its dash or the word of its statement.
  [[nodiscard]] std::uint32_t lead(std::uint32_t at) const {
    while (at < text_.size()) {
      const char c = text_[at];
      if (is_blank(c) || c == '\n' || c == ',' || c == ':') {
        ++at;
      } else if (c == '#') {
        at = comment_end(text_, at, language_);
      } else {
        break;
      }
    }
    return at;
  }

  /// Nothing stands behind the dash: the reader knows no place of it.
  static bool is_left_out(const Node& item) {
    return item.is_null() && item.span.begin == item.span.end;
  }

  [[nodiscard]] std::uint32_t end_of_value(const Node& node, const Node& parent) const {
    if (language_ == Language::plan || is_flow(text_, node)) return node.span.end;
    if (is_block_scalar(text_, node)) return behind_block_scalar(text_, node, parent);
    if (!has_parts(node)) {
      const Span tag = node.tag.span();
      const bool is_nothing =
          node.text.empty() && tag.is_known() && tag.end <= node.span.begin &&
          text_.substr(tag.end, node.span.begin - tag.end).find('\n') != std::string_view::npos;
      return is_nothing ? tag.end : node.span.end;
    }
    if (!node.entries.empty()) {
      const Entry& last = node.entries.back();
      return std::max(last.key_span.end, end_of_value(last.value, node));
    }
    std::size_t known = node.items.size();
    while (known > 0 && is_left_out(node.items[known - 1])) --known;
    std::uint32_t end = known == 0 ? node.span.begin : end_of_value(node.items[known - 1], node);
    for (; known < node.items.size(); ++known) end = lead(end) + 1;
    return end;
  }
  [[nodiscard]] std::uint32_t end_of(const Entry& entry, std::uint32_t, const Node& parent) const {
    return std::max(entry.key_span.end, end_of_value(entry.value, parent));
  }
  [[nodiscard]] std::uint32_t end_of(const Node& item, std::uint32_t begin,
                                     const Node& parent) const {
    return is_left_out(item) ? begin + 1 : end_of_value(item, parent);
  }
  [[nodiscard]] std::uint32_t end_of(const Statement& statement, std::uint32_t, const Node&) const {
    return statement.end;
  }

  // --- the walk
  // ----------------------------------------------------------------------------------------

  [[nodiscard]] bool has_before(std::uint32_t end) const {
    return next_ < places_.all_.size() && places_.all_[next_].begin < end;
  }
  [[nodiscard]] const Comment& comment() const { return places_.all_[next_]; }

  /// The comments up to `end` in a value that has parts or brackets; `begin` is where its part
  /// begins.
  void in_collection(const Node& node, std::uint32_t begin, std::uint32_t end) {
    std::uint32_t first = begin;
    if (is_flow(text_, node)) {
      first = lead(node.span.begin + 1);
    } else if (language_ == Language::yaml) {
      first = node.span.begin;
    }
    if (node.is_sequence()) {
      in_parts(node, node.items, first, end);
    } else if (language_ == Language::plan && !is_flow(text_, node) &&
               node.entries.front().key == "id") {
      in_parts(node, entries_of_step(node), first, end);
    } else {
      in_parts(node, node.entries, first, end);
    }
  }

  template <class Parts>
  void in_parts(const Node& node, const Parts& parts, std::uint32_t first, std::uint32_t end) {
    const typename Parts::value_type* last = nullptr;
    std::uint32_t at = first;
    for (const auto& part : parts) {
      if (last != nullptr) at = lead(at);
      while (has_before(std::min(at, end))) between(node, last, &part);
      if (!has_before(end)) return;
      const std::uint32_t behind = std::clamp(end_of(part, at, node), std::min(at, end), end);
      if (has_before(behind)) in_part(part, at, behind);
      at = std::max(behind, at);
      last = &part;
    }
    while (has_before(end)) between<typename Parts::value_type>(node, last, nullptr);
  }

  template <class Part>
  void in_part(const Part& part, std::uint32_t begin, std::uint32_t end) {
    const Around outside = around_;
    around_ = with(std::move(around_), gathered_in(part));
    const Node& value = value_of(part);
    if (has_parts(value) || is_flow(text_, value)) {
      around_.push_back(part_of(part));
      in_collection(value, begin, end);
    }
    while (has_before(end)) {
      const bool has_own_line = comment().has_own_line;
      put(has_own_line ? &CommentPlaces::before_ : &CommentPlaces::behind_, part_of(part),
          has_own_line ? outside : with(around_, part_of(part)));
    }
    around_ = outside;
  }

  /// A comment behind one part of `node` and in front of the next.
  template <class Part>
  void between(const Node& node, const Part* last, const Part* next) {
    if (!comment().has_own_line) {
      if (last == nullptr) return put(&CommentPlaces::head_, &node, around_);
      // What has no bracket of its own at its end leaves the comment to its last part.
      const Node* value = &value_of(*last);
      const void* part = part_of(*last);
      Around around = with(around_, gathered_in(*last));
      around.push_back(part);
      while (language_ == Language::yaml && has_parts(*value) && !is_flow(text_, *value)) {
        part = last_part(*value);
        value = &last_value(*value);
        around.push_back(part);
      }
      return put(&CommentPlaces::behind_, part, std::move(around));
    }
    if (language_ == Language::yaml && last != nullptr) {
      // Comments that are indented like what stands in front of them belong there.
      const Node* deepest = nullptr;
      const Node* value = &value_of(*last);
      Around around = with(around_, part_of(*last));
      Around around_deepest;
      while (has_parts(*value) && !is_flow(text_, *value) &&
             comment().column >= parts_column(text_, *value, language_)) {
        deepest = value;
        around_deepest = around;
        around.push_back(last_part(*value));
        value = &last_value(*value);
      }
      if (deepest != nullptr) return put(&CommentPlaces::tail_, deepest, std::move(around_deepest));
    }
    if (next == nullptr) return put(&CommentPlaces::tail_, &node, around_);
    if (leaves_front(*next)) return put(&CommentPlaces::before_, gathered_in(*next), around_);
    put(&CommentPlaces::before_, part_of(*next), with(around_, gathered_in(*next)));
  }

  static const void* last_part(const Node& node) {
    return node.entries.empty() ? static_cast<const void*>(&node.items.back())
                                : static_cast<const void*>(&node.entries.back());
  }
  static const Node& last_value(const Node& node) {
    return node.entries.empty() ? node.items.back() : node.entries.back().value;
  }
  static Around with(Around around, const void* part) {
    if (part != nullptr) around.push_back(part);
    return around;
  }

  /// Puts the next comment there, unless it goes on with the one in front of it.
  void put(Map CommentPlaces::*map, const void* part, Around around) {
    const Comment& one = comment();
    const Comment* above = next_ == 0 ? nullptr : &places_.all_[next_ - 1];
    const bool goes_on = above != nullptr && is_directly_below(text_, *above, one) &&
                         (above->has_own_line ? one.column >= column_ : one.column == column_);
    if (!goes_on) column_ = one.column;
    places_.places_.push_back(goes_on ? Place(places_.places_.back())
                                      : Place{map, part, std::move(around)});
    const Place& place = places_.places_.back();
    (places_.*place.map)[place.part].push_back(one);
    ++next_;
  }

  CommentPlaces& places_;
  std::string_view text_;
  Language language_;
  std::size_t next_ = 0;
  std::uint32_t column_ = 0;  ///< of the first line of the comment that the last one is part of
  Around around_;
};

CommentPlaces::CommentPlaces(std::string_view text, const Node& tree, Language language)
    : all_(comments_of(text, tree, language)) {
  if (all_.empty()) return;
  if (!tree.entries.empty()) first_ = &tree.entries.front();
  Walk(*this, text, language).through(tree);
}

const CommentPlaces::List& CommentPlaces::of(const Map& map, const void* part) {
  static const List kNone;
  const auto found = map.find(part);
  return found == map.end() ? kNone : found->second;
}

bool CommentPlaces::are_inside(const Node& node) const {
  const auto first =
      std::lower_bound(all_.begin(), all_.end(), node.span.begin,
                       [](const Comment& comment, std::uint32_t at) { return comment.begin < at; });
  return (first != all_.end() && first->begin < node.span.end) || !at_head(node).empty() ||
         !at_tail(node).empty();
}

bool CommentPlaces::raise(const List& comments) {
  const auto target = [&](const Place& place) {
    const void* part = place.around.empty() ? first_ : place.around.back();
    return place.map == &CommentPlaces::before_ && place.part == part ? nullptr : part;
  };
  std::vector<bool> moves(all_.size(), false);
  for (const Comment& comment : comments)
    moves[comment.index] = target(places_[comment.index]) != nullptr;
  // All of a list leave it at once, and go to the end of another: there may be very many.
  const List* left = nullptr;
  std::vector<const void*> parts;
  for (const Comment& comment : comments) {
    if (!moves[comment.index]) continue;
    Place& place = places_[comment.index];
    List& list = (this->*place.map)[place.part];
    if (left != &list) std::erase_if(list, [&](const Comment& one) { return moves[one.index]; });
    left = &list;
  }
  for (const Comment& comment : comments) {
    if (!moves[comment.index]) continue;
    Place& place = places_[comment.index];
    place.part = target(place);
    place.map = &CommentPlaces::before_;
    if (!place.around.empty()) place.around.pop_back();
    before_[place.part].push_back(comment);
    if (parts.empty() || parts.back() != place.part) parts.push_back(place.part);
  }
  for (const void* part : parts) {
    std::sort(before_[part].begin(), before_[part].end(),
              [](const Comment& a, const Comment& b) { return a.begin < b.begin; });
  }
  return !parts.empty();
}

}  // namespace plan::syntax
