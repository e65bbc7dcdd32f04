// A strict recursive-descent parser of MTA expressions (reference/stalwart-admin.md 6.2). The
// server's own parser is an operator-stack machine that takes `a &&`, `a b` and `= 5` and
// misbehaves when mail arrives; what it takes and we do not is told apart by
// MtaError::is_refused_by_server.
#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <unordered_map>

#include <fmt/format.h>

#include "compiler/schema/limits.h"
#include "compiler/schema/mta_expression.h"
#include "compiler/source/text.h"

namespace plan::schema {

const std::vector<MtaFunction>& mta_functions() {
  static const std::vector<MtaFunction> kFunctions = {
      {"count", 1, false},
      {"sort", 2, false},
      {"dedup", 1, false},
      {"winnow", 1, false},
      {"is_intersect", 2, false},
      {"is_email", 1, false},
      {"email_part", 2, false},
      {"is_empty", 1, false},
      {"is_number", 1, false},
      {"is_ip_addr", 1, false},
      {"is_ipv4_addr", 1, false},
      {"is_ipv6_addr", 1, false},
      {"is_ip_in_cidr", 2, false},
      {"if_then", 3, false},
      {"ip_reverse_name", 1, false},
      {"trim", 1, false},
      {"trim_end", 1, false},
      {"trim_start", 1, false},
      {"len", 1, false},
      {"to_lowercase", 1, false},
      {"to_uppercase", 1, false},
      {"is_uppercase", 1, false},
      {"is_lowercase", 1, false},
      {"has_digits", 1, false},
      {"count_spaces", 1, false},
      {"count_uppercase", 1, false},
      {"count_lowercase", 1, false},
      {"count_chars", 1, false},
      {"contains", 2, false},
      {"contains_ignore_case", 2, false},
      {"eq_ignore_case", 2, false},
      {"starts_with", 2, false},
      {"ends_with", 2, false},
      {"lines", 1, false},
      {"substring", 3, false},
      {"strip_prefix", 2, false},
      {"strip_suffix", 2, false},
      {"split", 2, false},
      {"rsplit", 2, false},
      {"split_once", 2, false},
      {"rsplit_once", 2, false},
      {"split_n", 3, false},
      {"split_words", 1, false},
      {"hash", 2, false},
      {"matches", 2, false},
      {"is_local_domain", 1, true},
      {"is_local_address", 1, true},
      {"key_get", 2, true},
      {"key_exists", 2, true},
      {"key_set", 3, true},
      {"counter_incr", 3, true},
      {"counter_get", 2, true},
      {"dns_query", 2, true},
      {"sql_query", 3, true},
      {"system", 1, true},
      {"metric", 1, true},
  };
  return kFunctions;
}

const MtaFunction* mta_function(std::string_view name) {
  // An evaluation asks for each call.
  static const auto kByName = [] {
    std::unordered_map<std::string_view, const MtaFunction*> by_name;
    for (const MtaFunction& function : mta_functions()) by_name.emplace(function.name, &function);
    return by_name;
  }();
  const auto known = kByName.find(name);
  return known == kByName.end() ? nullptr : known->second;
}

namespace {

using Kind = MtaNode::Kind;
using Operator = MtaNode::Operator;

struct BinaryToken {
  std::string_view text;
  Operator op;
  int level;  // 0 binds loosest
};
// Longer spellings first: `&&` before `&`, `=>` is another way to write `>=`.
constexpr std::array kBinary = {
    BinaryToken{"||", Operator::logical_or, 0},    BinaryToken{"|", Operator::logical_or, 0},
    BinaryToken{"&&", Operator::logical_and, 1},   BinaryToken{"&", Operator::logical_and, 1},
    BinaryToken{"^", Operator::logical_xor, 2},    BinaryToken{"==", Operator::equal, 3},
    BinaryToken{"!=", Operator::not_equal, 3},     BinaryToken{">=", Operator::greater_equal, 4},
    BinaryToken{"=>", Operator::greater_equal, 4}, BinaryToken{"<=", Operator::less_equal, 4},
    BinaryToken{"=<", Operator::less_equal, 4},    BinaryToken{">", Operator::greater, 4},
    BinaryToken{"<", Operator::less, 4},           BinaryToken{"+", Operator::add, 5},
    BinaryToken{"-", Operator::subtract, 5},       BinaryToken{"*", Operator::multiply, 6},
    BinaryToken{"/", Operator::divide, 6}};
constexpr int kLevels = 7;

// A pattern that no reading of regular expressions takes: a group or class that does not close, or
// was never open.
bool has_open_group(std::string_view pattern) {
  int groups = 0;
  bool is_class = false;
  for (std::size_t i = 0; i < pattern.size(); ++i) {
    const char c = pattern[i];
    if (c == '\\') {
      ++i;
    } else if (is_class) {
      is_class = c != ']';
    } else if (c == '[') {
      is_class = true;
      if (i + 1 < pattern.size() && pattern[i + 1] == '^') ++i;
      if (i + 1 < pattern.size() && pattern[i + 1] == ']') ++i;
    } else if (c == '(') {
      ++groups;
    } else if (c == ')' && --groups < 0) {
      return true;
    }
  }
  return groups != 0 || is_class;
}

class Parser {
 public:
  Parser(std::string_view text, const MtaContext& context, MtaError& error)
      : text_(text), context_(context), error_(error) {}

