#include <fmt/format.h>

#include <algorithm>

#include "compiler/source/text.h"
#include "compiler/syntax/expression.h"
#include "compiler/syntax/limits.h"
#include "compiler/syntax/scalar.h"

namespace plan::syntax {
namespace {

bool is_word_begin(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_word(char c) { return is_word_begin(c) || is_digit(c); }

/// Turns offsets in a decoded scalar into places of the file: exact where the text stands there as
/// it is, the whole scalar where it was decoded.
class Places {
 public:
  Places(const Node& scalar, const SourceSet& sources) : whole_(scalar.span) {
    if (!scalar.span.is_known()) return;
    const std::string_view raw = sources.text(scalar.span);
    const std::size_t lead = scalar.is_quoted ? 1 : 0;
    is_exact_ = raw.size() >= lead && raw.substr(lead).starts_with(scalar.text);
    begin_ = scalar.span.begin + static_cast<std::uint32_t>(lead);
  }
  [[nodiscard]] Span span(std::size_t begin, std::size_t end) const {
    if (!is_exact_) return whole_;
    return {whole_.file, begin_ + static_cast<std::uint32_t>(begin),
            begin_ + static_cast<std::uint32_t>(end)};
  }

 private:
  Span whole_;
  std::uint32_t begin_ = 0;
  bool is_exact_ = false;
};

class Parser {
 public:
  Parser(std::string_view text, std::size_t at, const Places& places, Sink& sink)
      : text_(text), at_(at), places_(places), sink_(sink) {}

  std::optional<Expression> parse() {
    auto expression = disjunction(0);
    if (!expression) return std::nullopt;
    skip_blanks();
    if (!take("}"))
      return fail(at_, at_ + 1, "here the expression goes on where `}` should end it");
    return expression;
  }
  [[nodiscard]] std::size_t position() const { return at_; }

 private:
  using Maybe = std::optional<Expression>;

  Maybe fail(std::size_t begin, std::size_t end, std::string message) {
    sink_.report(
        Kind::expression_syntax,
        places_.span(std::min(begin, text_.size()), std::min(std::max(end, begin), text_.size())),
        std::move(message));
    return std::nullopt;
  }
  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\t'))
      ++at_;
  }
  bool take(std::string_view token) {
    skip_blanks();
    if (!text_.substr(at_).starts_with(token)) return false;
    at_ += token.size();
    return true;
  }
  Expression combine(Expression::Kind kind, Expression left, Expression right) const {
    Expression whole;
    whole.kind = kind;
    whole.span = left.span;
    whole.span.end = std::max(left.span.end, right.span.end);
    whole.operands.push_back(std::move(left));
    whole.operands.push_back(std::move(right));
    return whole;
  }

  Maybe disjunction(std::size_t depth) {
    if (depth > kExpressionDepthMax) {
      return fail(at_, at_ + 1, fmt::format("nested deeper than {} levels", kExpressionDepthMax));
    }
    Maybe left = conjunction(depth);
    // A chain grows to the left, and everything that walks an expression goes down it.
    std::size_t links = 0;
    while (left && take("||")) {
      Maybe right =
          ++links > kExpressionDepthMax ? fail(at_, at_ + 1, "too many parts") : conjunction(depth);
      if (!right) return std::nullopt;
      left = combine(Expression::Kind::disjunction, std::move(*left), std::move(*right));
    }
    return left;
  }
  Maybe conjunction(std::size_t depth) {
    Maybe left = equality(depth);
    std::size_t links = 0;
    while (left && take("&&")) {
      Maybe right =
          ++links > kExpressionDepthMax ? fail(at_, at_ + 1, "too many parts") : equality(depth);
      if (!right) return std::nullopt;
      left = combine(Expression::Kind::conjunction, std::move(*left), std::move(*right));
    }
    return left;
  }
  Maybe equality(std::size_t depth) {
    Maybe left = unary(depth);
    if (!left) return std::nullopt;
    const bool is_equal = take("==");
    if (!is_equal && !take("!=")) return left;
    Maybe right = unary(depth);
    if (!right) return std::nullopt;
    return combine(is_equal ? Expression::Kind::equal : Expression::Kind::not_equal,
                   std::move(*left), std::move(*right));
  }
  Maybe unary(std::size_t depth) {
    skip_blanks();
    const std::size_t begin = at_;
    if (at_ < text_.size() && text_[at_] == '!' && !text_.substr(at_).starts_with("!=")) {
      ++at_;
      if (depth > kExpressionDepthMax) return fail(begin, at_, "nested too deeply");
      Maybe operand = unary(depth + 1);
      if (!operand) return std::nullopt;
      Expression whole;
      whole.kind = Expression::Kind::negation;
      whole.span = places_.span(begin, at_);
      whole.operands.push_back(std::move(*operand));
      return whole;
    }
    return postfix(depth);
  }
  Maybe postfix(std::size_t depth) {
    skip_blanks();
    const std::size_t begin = at_;
    Maybe whole = primary(depth);
    std::size_t links = 0;
    while (whole) {
      if (at_ < text_.size() && (text_[at_] == '.' || text_[at_] == '[') &&
          ++links > kExpressionDepthMax) {
        return fail(begin, at_, "path with too many parts");
      }
      if (at_ < text_.size() && text_[at_] == '.') {
        const std::size_t word = ++at_;
        while (at_ < text_.size() && is_word(text_[at_])) ++at_;
        if (at_ == word) return fail(word, word + 1, "a name is missing behind the `.`");
        Expression member;
        member.kind = Expression::Kind::member;
        member.text = std::string(text_.substr(word, at_ - word));
        member.span = places_.span(begin, at_);
        member.operands.push_back(std::move(*whole));
        whole = std::move(member);
      } else if (at_ < text_.size() && text_[at_] == '[') {
        ++at_;
        Maybe key = disjunction(depth + 1);
        if (!key) return std::nullopt;
        if (!take("]")) return fail(at_, at_ + 1, "`]` is missing");
        Expression index;
        index.kind = Expression::Kind::index;
        index.span = places_.span(begin, at_);
        index.operands.push_back(std::move(*whole));
        index.operands.push_back(std::move(*key));
        whole = std::move(index);
      } else {
        break;
      }
    }
    return whole;
  }

  Maybe literal(std::size_t begin, ir::Value value) const {
    Expression whole;
    whole.span = places_.span(begin, at_);
    whole.literal = std::move(value);
    return whole;
  }

  Maybe primary(std::size_t depth) {
    skip_blanks();
    const std::size_t begin = at_;
    if (at_ >= text_.size())
      return fail(begin, begin, "the expression stops in the middle; `}` is missing");
    const char c = text_[at_];
    if (c == '\'' || c == '"') return quoted(c);
    if (is_digit(c)) return quantity();
    if (c == '(') {
      ++at_;
      Maybe inner = disjunction(depth + 1);
      if (!inner) return std::nullopt;
      if (!take(")")) return fail(at_, at_ + 1, "`)` is missing");
      return inner;
    }
    if (c == '[') {
      ++at_;
      Expression list;
      list.kind = Expression::Kind::list;
      if (!arguments(list, "]", depth)) return std::nullopt;
      list.span = places_.span(begin, at_);
      return list;
    }
    if (!is_word_begin(c))
      return fail(begin, begin + 1, "a name, a text or a number should stand here");
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    const std::string word(text_.substr(begin, at_ - begin));
    if (word == "true" || word == "false") return literal(begin, word == "true");
    if (word == "null") return literal(begin, nullptr);
    Expression whole;
    whole.text = word;
    whole.span = places_.span(begin, at_);
    if (at_ >= text_.size() || text_[at_] != '(') {
      whole.kind = Expression::Kind::name;
      return whole;
    }
    const Span name_span = whole.span;
    ++at_;
    whole.kind = Expression::Kind::call;
    if (!arguments(whole, ")", depth)) return std::nullopt;
    whole.span = places_.span(begin, at_);
    const auto names = function_names();
    if (std::find(names.begin(), names.end(), word) == names.end()) {
      auto report = sink_.report(Kind::unknown_function, name_span,
                                 fmt::format("there is no function `{}`", word));
      if (const auto near = nearest(word, names))
        report.label(fmt::format("did you mean `{}`?", *near));
      return std::nullopt;
    }
    return whole;
  }

  bool arguments(Expression& whole, std::string_view closing, std::size_t depth) {
    if (take(closing)) return true;
    while (true) {
      Maybe item = disjunction(depth + 1);
      if (!item) return false;
      whole.operands.push_back(std::move(*item));
      if (take(closing)) return true;
      if (!take(",")) {
        static_cast<void>(
            fail(at_, at_ + 1, fmt::format("`,` or `{}` should stand here", closing)));
        return false;
      }
    }
  }

  Maybe quoted(char quote) {
    const std::size_t begin = at_++;
    const std::size_t end = text_.find(quote, at_);
    if (end == std::string_view::npos) return fail(begin, begin + 1, "the text is not closed");
    std::string value(text_.substr(at_, end - at_));
    at_ = end + 1;
    return literal(begin, std::move(value));
  }

  Maybe quantity() {
    const std::size_t begin = at_;
    while (at_ < text_.size() && is_word(text_[at_])) ++at_;
    const std::string_view word = text_.substr(begin, at_ - begin);
    if (const auto integer = read_integer(word)) return literal(begin, *integer);
    if (const auto duration = read_duration_ms(word)) return literal(begin, *duration);
    if (const auto bytes = read_bytes(word)) return literal(begin, *bytes);
    return fail(begin, at_,
                fmt::format("`{}` is no number with a unit that is known", printable(word, 40)));
  }

  std::string_view text_;
  std::size_t at_;
  const Places& places_;
  Sink& sink_;
};

}  // namespace

bool Template::has_expression() const {
  return std::any_of(parts.begin(), parts.end(),
                     [](const Part& part) { return part.expression.has_value(); });
}

std::optional<Template> parse_template(const Node& scalar, const SourceSet& sources, Sink& sink) {
  Template whole;
  whole.span = scalar.span;
  const std::string_view text = scalar.text;
  const std::size_t first = text.find("${");
  if (first == std::string_view::npos) {
    whole.parts.push_back({std::string(text), std::nullopt});
    return whole;
  }
  if (text.size() > kExpressionBytesMax) {
    sink.report(Kind::expression_syntax, scalar.span,
                fmt::format("text with an expression has {}, at most {} are read",
                            show_bytes(text.size()), show_bytes(kExpressionBytesMax)));
    return std::nullopt;
  }
  const Places places(scalar, sources);
  std::string literal;
  std::size_t at = 0;
  bool has_problem = false;
  while (at < text.size()) {
    if (text.substr(at).starts_with("$${")) {
      literal += "${";
      at += 3;
      continue;
    }
    if (!text.substr(at).starts_with("${")) {
      literal += text[at++];
      continue;
    }
    if (!literal.empty()) whole.parts.push_back({std::move(literal), std::nullopt});
    literal.clear();
    Parser parser(text, at + 2, places, sink);
    auto expression = parser.parse();
    if (!expression) {
      has_problem = true;
      break;
    }
    at = parser.position();
    whole.parts.push_back({std::string(), std::move(*expression)});
  }
  if (!literal.empty()) whole.parts.push_back({std::move(literal), std::nullopt});
  if (has_problem) return std::nullopt;
  return whole;
}

}  // namespace plan::syntax
