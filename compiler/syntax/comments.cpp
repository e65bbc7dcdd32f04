#include "compiler/syntax/comments.h"

#include <algorithm>

namespace plan::syntax {
namespace {

bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

std::uint32_t line_begin(std::string_view text, std::uint32_t at) {
  while (at > 0 && text[at - 1] != '\n') --at;
  return at;
}

/// Behind a block scalar of YAML, whose header (`|`, `>`) begins at `header`.
std::uint32_t behind_block_scalar(std::string_view text, std::uint32_t header) {
  std::uint32_t first = line_begin(text, header);
  const std::uint32_t line = first;
  std::uint32_t indent = 0;
  while (first < header && (text[first] == ' ' || text[first] == '-')) {
    if (text[first] == '-') indent = first - line;
    ++first;
  }
  if (first < header) indent = first - line;
  const auto size = static_cast<std::uint32_t>(text.size());
  std::uint32_t at = header;
  while (at < size && text[at] != '\n') ++at;
  std::uint32_t behind = at;
  while (at < size) {
    const std::uint32_t begin = at + 1;
    std::uint32_t word = begin;
    while (word < size && text[word] == ' ') ++word;
    std::uint32_t end = word;
    while (end < size && text[end] != '\n') ++end;
    const bool is_empty = word >= size || text[word] == '\n' || text[word] == '\r';
    if (!is_empty && word - begin <= indent) break;
    if (!is_empty) behind = end;
    at = end;
  }
  return behind;
}

/// Begin and end of every text in which `#` is no comment.
void scalars_of(std::string_view text, const Node& node,
                std::vector<std::pair<std::uint32_t, std::uint32_t>>& into) {
  if (node.is_scalar()) {
    std::uint32_t end = node.span.end;
    if (node.is_quoted && node.span.begin < text.size() &&
        (text[node.span.begin] == '|' || text[node.span.begin] == '>'))
      end = behind_block_scalar(text, node.span.begin);
    into.emplace_back(node.span.begin, end);
  }
  for (const Node& item : node.items) scalars_of(text, item, into);
  for (const Entry& entry : node.entries) {
    into.emplace_back(entry.key_span.begin, entry.key_span.end);
    scalars_of(text, entry.value, into);
  }
}

Comment comment_at(std::string_view text, std::uint32_t begin) {
  Comment comment;
  comment.begin = begin;
  comment.end = begin;
  while (comment.end < text.size() && text[comment.end] != '\n') ++comment.end;
  while (comment.end > begin && is_blank(text[comment.end - 1])) --comment.end;
  const std::uint32_t line = line_begin(text, begin);
  comment.column = begin - line;
  comment.has_own_line = std::all_of(text.begin() + line, text.begin() + begin, is_blank);
  return comment;
}

std::uint32_t begin_of(const Entry& entry) { return entry.key_span.begin; }
std::uint32_t begin_of(const Node& item) {
  return item.tag.span().is_known() ? std::min(item.tag.span().begin, item.span.begin)
                                    : item.span.begin;
}
std::uint32_t end_of(const Entry& entry) {
  return std::max(entry.key_span.end, entry.value.span.end);
}
std::uint32_t end_of(const Node& item) { return item.span.end; }
const Node& value_of(const Entry& entry) { return entry.value; }
const Node& value_of(const Node& item) { return item; }
/// Under which address the comments of a part are kept, and those in front of it.
template <class Part>
const void* part_of(const Part& part) {
  return &part;
}
template <class Part>
const void* part_before(const Part& part) {
  return &part;
}

bool is_flow(std::string_view text, const Node& node) {
  return node.span.begin < text.size() &&
         (text[node.span.begin] == '{' || text[node.span.begin] == '[');
}

std::uint32_t column_of(std::string_view text, std::uint32_t at) {
  return at - line_begin(text, at);
}

/// The first part of a collection, by its column; of a sequence that is the dash.
std::uint32_t parts_column(std::string_view text, const Node& node) {
  if (!node.entries.empty()) return column_of(text, begin_of(node.entries.front()));
  std::uint32_t at = begin_of(node.items.front());
  const std::uint32_t line = line_begin(text, at);
  while (at > line && text[at - 1] != '-') --at;
  return at > line ? at - 1 - line : 0;
}

template <class Parts>
const typename Parts::value_type* last_before(const Parts& parts, std::uint32_t at) {
  const auto behind = std::upper_bound(
      parts.begin(), parts.end(), at,
      [](std::uint32_t place, const auto& part) { return place < begin_of(part); });
  return behind == parts.begin() ? nullptr : &*(behind - 1);
}

}  // namespace

std::vector<Comment> comments_of(std::string_view text, const Node& tree, Language language) {
  std::vector<Comment> comments;
  std::vector<std::pair<std::uint32_t, std::uint32_t>> scalars;
  if (language == Language::yaml) {
    scalars_of(text, tree, scalars);
    std::sort(scalars.begin(), scalars.end());
  }
  std::size_t next = 0;
  const auto size = static_cast<std::uint32_t>(text.size());
  for (std::uint32_t at = 0; at < size;) {
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
    const bool may_begin =
        language == Language::plan || at == 0 || text[at - 1] == '\n' || is_blank(text[at - 1]);
    if (c != '#' || !may_begin) {
      ++at;
      continue;
    }
    comments.push_back(comment_at(text, at));
    while (at < size && text[at] != '\n') ++at;
  }
  return comments;
}

// A statement of a file in the plan language. The first of its kind takes what stands in front of
// it to the entry that gathers the kind.
struct CommentPlaces::Statement {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  const Node* value = nullptr;
  const void* part = nullptr;
  const void* part_before = nullptr;