  std::optional<MtaExpression> parse() {
    if (text_.size() > kExpressionBytesMax) {
      fail(0,
           fmt::format("expression of {}, at most {} are read", show_bytes(text_.size()),
                       show_bytes(kExpressionBytesMax)),
           false);
      return std::nullopt;
    }
    if (const auto bad = first_invalid_utf8(text_)) {
      fail(*bad, "expression is not UTF-8", true);
      return std::nullopt;
    }
    skip_blanks();
    if (at_ == text_.size()) {
      fail(0, "expression is empty", text_.empty());
      return std::nullopt;
    }
    const auto root = binary(0, 0);
    if (!root) return std::nullopt;
    skip_blanks();
    if (at_ < text_.size()) {
      trailing();
      return std::nullopt;
    }
    check_backslashes();
    if (has_failed_) return std::nullopt;
    return std::move(expression_);
  }

 private:
  /// A backslash stays in the text, which is right for a regular expression and for nothing else.
  void check_backslashes() {
    std::vector<bool> is_pattern(expression_.nodes.size());
    for (const MtaNode& node : expression_.nodes) {
      if (node.kind == Kind::matches) is_pattern[node.children.front()] = true;
    }
    for (std::size_t i = 0; i < expression_.nodes.size(); ++i) {
      const MtaNode& node = expression_.nodes[i];
      if (node.kind != Kind::text || is_pattern[i]) continue;
      if (text_.substr(node.begin, node.end - node.begin).find('\\') == std::string_view::npos)
        continue;
      fail(node.begin, "a backslash stays in the text; only the pattern of `matches` may have one",
           false);
      return;
    }
  }

  void fail(std::size_t offset, std::string message, bool is_refused_by_server,
            std::string nearest = {}) {
    if (has_failed_) return;
    has_failed_ = true;
    error_ = {static_cast<std::uint32_t>(offset), std::move(message), std::move(nearest),
              is_refused_by_server};
  }

  void skip_blanks() {
    while (at_ < text_.size() && (text_[at_] == ' ' || text_[at_] == '\n' || text_[at_] == '\r'))
      ++at_;
  }

