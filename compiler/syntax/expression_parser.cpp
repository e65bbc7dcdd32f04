#include <fmt/format.h>

#include <algorithm>

#include "compiler/source/text.h"
#include "compiler/syntax/expression.h"
#include "compiler/syntax/language_builder.h"
#include "compiler/syntax/limits.h"
#include "compiler/syntax/words.h"

namespace plan::syntax {
namespace {

/// Turns offsets in a decoded scalar into places of the file: exact where the text stands there as
/// it is, the whole scalar where it was decoded.
class Places : public TextPlaces {
 public:
  Places(const Node& scalar, const SourceSet& sources) : whole_(scalar.span) {
    if (!scalar.span.is_known()) return;
    if (scalar.is_expression) {  // the text has `${` in front, which is not in the file
      is_exact_ = true;
      lead_ = 2;
      begin_ = scalar.span.begin;
      return;
    }
    const std::string_view raw = sources.text(scalar.span);
    const std::size_t lead = scalar.is_quoted ? 1 : 0;
    is_exact_ = raw.size() >= lead && raw.substr(lead).starts_with(scalar.text);
    begin_ = scalar.span.begin + static_cast<std::uint32_t>(lead);
  }
  [[nodiscard]] Span span(std::size_t begin, std::size_t end) const override {
    if (!is_exact_) return whole_;
    const auto at = [&](std::size_t offset) {
      return begin_ + static_cast<std::uint32_t>(offset < lead_ ? 0 : offset - lead_);
    };
    return {whole_.file, at(begin), at(end)};
  }

 private:
  Span whole_;
  std::uint32_t begin_ = 0;
  std::size_t lead_ = 0;
  bool is_exact_ = false;
};

/// Functions that do not exist are told where they stand, not only where they are evaluated.
bool knows_functions(const Expression& expression, Sink& sink) {
  bool is_known =
      std::all_of(expression.operands.begin(), expression.operands.end(),
                  [&](const Expression& operand) { return knows_functions(operand, sink); });
  if (expression.kind != Expression::Kind::call) return is_known;
  const auto names = function_names();
  if (std::find(names.begin(), names.end(), expression.text) != names.end()) return is_known;
  Span name = expression.span;
  name.end = std::min(name.end, name.begin + static_cast<std::uint32_t>(expression.text.size()));
  auto report =
      sink.report(Kind::unknown_function, name,
                  fmt::format("there is no function `{}`", printable(expression.text, 60)));
  if (const auto near = nearest(expression.text, names))
    report.label(fmt::format("did you mean `{}`?", *near));
  return false;
}

bool is_blank(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

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
    at += 2;
    LanguageBuilder builder(text, places, Kind::expression_syntax, sink, {});
    if (!parse_one_expression(text, &at, builder)) {
      has_problem = true;
      break;
    }
    while (at < text.size() && is_blank(text[at])) ++at;
    if (at == text.size() || text[at] != '}') {
      auto report =
          sink.report(Kind::expression_syntax, places.span(at, std::min(at + 1, text.size())),
                      "here the expression goes on where `}` should end it");
      if (at < text.size() && is_word_part(text[at]))
        report.label("a text in an expression stands in quotes: `'two words'`");
      has_problem = true;
      break;
    }
    ++at;
    Expression expression = builder.take_expression();
    has_problem = !knows_functions(expression, sink);
    if (has_problem) break;
    whole.parts.push_back({std::string(), std::move(expression)});
  }
  if (!literal.empty()) whole.parts.push_back({std::move(literal), std::nullopt});
  if (has_problem) return std::nullopt;
  return whole;
}

}  // namespace plan::syntax