  friend std::uint32_t begin_of(const Statement& statement) { return statement.begin; }
  friend std::uint32_t end_of(const Statement& statement) { return statement.end; }
  friend const Node& value_of(const Statement& statement) { return *statement.value; }
  friend const void* part_of(const Statement& statement) { return statement.part; }
  friend const void* part_before(const Statement& statement) { return statement.part_before; }
};

CommentPlaces::CommentPlaces(std::string_view text, const Node& tree, Language language)
    : all_(comments_of(text, tree, language)) {
  count_ = all_.size();
  if (count_ == 0) return;
  std::vector<Statement> statements;
  if (language == Language::plan) statements = statements_of(text, tree);
  for (const Comment& comment : all_) place(text, tree, language, statements, comment);
}

// In the order of the text, which is not that of the tree where statements of several kinds
// alternate.
std::vector<CommentPlaces::Statement> CommentPlaces::statements_of(std::string_view text,
                                                                   const Node& tree) {
  std::vector<Statement> statements;
  for (const Entry& entry : tree.entries) {
    const auto add = [&](const auto& part, bool is_first) {
      const void* before = is_first ? part_of(entry) : part_of(part);
      statements.push_back({begin_of(part), end_of(part), &value_of(part), part_of(part), before});
    };
    const Node& value = entry.value;
    if (is_flow(text, value) || (value.items.empty() && value.entries.empty())) add(entry, true);
    if (is_flow(text, value)) continue;
    for (const Node& item : value.items) add(item, &item == value.items.data());
    for (const Entry& inner : value.entries) add(inner, &inner == value.entries.data());
  }
  std::stable_sort(statements.begin(), statements.end(),
                   [](const Statement& a, const Statement& b) { return a.begin < b.begin; });
  return statements;
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

void CommentPlaces::place(std::string_view text, const Node& tree, Language language,
                          const std::vector<Statement>& statements, const Comment& comment) {
  const Node* node = &tree;
  while (true) {
    const auto in = [&](const auto& parts) -> const Node* {
      const auto* last = last_before(parts, comment.begin);
      if (last != nullptr && comment.begin < end_of(*last) &&
          (value_of(*last).is_mapping() || value_of(*last).is_sequence()))
        return &value_of(*last);
      const auto* next = last == nullptr ? parts.data() : last + 1;
      const bool has_next = next != parts.data() + parts.size();
      if (!comment.has_own_line) {
        if (last == nullptr) {
          head_[node].push_back(comment);
          return nullptr;
        }
        // What has no bracket of its own at its end leaves the comment to its last part.
        const Node* value = &value_of(*last);
        const void* part = part_of(*last);
        while (language == Language::yaml && (!value->items.empty() || !value->entries.empty()) &&
               !is_flow(text, *value)) {
          if (value->entries.empty()) {
            part = &value->items.back();
            value = &value->items.back();
          } else {
            part = &value->entries.back();
            value = &value->entries.back().value;
          }
        }
        behind_[part].push_back(comment);
        return nullptr;
      }
      if (language == Language::yaml && last != nullptr && comment.begin >= end_of(*last)) {
        // Comments that are indented like what stands in front of them belong there.
        const Node* deepest = nullptr;
        const Node* value = &value_of(*last);
        while (value != nullptr && (!value->items.empty() || !value->entries.empty()) &&
               !is_flow(text, *value) && comment.column >= parts_column(text, *value)) {
          deepest = value;
          value = value->entries.empty() ? &value->items.back() : &value->entries.back().value;
        }
        if (deepest != nullptr) {
          tail_[deepest].push_back(comment);
          return nullptr;
        }
      }
      if (has_next) {
        before_[part_before(*next)].push_back(comment);
      } else {
        tail_[node].push_back(comment);
      }
      return nullptr;
    };
    const Node* inner = nullptr;
    if (node == &tree && language == Language::plan)
      inner = in(statements);
    else
      inner = node->is_sequence() ? in(node->items) : in(node->entries);
    if (inner == nullptr) return;
    node = inner;
  }
}

}  // namespace plan::syntax