  [[nodiscard]] char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  void trailing() {
    const char c = peek();
    if (c == '=') {
      fail(at_, "a single `=` swallows the character after it on the server: write `==`", false,
           "==");
    } else if (c == '}') {
      fail(at_, "the server ends the expression at `}` without a word", false);
    } else if (c == '\t') {
      fail(at_, "a tab is no white space in an expression", true);
    } else if (c == ')' || c == ']') {
      fail(at_, fmt::format("`{}` without its opening bracket", c), true);
    } else if (c == ',') {
      fail(at_, "`,` outside a function or list", false);
    } else if (is_word_start(c) || c == '\'' || c == '"' || (c >= '0' && c <= '9') || c == '(' ||
               c == '$') {
      const std::string_view word = word_at(at_);
      std::string near;
      if (word == "and") near = "&&";
      if (word == "or") near = "||";
      if (word == "in") near = "contains([…], …)";
      fail(at_,
           near.empty()
               ? fmt::format("`{}` where an operator belongs", printable(rest_of_word(), 40))
               : fmt::format("there is no operator `{}`", word),
           !near.empty(), near);
    } else if (c == '?') {
      fail(at_, "there is no operator `?`", true, "if_then(…, …, …)");
    } else {
      fail(at_,
           fmt::format("unexpected character `{}`", printable(text_.substr(at_, utf8_size(at_)))),
           true);
    }
  }

  [[nodiscard]] std::size_t utf8_size(std::size_t at) const {
    const auto lead = static_cast<unsigned char>(text_[at]);
    return lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  }

  [[nodiscard]] static bool is_word_start(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
  }
  [[nodiscard]] static bool is_word(char c) {
    return is_word_start(c) || (c >= '0' && c <= '9') || c == '.';
  }
  [[nodiscard]] std::string_view word_at(std::size_t at) const {
    std::size_t end = at;
    while (end < text_.size() && is_word(text_[end])) ++end;
    return text_.substr(at, end - at);
  }
  [[nodiscard]] std::string_view rest_of_word() const {
    const std::string_view word = word_at(at_);
    return word.empty() ? text_.substr(at_, 1) : word;
  }

  std::optional<std::uint32_t> add(MtaNode node) {
    if (expression_.nodes.size() >= kExpressionNodesMax) {
      fail(node.begin, fmt::format("expression has more than {} parts", kExpressionNodesMax),
           false);
      return std::nullopt;
    }
    expression_.nodes.push_back(std::move(node));
    return static_cast<std::uint32_t>(expression_.nodes.size() - 1);
  }

  [[nodiscard]] const BinaryToken* binary_token(int level) const {
    for (const BinaryToken& token : kBinary) {
      if (text_.substr(at_).starts_with(token.text)) return token.level == level ? &token : nullptr;
    }
    return nullptr;
  }

  std::optional<std::uint32_t> binary(int level, std::size_t depth) {
    if (depth > kExpressionDepthMax) {
      fail(at_, fmt::format("expression is nested deeper than {}", kExpressionDepthMax), false);
      return std::nullopt;
    }
    if (level == kLevels) return unary(depth);
    auto left = binary(level + 1, depth);
    while (left) {
      skip_blanks();
      const BinaryToken* token = binary_token(level);
      if (token == nullptr) break;
      const std::size_t operator_at = at_;
      at_ += token->text.size();
      skip_blanks();
      if (at_ == text_.size()) {
        fail(operator_at, fmt::format("`{}` has no right side", token->text), false);
        return std::nullopt;
      }
      const auto right = binary(level + 1, depth);
      if (!right) return std::nullopt;
      MtaNode node;
      node.kind = Kind::binary;
      node.op = token->op;
      node.begin = expression_.nodes[*left].begin;
      node.end = expression_.nodes[*right].end;
      node.children = {*left, *right};
      left = add(std::move(node));
    }
    return left;
  }

  std::optional<std::uint32_t> unary(std::size_t depth) {
    skip_blanks();
    const std::size_t begin = at_;
    const char c = peek();
    if (c == '!' || c == '-') {
      ++at_;
      skip_blanks();
      if (at_ == text_.size()) {
        fail(begin, fmt::format("`{}` has nothing after it", c), false);
        return std::nullopt;
      }
      const auto operand = primary(depth);
      if (!operand) return std::nullopt;
      MtaNode node;
      node.kind = c == '!' ? Kind::negate : Kind::minus;
      node.begin = static_cast<std::uint32_t>(begin);
      node.end = expression_.nodes[*operand].end;
      node.children = {*operand};
      return add(std::move(node));
    }
    return primary(depth);
  }

