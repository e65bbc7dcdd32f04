#include "compiler/syntax/language_builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "compiler/source/text.h"
#include "compiler/syntax/scalar.h"
#include "compiler/syntax/words.h"

namespace plan::syntax {
LanguageBuilder::LanguageBuilder(std::string_view text, const TextPlaces& places, Kind syntax_kind,
                                 Sink& sink, const TreeLimits& limits)
    : text_(text), places_(places), syntax_kind_(syntax_kind), sink_(sink), limits_(limits) {
  limits_.nodes_max = limits_.nodes_of(text_.size());
  frames_.emplace_back();
  frames_.back().node.kind = NodeKind::mapping;
  frames_.back().node.span = places.span(0, text.size());
}

Span LanguageBuilder::span(At begin, At end) const {
  return places_.span(static_cast<std::size_t>(begin - text_.data()),
                      static_cast<std::size_t>(end - text_.data()));
}

std::string_view LanguageBuilder::view(At begin, At end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

// --- the tree ------------------------------------------------------------------------------------

void LanguageBuilder::set_key(std::string key, Span where) {
  Frame& frame = frames_.back();
  frame.has_key = true;
  frame.key = std::move(key);
  frame.key_span = where;
}

void LanguageBuilder::open_frame(NodeKind kind, Span where) {
  Frame frame;
  frame.node.kind = kind;
  frame.node.span = where;
  frame.node.tag = Tag(std::move(pending_tag_), pending_tag_span_);
  pending_tag_.clear();
  pending_tag_span_ = {};
  frames_.push_back(std::move(frame));
}

bool LanguageBuilder::open(NodeKind kind, At begin, At end) {
  if (!is_broken_) open_frame(kind, span(begin, end));
  return true;
}

void LanguageBuilder::add(Node node) {
  if (++nodes_ > limits_.nodes_max) {
    is_stopped_ = true;
    report(Kind::language_bound, node.span,
           fmt::format("more than {} values in this file", show_count(limits_.nodes_max)));
    return;
  }
  if (!pending_tag_.empty()) {
    node.tag = Tag(std::move(pending_tag_), pending_tag_span_);
    pending_tag_.clear();
  }
  Frame* frame = &frames_.back();
  // An entry of a step that is no argument: the arguments are the mapping on top of the step's own.
  if (frame->node.kind == NodeKind::mapping && !frame->has_key && frames_.size() > 1)
    frame = &frames_[frames_.size() - 2];
  if (frame->node.kind == NodeKind::sequence) {
    frame->node.items.push_back(std::move(node));
    return;
  }
  frame->has_key = false;
  add_entry(frame->keys, frame->node,
            Entry{std::move(frame->key), frame->key_span, std::move(node)});
}

void LanguageBuilder::add_entry(KeySet& keys, Node& mapping, Entry entry) {
  // The tree goes on to be built: what else is wrong with the keys is told too.
  if (!keys.add(mapping, std::move(entry), sink_) && ++problems_ >= kProblemsMax)
    is_broken_ = is_stopped_ = true;
}

Node LanguageBuilder::close_frame(At end) {
  Node node = std::move(frames_.back().node);
  frames_.pop_back();
  node.span.end = span(end, end).end;
  return node;
}

void LanguageBuilder::key(At begin, At end) {
  std::string word = word_or_text(begin, end);
  if (!is_broken_) set_key(std::move(word), span(begin, end));
}
bool LanguageBuilder::open_map(At begin, At end) { return open(NodeKind::mapping, begin, end); }
bool LanguageBuilder::open_list(At begin, At end) { return open(NodeKind::sequence, begin, end); }
void LanguageBuilder::close(At, At end) {
  if (is_broken_) return;
  Node node = close_frame(end);
  add(std::move(node));
}

Node LanguageBuilder::scalar(At begin, At end) {
  Node node;
  node.kind = NodeKind::scalar;
  node.span = span(begin, end);
  return node;
}

void LanguageBuilder::text(At begin, At end) {
  auto decoded_text = decoded(begin, end);
  if (!decoded_text || is_broken_) return;
  Node node = scalar(begin, end);
  node.is_quoted = true;
  node.text = std::move(*decoded_text);
  add(std::move(node));
}

void LanguageBuilder::tagged_text(At begin, At end) { text(begin, end); }

void LanguageBuilder::bare_word(At begin, At end) {
  Node node = scalar(begin, end);
  node.text = word_or_text(begin, end);
  node.is_quoted = true;  // always text, also `true`
  if (is_broken_) return;
  add(std::move(node));
}

void LanguageBuilder::bare(At begin, At end) {
  if (is_broken_ || operands_.empty()) return;
  const Expression expression = std::move(operands_.back().expression);
  operands_.pop_back();
  const std::string_view source = trim(view(begin, end));
  Node node = scalar(source.data(), source.data() + source.size());
  if (expression.kind == Expression::Kind::literal && source.front() != '(') {
    if (expression.literal.is_string() && source.front() == '\'') {
      node.is_quoted = true;
      node.text = escape_template(expression.literal.as_string());
    } else if (expression.literal.is_null()) {
      node.kind = NodeKind::null;
    } else {
      node.text = std::string(source);
    }
  } else {
    node.is_expression = true;
    node.text = fmt::format("${{{}}}", source);
  }
  add(std::move(node));
}

void LanguageBuilder::tag_secret(At begin, At end) {
  pending_tag_ = "!secret";
  pending_tag_span_ = span(begin, end);
}
void LanguageBuilder::tag_lock(At begin, At end) {
  pending_tag_ = "!lock";
  pending_tag_span_ = span(begin, end);
}
void LanguageBuilder::tag_numbered(At begin, At end) {
  pending_tag_ = "!numbered";
  pending_tag_span_ = span(begin, end);
}
void LanguageBuilder::tag_other(At begin, At end) {
  auto tag = decoded(begin, end);
  if (!tag) return;
  if (!is_tag(*tag)) {
    report(syntax_kind_, span(begin, end), "a tag begins with `!` and has no blanks and brackets");
    return;
  }
  pending_tag_ = std::move(*tag);
  pending_tag_span_ = span(begin, end);
}

void LanguageBuilder::open_for(At begin, At end) {
  if (is_broken_) return;
  pending_tag_ = "!for";
  pending_tag_span_ = span(begin, end);
  open_frame(NodeKind::mapping, span(begin, end));
  set_key("each", span(begin, end));
}
void LanguageBuilder::for_each(At begin, At end) { bare_word(begin, end); }
void LanguageBuilder::for_in(At begin, At end) {
  if (!is_broken_) set_key("in", span(begin, end));
}
void LanguageBuilder::for_give(At begin, At end) {
  if (!is_broken_) set_key("give", span(begin, end));
}
void LanguageBuilder::close_for(At, At end) {
  if (is_broken_) return;
  Node node = close_frame(end);
  node.span.end = node.entries.back().value.span.end;
  add(std::move(node));
}

// --- statements ----------------------------------------------------------------------------------

Node& LanguageBuilder::gathered(std::string_view key, NodeKind kind, Span where,
                                std::size_t& place) {
  Node& root = frames_.front().node;
  if (place < root.entries.size()) return root.entries[place].value;
  Node node;
  node.kind = kind;
  node.span = where;
  add_entry(frames_.front().keys, root, Entry{std::string(key), where, std::move(node)});
  // After a duplicate the last entry is another one; an error was reported, and nobody reads it.
  place = root.entries.size() - 1;
  return root.entries.back().value;
}

void LanguageBuilder::module_name(At begin, At end) {
  if (is_broken_) return;
  set_key("module", span(begin, end));
  bare_word(begin, end);
}

void LanguageBuilder::use_name(At begin, At end) {
  if (is_broken_) return;
  open_frame(NodeKind::mapping, span(begin, end));
  set_key("module", span(begin, end));
  bare_word(begin, end);
}
void LanguageBuilder::use_as(At begin, At end) {
  if (is_broken_) return;
  set_key("as", span(begin, end));
  bare_word(begin, end);
}
void LanguageBuilder::use_digest(At begin, At end) {
  if (is_broken_) return;
  set_key("digest", span(begin, end));
  text(begin, end);
}
void LanguageBuilder::use_with(At begin, At end) {
  if (!is_broken_) set_key("with", span(begin, end));
}
void LanguageBuilder::close_use(At, At end) {
  if (is_broken_) return;
  Node node = close_frame(end);
  node.span.end = node.entries.back().value.span.end;
  if (node.entries.size() == 1) {
    Node only = std::move(node.entries.front().value);
    node = std::move(only);
  }
  if (++nodes_ > limits_.nodes_max) return;
  if (uses_.empty()) use_span_ = node.span;
  if (uses_.empty()) static_cast<void>(gathered("use", NodeKind::null, node.span, use_place_));
  uses_.push_back(std::move(node));
}

void LanguageBuilder::input_name(At begin, At end) {
  if (is_broken_) return;
  open_frame(NodeKind::mapping, span(begin, end));
  frames_.back().key = std::string(view(begin, end));
  frames_.back().key_span = span(begin, end);
}
void LanguageBuilder::input_type(At begin, At end) {
  if (is_broken_) return;
  const std::string_view words = trim(view(begin, end));
  Node node = scalar(begin, begin + words.size());
  node.is_quoted = true;
  for (const char c : words) {
    if (c != ' ' && c != '\n' && c != '\t' && c != '\r') node.text += c;
  }
  Frame& frame = frames_.back();
  frame.node.entries.push_back(Entry{"type", node.span, std::move(node)});
}
void LanguageBuilder::input_default(At begin, At end) {
  if (is_broken_) return;
  // The frame keeps the input's name in `key`: the default is added below a frame of its own.
  open_frame(NodeKind::mapping, span(begin, end));
  set_key("default", span(begin, end));
}
void LanguageBuilder::close_input(At, At end) {
  if (is_broken_) return;
  if (!frames_.back().node.entries.empty() && frames_.back().node.entries.back().key == "default") {
    Node inner = close_frame(end);
    frames_.back().node.entries.push_back(std::move(inner.entries.front()));
  }
  Frame frame = std::move(frames_.back());
  frames_.pop_back();
  Node node = std::move(frame.node);
  node.span.end = node.entries.back().value.span.end;
  if (node.entries.size() == 1) {
    Node only = std::move(node.entries.front().value);
    node = std::move(only);
  }
  if (++nodes_ > limits_.nodes_max) return;
  add_entry(inputs_, gathered("inputs", NodeKind::mapping, frame.key_span, inputs_place_),
            Entry{std::move(frame.key), frame.key_span, std::move(node)});
}

void LanguageBuilder::let_name(At begin, At end) {
  if (is_broken_) return;
  open_frame(NodeKind::mapping, span(begin, end));
  set_key(std::string(view(begin, end)), span(begin, end));
}
void LanguageBuilder::close_let(At, At end) {
  if (is_broken_) return;
  Node node = close_frame(end);
  if (node.entries.empty()) return;
  Entry entry = std::move(node.entries.front());
  const Span where = entry.key_span;
  add_entry(lets_, gathered("let", NodeKind::mapping, where, lets_place_), std::move(entry));
}

void LanguageBuilder::step_id(At begin, At end) {
  if (is_broken_) return;
  open_frame(NodeKind::mapping, span(begin, end));
  set_key("id", span(begin, end));
  bare_word(begin, end);
}
void LanguageBuilder::step_for(At begin, At end) {
  if (is_broken_) return;
  set_key("for", span(begin, end));
  bare_word(begin, end);
}
void LanguageBuilder::step_in(At begin, At end) {
  if (is_broken_) return;
  Node& loop = frames_.back().node.entries.back().value;
  loop.text += fmt::format(" in {}", view(begin, end));
  loop.span.end = span(begin, end).end;
}
void LanguageBuilder::step_kind(At begin, At end) {
  if (is_broken_) return;
  set_key("kind", span(begin, end));
  bare_word(begin, end);
}
void LanguageBuilder::open_arguments(At begin, At end) {
  if (!is_broken_) open_frame(NodeKind::mapping, span(begin, end));
}
void LanguageBuilder::step_key(At begin, At end) {
  if (is_broken_) return;
  Frame& step = frames_[frames_.size() - 2];
  step.has_key = true;
  step.key = std::string(view(begin, end));
  step.key_span = span(begin, end);
}
void LanguageBuilder::close_step(At, At end) {
  if (is_broken_) return;
  Node arguments = close_frame(end);
  Frame frame = std::move(frames_.back());
  frames_.pop_back();
  Node step = std::move(frame.node);
  step.span.end = span(end, end).end;
  if (!arguments.entries.empty()) {
    const Span where = arguments.entries.front().key_span;
    add_entry(frame.keys, step, Entry{"args", where, std::move(arguments)});
  }
  if (++nodes_ > limits_.nodes_max) return;
  Node& steps = gathered("steps", NodeKind::sequence, step.span, steps_place_);
  steps.span.end = step.span.end;
  steps.items.push_back(std::move(step));
}

Node LanguageBuilder::take_tree() {
  Node root = std::move(frames_.front().node);
  if (!uses_.empty()) {
    for (Entry& entry : root.entries) {
      if (entry.key != "use" || !entry.value.is_null()) continue;
      if (uses_.size() == 1) {
        Node only = std::move(uses_.front());
        entry.value = std::move(only);
      } else {
        entry.value.kind = NodeKind::sequence;
        entry.value.span.end = uses_.back().span.end;
        entry.value.items = std::move(uses_);
      }
      break;
    }
  }
  if (!root.entries.empty()) root.span.begin = root.entries.front().key_span.begin;
  return root;
}

// --- texts ---------------------------------------------------------------------------------------

std::optional<std::string> LanguageBuilder::decoded(At begin, At end) {
  std::string text;
  for (At at = begin + 1; at < end - 1; ++at) {
    if (*at != '\\') {
      text += *at;
      continue;
    }
    const At escape = at++;
    switch (*at) {
      case '"':
      case '\\':
      case '/':
        text += *at;
        break;
      case 'n':
        text += '\n';
        break;
      case 'r':
        text += '\r';
        break;
      case 't':
        text += '\t';
        break;
      default:
        report(expressions_ > 0 ? Kind::expression_syntax : syntax_kind_, span(escape, at + 1),
               fmt::format("`{}` stands for nothing in a text", printable(view(escape, at + 1))));
        return std::nullopt;
    }
  }
  return text;
}

std::string LanguageBuilder::word_or_text(At begin, At end) {
  if (begin < end && *begin == '"') return decoded(begin, end).value_or(std::string());
  return std::string(view(begin, end));
}

// --- expressions ---------------------------------------------------------------------------------

bool LanguageBuilder::push(Expression expression, std::size_t depth) {
  if (depth > kExpressionTreeDepthMax) {
    const Span where = expression.span;
    report(Kind::expression_syntax, {where.file, where.end, where.end + 1},
           "an expression with too many parts");
    return true;
  }
  // In a scalar the whole text was bounded before.
  const Span where = expression.span;
  if (!expression_begin_) expression_begin_ = where.begin;
  if (syntax_kind_ == Kind::language_syntax &&
      where.end > *expression_begin_ + kExpressionBytesMax) {
    report(Kind::expression_syntax, {where.file, *expression_begin_, *expression_begin_ + 1},
           fmt::format("an expression of more than {}", show_bytes(kExpressionBytesMax)));
    return true;
  }
  operands_.push_back({std::move(expression), depth});
  return true;
}

void LanguageBuilder::quoted(At begin, At end) {
  Expression literal;
  literal.span = span(begin, end);
  if (*begin == '\'') {
    literal.literal = std::string(view(begin + 1, end - 1));
  } else {
    auto text = decoded(begin, end);
    if (!text) return;
    literal.literal = std::move(*text);
  }
  if (!is_broken_) push(std::move(literal), 1);
}

void LanguageBuilder::number(At begin, At end) {
  const std::string_view word = view(begin, end);
  Expression literal;
  literal.span = span(begin, end);
  Node plain;
  plain.kind = NodeKind::scalar;
  plain.text = std::string(word);
  if (const ir::Value value = scalar_value(plain); value.is_number()) {
    literal.literal = value;
  } else if (const auto duration = read_duration_ms(word)) {
    literal.literal = *duration;
    literal.unit = Expression::Unit::duration;
  } else if (const auto bytes = read_bytes(word)) {
    literal.literal = *bytes;
    literal.unit = Expression::Unit::size;
  } else {
    if (is_too_large(word))
      return report(
          Kind::expression_syntax, span(begin, end),
          fmt::format("`{}` is too large: numbers go up to {}, in milliseconds and bytes too",
                      printable(word, 40), INT64_MAX));
    count_problem();
    sink_
        .report(Kind::expression_syntax, span(begin, end),
                fmt::format("`{}` is no number with a unit that is known", printable(word, 40)))
        .help(
            "a duration is a whole number with `ms`, `s`, `m`, `h` or `d` and not negative, a "
            "size one with `B`, `KiB`, `MiB`, `GiB` or `TiB`");
    return;
  }
  if (!is_broken_) push(std::move(literal), 1);
}

void LanguageBuilder::name(At begin, At end) {
  if (is_broken_) return;
  const std::string_view word = view(begin, end);
  Expression whole;
  whole.span = span(begin, end);
  if (word == "true" || word == "false") {
    whole.literal = word == "true";
  } else if (word == "null") {
    whole.literal = nullptr;
  } else {
    whole.kind = Expression::Kind::name;
    whole.text = std::string(word);
  }
  push(std::move(whole), 1);
}

void LanguageBuilder::member(At begin, At end) {
  if (is_broken_) return;
  Operand whole = std::move(operands_.back());
  operands_.pop_back();
  Expression member;
  member.kind = Expression::Kind::member;
  member.text = std::string(view(begin, end));
  member.span = whole.expression.span;
  member.span.end = std::max(member.span.end, span(begin, end).end);
  member.operands.push_back(std::move(whole.expression));
  push(std::move(member), whole.depth + 1);
}

bool LanguageBuilder::index(At, At end) {
  if (is_broken_ || !combine(Expression::Kind::index) || is_broken_) return true;
  Span& where = operands_.back().expression.span;
  where.end = std::max(where.end, span(end, end).end);
  return true;
}

bool LanguageBuilder::combine(Expression::Kind kind, bool is_swapped) {
  if (is_broken_ || operands_.size() < 2) return true;
  Operand right = std::move(operands_.back());
  operands_.pop_back();
  Operand left = std::move(operands_.back());
  operands_.pop_back();
  Expression whole;
  whole.kind = kind;
  whole.span = left.expression.span;
  whole.span.end = std::max(left.expression.span.end, right.expression.span.end);
  if (is_swapped) std::swap(left, right);
  whole.operands.push_back(std::move(left.expression));
  whole.operands.push_back(std::move(right.expression));
  return push(std::move(whole), std::max(left.depth, right.depth) + 1);
}

bool LanguageBuilder::negation(At begin, At) {
  if (is_broken_ || operands_.empty()) return true;
  Operand operand = std::move(operands_.back());
  operands_.pop_back();
  Expression whole;
  whole.kind = Expression::Kind::negation;
  whole.span = operand.expression.span;
  whole.span.begin = std::min(whole.span.begin, span(begin, begin).begin);
  whole.operands.push_back(std::move(operand.expression));
  return push(std::move(whole), operand.depth + 1);
}
bool LanguageBuilder::equal(At, At) { return combine(Expression::Kind::equal); }
bool LanguageBuilder::not_equal(At, At) { return combine(Expression::Kind::not_equal); }
bool LanguageBuilder::less(At, At) { return combine(Expression::Kind::less); }
bool LanguageBuilder::less_or_equal(At, At) { return combine(Expression::Kind::less_or_equal); }
bool LanguageBuilder::greater(At, At) { return combine(Expression::Kind::less, true); }
bool LanguageBuilder::greater_or_equal(At, At) {
  return combine(Expression::Kind::less_or_equal, true);
}
bool LanguageBuilder::conjunction(At, At) { return combine(Expression::Kind::conjunction); }
bool LanguageBuilder::disjunction(At, At) { return combine(Expression::Kind::disjunction); }

void LanguageBuilder::open_operands(Expression::Kind kind, At begin) {
  if (is_broken_) return;
  open_operands_.push_back(operands_.size());
  Expression whole;
  whole.kind = kind;
  whole.span = span(begin, begin + 1);
  operands_.push_back({std::move(whole), 0});
}
void LanguageBuilder::open_arguments_of(At begin, At) {
  if (is_broken_) return;
  Expression name = std::move(operands_.back().expression);
  operands_.pop_back();
  open_operands(Expression::Kind::call, begin);
  Expression& call = operands_.back().expression;
  call.text = std::move(name.text);
  call.span.begin = name.span.begin;
}
void LanguageBuilder::open_items(At begin, At) { open_operands(Expression::Kind::list, begin); }
void LanguageBuilder::argument(At, At) {
  if (is_broken_) return;
  Operand operand = std::move(operands_.back());
  operands_.pop_back();
  Operand& whole = operands_[open_operands_.back()];
  whole.depth = std::max(whole.depth, operand.depth);
  whole.expression.operands.push_back(std::move(operand.expression));
}
void LanguageBuilder::close_operands(At end) {
  if (is_broken_) return;
  open_operands_.pop_back();
  Operand whole = std::move(operands_.back());
  operands_.pop_back();
  whole.expression.span.end = std::max(whole.expression.span.end, span(end, end).end);
  push(std::move(whole.expression), whole.depth + 1);
}
void LanguageBuilder::close_call(At, At end) { close_operands(end); }
void LanguageBuilder::close_items(At, At end) { close_operands(end); }

Expression LanguageBuilder::take_expression() {
  Expression whole = std::move(operands_.back().expression);
  operands_.pop_back();
  return whole;
}

// --- bounds --------------------------------------------------------------------------------------

bool LanguageBuilder::enter(bool is_expression, At bracket) {
  if (is_stopped_) return false;
  std::size_t& depth = is_expression ? expression_depth_ : tree_depth_;
  const std::size_t depth_max = is_expression ? kExpressionDepthMax : limits_.depth_max;
  if (depth >= depth_max) {
    complaint_ = Complaint{bracket, fmt::format("nested deeper than {} levels", depth_max),
                           "no part of a plan is that deep: look for a bracket too many"};
    return false;
  }
  ++depth;
  return true;
}

void LanguageBuilder::leave(bool is_expression, At bracket, bool is_failing) {
  --(is_expression ? expression_depth_ : tree_depth_);
  if (is_failing && unclosed_ == nullptr) unclosed_ = bracket;
}

void LanguageBuilder::begin_expression() {
  if (++expressions_ == 1) expression_begin_.reset();
}
void LanguageBuilder::end_expression() { --expressions_; }

}  // namespace plan::syntax