  std::optional<std::uint32_t> primary(std::size_t depth) {
    auto value = atom(depth);
    while (value && peek() == '[') {
      const std::size_t open = at_++;
      const auto index = binary(0, depth + 1);
      if (!index || !close(']', open)) return std::nullopt;
      MtaNode node;
      node.kind = Kind::item;
      node.begin = expression_.nodes[*value].begin;
      node.end = static_cast<std::uint32_t>(at_);
      node.children = {*value, *index};
      value = add(std::move(node));
    }
    return value;
  }

  bool close(char bracket, std::size_t open) {
    skip_blanks();
    if (peek() == bracket) {
      ++at_;
      return true;
    }
    if (at_ == text_.size()) {
      fail(open, fmt::format("`{}` is not closed", text_[open]), true);
    } else {
      trailing();
    }
    return false;
  }

  std::optional<std::uint32_t> atom(std::size_t depth) {
    skip_blanks();
    MtaNode node;
    node.begin = static_cast<std::uint32_t>(at_);
    const char c = peek();
    if (at_ == text_.size()) {
      fail(at_, "expression ends where a value belongs", false);
      return std::nullopt;
    }
    if (c == '\'' || c == '"') return text_literal(std::move(node));
    if (c >= '0' && c <= '9') return number(std::move(node));
    if (c == '(') {
      const std::size_t open = at_++;
      skip_blanks();
      if (peek() == ')') {
        fail(open, "`()` holds nothing", false);
        return std::nullopt;
      }
      const auto inner = binary(0, depth + 1);
      if (!inner || !close(')', open)) return std::nullopt;
      return inner;
    }
    if (c == '[') {
      const std::size_t open = at_++;
      node.kind = Kind::list;
      if (!members(']', open, depth, node.children)) return std::nullopt;
      node.end = static_cast<std::uint32_t>(at_);
      return add(std::move(node));
    }
    if (c == '$') return dollar(std::move(node));
    if (is_word_start(c)) return word(std::move(node), depth);
    for (const BinaryToken& token : kBinary) {
      if (text_.substr(at_).starts_with(token.text)) {
        fail(at_, fmt::format("`{}` where a value belongs", token.text), false);
        return std::nullopt;
      }
    }
    trailing();
    return std::nullopt;
  }

  bool members(char bracket, std::size_t open, std::size_t depth,
               std::vector<std::uint32_t>& children) {
    skip_blanks();
    if (peek() == bracket) {
      ++at_;
      return true;
    }
    while (true) {
      const auto member = binary(0, depth + 1);
      if (!member) return false;
      children.push_back(*member);
      skip_blanks();
      if (peek() == ',') {
        ++at_;
        continue;
      }
      return close(bracket, open);
    }
  }

  std::optional<std::uint32_t> text_literal(MtaNode node) {
    const char quote = text_[at_++];
    node.kind = Kind::text;
    // Whatever follows a backslash is taken literally, also what follows the second of two: a text
    // cannot end in one.
    bool is_escaped = false;
    while (at_ < text_.size() && (is_escaped || text_[at_] != quote)) {
      const char c = text_[at_++];
      node.text += !is_escaped ? c : c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : c;
      is_escaped = c == '\\';
    }
    if (at_ == text_.size()) {
      fail(node.begin, "text has no closing quote", true);
      return std::nullopt;
    }
    ++at_;
    node.end = static_cast<std::uint32_t>(at_);
    if (peek() == '\'' || peek() == '"') {
      fail(at_,
           "two texts side by side: a quote inside a text is written with the other kind of quotes",
           false);
      return std::nullopt;
    }
    return add(std::move(node));
  }

  std::optional<std::uint32_t> number(MtaNode node) {
    std::size_t end = at_;
    while (end < text_.size() && ((text_[end] >= '0' && text_[end] <= '9') || text_[end] == '.'))
      ++end;
    double value = 0;
    const auto [stop, error] =
        std::from_chars(text_.data() + at_, text_.data() + end, value, std::chars_format::fixed);
    if (error != std::errc{} || stop != text_.data() + end || !std::isfinite(value)) {
      fail(at_, fmt::format("`{}` is no number", printable(text_.substr(at_, end - at_), 40)),
           true);
      return std::nullopt;
    }
    at_ = end;
    const std::string_view unit = word_at(at_);
    if (!unit.empty()) {
      const double factor = unit == "ms"  ? 1
                            : unit == "s" ? 1e3
                            : unit == "m" ? 6e4
                            : unit == "h" ? 3.6e6
                            : unit == "d" ? 8.64e7
                                          : 0;
      if (factor == 0) {
        fail(at_, fmt::format("`{}` is no unit: ms, s, m, h or d", printable(unit, 40)), true);
        return std::nullopt;
      }
      value *= factor;
      at_ += unit.size();
    }
    node.kind = Kind::number;
    node.number = value;
    node.end = static_cast<std::uint32_t>(at_);
    return add(std::move(node));
  }

  std::optional<std::uint32_t> dollar(MtaNode node) {
    ++at_;
    const std::string_view name = word_at(at_);
    if (name.empty()) {
      fail(node.begin, "`$` needs a number or a name", true);
      return std::nullopt;
    }
    at_ += name.size();
    node.end = static_cast<std::uint32_t>(at_);
    if (name.front() >= '0' && name.front() <= '9') {
      int group = 0;
      const auto [stop, error] = std::from_chars(name.data(), name.data() + name.size(), group);
      if (error != std::errc{} || stop != name.data() + name.size() || group > 31) {
        fail(node.begin, fmt::format("`${}` is no capture group", printable(name, 40)), false);
        return std::nullopt;
      }
      node.kind = Kind::capture;
      node.number = group;
    } else {
      node.kind = Kind::global;
      node.text = std::string(name);
    }
    return add(std::move(node));
  }

  std::optional<std::uint32_t> word(MtaNode node, std::size_t depth) {
    const std::string_view name = word_at(at_);
    at_ += name.size();
    node.end = static_cast<std::uint32_t>(at_);
    skip_blanks();
    if (peek() == '(') return call(std::move(node), name, depth);
    at_ = node.end;
    if (name == "true" || name == "false") {
      node.kind = Kind::number;
      node.number = name == "true" ? 1 : 0;
      return add(std::move(node));
    }
    const auto is_in = [&](const std::vector<std::string_view>& names) {
      return std::find(names.begin(), names.end(), name) != names.end();
    };
    if (is_in(context_.variables)) {
      node.kind = Kind::variable;
    } else if (is_in(context_.constants)) {
      node.kind = Kind::constant;
    } else if (context_.is_unrestricted) {
      node.kind = Kind::variable;
    } else {
      unknown_word(node.begin, name);
      return std::nullopt;
    }
    node.text = std::string(name);
    return add(std::move(node));
  }

  void unknown_word(std::size_t offset, std::string_view name) {
    std::vector<std::string_view> names = context_.variables;
    names.insert(names.end(), context_.constants.begin(), context_.constants.end());
    std::string near(nearest(name, names).value_or(""));
    if (name == "not") near = "!";
    if (near.empty() && mta_function(name) != nullptr) near = std::string(name) + "(…)";
    std::string message = fmt::format("there is no variable or constant `{}` here ({})",
                                      printable(name, 60), context_.name);
    if (near.empty()) message += fmt::format("; a text is written `'{}'`", printable(name, 60));
    fail(offset, std::move(message), true, std::move(near));
  }

  std::optional<std::uint32_t> call(MtaNode node, std::string_view name, std::size_t depth) {
    const MtaFunction* function = mta_function(name);
    if (function == nullptr) {
      std::vector<std::string_view> names;
      for (const MtaFunction& each : mta_functions()) names.push_back(each.name);
      fail(node.begin, fmt::format("there is no function `{}`", printable(name, 60)), true,
           name == "not" ? "!" : std::string(nearest(name, names).value_or("")));
      return std::nullopt;
    }
    const std::size_t open = at_++;
    node.kind = Kind::call;
    node.text = std::string(name);
    if (!members(')', open, depth, node.children)) return std::nullopt;
    node.end = static_cast<std::uint32_t>(at_);
    const bool names_directory =
        context_.is_of_old_server && (name == "is_local_domain" || name == "is_local_address");
    const std::size_t arity = std::size_t{function->arity} + std::size_t{names_directory};
    if (node.children.size() != arity) {
      fail(node.begin,
           fmt::format("`{}` takes {} argument{}, {} {} given", name, arity, arity == 1 ? "" : "s",
                       node.children.size(), node.children.size() == 1 ? "is" : "are"),
           true);
      return std::nullopt;
    }
    if (name == "matches" || name == "system" || name == "metric") {
      const MtaNode& literal = expression_.nodes[node.children.front()];
      if (literal.kind != Kind::text) {
        fail(literal.begin, fmt::format("the first argument of `{}` is a text in quotes", name),
             true);
        return std::nullopt;
      }
      if (name == "matches") node.kind = Kind::matches;
      if (name == "matches" && has_open_group(literal.text)) {
        fail(literal.begin, "the pattern has a bracket without its other half", true);
        return std::nullopt;
      }
      if (name == "metric" && literal.text.find('.') == std::string::npos) {
        fail(literal.begin,
             fmt::format("`{}` is no metric: their names are like `queue.count`",
                         printable(literal.text, 40)),
             true);
        return std::nullopt;
      }
      if (name == "system" && literal.text != "domain" && literal.text != "hostname" &&
          literal.text != "node_id" && literal.text != "node_hostname" &&
          literal.text != "node_role") {
        fail(literal.begin,
             fmt::format(
                 "`system` knows domain, hostname, node_id, node_hostname, node_role, not `{}`",
                 printable(literal.text, 40)),
             true);
        return std::nullopt;
      }
    }
    if (!has_known_choice(name, node)) return std::nullopt;
    return add(std::move(node));
  }

  /// The second argument of two functions is one of a few words: another one compiles on the
  /// server, and finds nothing when mail arrives.
  bool has_known_choice(std::string_view name, const MtaNode& call) {
    static const std::vector<std::string_view> kRecords = {"ip",  "mx",   "txt",
                                                           "ptr", "ipv4", "ipv6"};
    static const std::vector<std::string_view> kParts = {"local", "domain"};
    if (name != "dns_query" && name != "email_part") return true;
    const std::vector<std::string_view>& known = name == "dns_query" ? kRecords : kParts;
    const MtaNode& chosen = expression_.nodes[call.children.back()];
    if (chosen.kind != Kind::text ||
        std::find(known.begin(), known.end(), chosen.text) != known.end())
      return true;
    fail(chosen.begin,
         fmt::format("`{}` knows {}, not `{}`", name, fmt::join(known, ", "),
                     printable(chosen.text, 40)),
         false, std::string(nearest(chosen.text, known).value_or("")));
    return false;
  }

  std::string_view text_;
  const MtaContext& context_;
  MtaError& error_;
  MtaExpression expression_;
  std::size_t at_ = 0;
  bool has_failed_ = false;
};

}  // namespace

std::optional<MtaExpression> parse_mta_expression(std::string_view text, const MtaContext& context,
                                                  MtaError* error) {
  MtaError unused;
  return Parser(text, context, error == nullptr ? unused : *error).parse();
}

}  // namespace plan::schema
