#include <algorithm>
#include <charconv>
#include <cmath>
#include <set>
#include <span>
#include <string_view>

#include <fmt/format.h>

#include "compiler/ir/digest.h"
#include "compiler/schema/errors.h"
#include "compiler/schema/formats.h"
#include "compiler/schema/limits.h"
#include "compiler/schema/mta_container.h"
#include "compiler/schema/mta_expression.h"
#include "compiler/schema/mta_pattern.h"
#include "compiler/source/text.h"

namespace plan::schema {
namespace {

using std::string_view_literals::operator""sv;
using Kind = MtaNode::Kind;
using Operator = MtaNode::Operator;

[[nodiscard]] ir::Value number_value(double number) {
  if (std::isfinite(number) && std::floor(number) == number && std::abs(number) < 9e15) {
    return static_cast<std::int64_t>(number);
  }
  return number;
}

[[nodiscard]] ir::Value truth(bool value) { return value ? 1 : 0; }

[[nodiscard]] std::optional<double> number_of(const ir::Value& value) {
  if (value.is_number()) return value.number_or(0);
  if (value.is_bool()) return value.bool_or(false) ? 1 : 0;
  if (!value.is_string() || value.as_string().empty()) return std::nullopt;
  const std::string& text = value.as_string();
  double number = 0;
  const auto [end, error] =
      std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

[[nodiscard]] bool is_list_of_texts(const MtaExpression& expression, std::uint32_t index) {
  const MtaNode& node = expression.nodes[index];
  return node.kind == Kind::list &&
         std::all_of(node.children.begin(), node.children.end(), [&](std::uint32_t child) {
           return expression.nodes[child].kind == Kind::text;
         });
}

class Evaluation {
 public:
  explicit Evaluation(const MtaEnvironment& environment) : environment_(environment) {}

  /// A node of the next expression that is known to be true; null: none.
  void know(const MtaNode* node) { known_ = node; }

  Result<ir::Value> value_of(const MtaExpression& expression, std::uint32_t index) {
    const MtaNode& node = expression.nodes[index];
    if (&node == known_) return truth(true);
    switch (node.kind) {
      case Kind::number:
        return number_value(node.number);
      case Kind::text:
      case Kind::constant:
        return ir::Value(node.text);
      case Kind::variable: {
        if (!environment_.variable) return undecided("the variable", node.text);
        std::optional<ir::Value> value = environment_.variable(node.text);
        if (!value) return undecided("the variable", node.text);
        return value->is_null() ? ir::Value("") : std::move(*value);
      }
      case Kind::capture: {
        const auto group = static_cast<std::size_t>(node.number);
        if (!are_captures_told_) return undecided("the capture", fmt::format("${}", group));
        return ir::Value(group < captures_.size() ? captures_[group] : std::string());
      }
      case Kind::global:
        return ir::Value("");  // globals live only inside the server's own scripts
      case Kind::list: {
        ir::List items;
        for (const std::uint32_t child : node.children) {
          PLAN_TRY(item, value_of(expression, child));
          items.push_back(std::move(item));
        }
        return ir::Value(std::move(items));
      }
      case Kind::negate: {
        PLAN_TRY(operand, value_of(expression, node.children[0]));
        return truth(!is_true(operand));
      }
      case Kind::minus: {
        PLAN_TRY(operand, value_of(expression, node.children[0]));
        return number_value(-number_of(operand).value_or(0));
      }
      case Kind::item: {
        PLAN_TRY(list, value_of(expression, node.children[0]));
        PLAN_TRY(at, value_of(expression, node.children[1]));
        const double position = number_of(at).value_or(-1);
        if (!list.is_list() || position < 0 || position >= static_cast<double>(list.size()))
          return ir::Value("");
        return ir::Value(list.item(static_cast<std::size_t>(position)));
      }
      case Kind::binary:
        return binary(expression, node);
      case Kind::matches:
        return matches(expression, node);
      case Kind::call:
        return call(expression, node);
    }
    return ir::Value();
  }

 private:
  static Error undecided(std::string_view what, std::string_view name) {
    return Error(errors::expression_undecided,
                 fmt::format("{} `{}` has no answer", what, printable(name, 100)));
  }

  static Result<ir::Value> bounded(std::string text) {
    if (text.size() > kEvaluatedBytesMax) {
      return Error(errors::expression_too_large,
                   fmt::format("a text of {} was built, the bound is {}", show_bytes(text.size()),
                               show_bytes(kEvaluatedBytesMax)));
    }
    return ir::Value(std::move(text));
  }

  Result<ir::Value> binary(const MtaExpression& expression, const MtaNode& node) {
    auto known_left = value_of(expression, node.children[0]);
    if (!known_left) return in_spite_of(known_left.error(), expression, node);
    const ir::Value left = std::move(*known_left);
    if (node.op == Operator::logical_and && !is_true(left)) return truth(false);
    if (node.op == Operator::logical_or && is_true(left)) return truth(true);
    PLAN_TRY(right, value_of(expression, node.children[1]));
    const auto a = number_of(left);
    const auto b = number_of(right);
    // A text beside a number is read as a number; two texts are compared as texts ('10' < '9').
    const bool as_numbers = a && b && (!left.is_string() || !right.is_string());
    const auto order = [&](auto compare) {
      if (as_numbers) return truth(compare(*a, *b));
      if (left.is_string() && right.is_string())
        return truth(compare(left.as_string(), right.as_string()));
      return truth(compare(text_of(left), text_of(right)));
    };
    switch (node.op) {
      case Operator::logical_and:
      case Operator::logical_or:
        return truth(is_true(right));
      case Operator::logical_xor:
        return truth(is_true(left) != is_true(right));
      case Operator::equal:
        if (left.is_list() && right.is_list()) return truth(left == right);
        return order([](const auto& x, const auto& y) { return x == y; });
      case Operator::not_equal:
        if (left.is_list() && right.is_list()) return truth(!(left == right));
        return order([](const auto& x, const auto& y) { return x != y; });
      case Operator::greater:
        return order([](const auto& x, const auto& y) { return x > y; });
      case Operator::greater_equal:
        return order([](const auto& x, const auto& y) { return x >= y; });
      case Operator::less:
        return order([](const auto& x, const auto& y) { return x < y; });
      case Operator::less_equal:
        return order([](const auto& x, const auto& y) { return x <= y; });
      case Operator::add:
        if (as_numbers) return number_value(*a + *b);
        return bounded(text_of(left) + text_of(right));
      case Operator::subtract:
        return number_value(a.value_or(0) - b.value_or(0));
      case Operator::multiply:
        return number_value(a.value_or(0) * b.value_or(0));
      case Operator::divide:
        return b.value_or(0) == 0 ? ir::Value(0) : number_value(a.value_or(0) / *b);
      case Operator::none:
        break;
    }
    return ir::Value();
  }

  /// Whatever the left side is that cannot be told: `... && false` is false, `... || true` is true.
  Result<ir::Value> in_spite_of(const Error& left, const MtaExpression& expression,
                                const MtaNode& node) {
    const bool is_and = node.op == Operator::logical_and;
    if (!left.is(errors::expression_undecided) || (!is_and && node.op != Operator::logical_or))
      return left;
    // What a pattern of the left side finds, and whether the server gets to one of the right side,
    // nobody can tell.
    const bool is_told = are_captures_told_ && !has_pattern(expression);
    are_captures_told_ = is_told;
    const auto right = value_of(expression, node.children[1]);
    are_captures_told_ = is_told;
    if (!right || is_true(*right) == is_and) return left;
    return truth(!is_and);
  }

  bool has_pattern(const MtaExpression& expression) {
    if (searched_ == &expression) return has_pattern_;
    searched_ = &expression;
    has_pattern_ = std::any_of(expression.nodes.begin(), expression.nodes.end(),
                               [](const MtaNode& node) { return node.kind == Kind::matches; });
    return has_pattern_;
  }

  Result<ir::Value> matches(const MtaExpression& expression, const MtaNode& node) {
    PLAN_TRY(subject, value_of(expression, node.children[1]));
    const std::string& pattern = expression.nodes[node.children[0]].text;
    const std::string text = text_of(subject);
    if (text.size() > kMatchedBytesMax || pattern.size() > kPatternBytesMax) {
      return Error(errors::expression_too_large,
                   fmt::format("`matches` on {} with a pattern of {}", show_bytes(text.size()),
                               show_bytes(pattern.size())));
    }
    const PatternAnswer answer = find_pattern(pattern, text);
    if (!answer.is_readable) return undecided("the regular expression", pattern);
    if (!answer.found) return truth(false);
    are_captures_told_ = true;
    captures_.clear();
    for (const auto& [begin, end] : *answer.found)
      captures_.push_back(text.substr(begin, end - begin));
    return truth(true);
  }

  Result<ir::Value> call(const MtaExpression& expression, const MtaNode& node) {
    const MtaFunction* function = mta_function(node.text);
    if (function == nullptr) return undecided("the function", node.text);
    if (node.text == "contains"sv && is_list_of_texts(expression, node.children[0])) {
      // Hundreds of domains in one condition, asked for each message: no list is built of them.
      PLAN_TRY(item, value_of(expression, node.children[1]));
      const std::string wanted = text_of(item);
      const auto& names = expression.nodes[node.children[0]].children;
      return truth(std::any_of(names.begin(), names.end(), [&](std::uint32_t name) {
        return expression.nodes[name].text == wanted;
      }));
    }
    std::vector<ir::Value> arguments;
    arguments.reserve(node.children.size());
    const bool is_choice = node.text == "if_then"sv;
    for (const std::uint32_t child : node.children) {
      if (is_choice && arguments.size() == 1) break;  // only the branch taken is evaluated
      PLAN_TRY(argument, value_of(expression, child));
      arguments.push_back(std::move(argument));
    }
    if (is_choice) return value_of(expression, node.children[is_true(arguments[0]) ? 1 : 2]);
    if (!function->is_asynchronous) return compute(node.text, arguments);
    if (environment_.call) {
      if (auto answer = environment_.call(node.text, arguments)) return std::move(*answer);
    }
    std::string shown = node.text + "(";
    for (std::size_t i = 0; i < arguments.size(); ++i)
      shown += (i == 0 ? "'" : ", '") + text_of(arguments[i]) + "'";
    return undecided("the function", shown + ")");
  }

  static Result<ir::Value> texts(std::vector<std::string> parts) {
    if (parts.size() > kEvaluatedItemsMax) {
      return Error(errors::expression_too_large,
                   fmt::format("a list of {} items was built, the bound is {}",
                               show_count(parts.size()), show_count(kEvaluatedItemsMax)));
    }
    ir::List items;
    for (std::string& part : parts) items.emplace_back(std::move(part));
    return ir::Value(std::move(items));
  }

  static std::vector<std::string> split_text(const std::string& text, const std::string& separator,
                                             std::size_t parts_max, bool is_from_end) {
    std::vector<std::string> parts;
    if (separator.empty()) return {text};
    std::string rest = text;
    while (parts.size() + 1 < parts_max && parts.size() <= kEvaluatedItemsMax) {
      const std::size_t at = is_from_end ? rest.rfind(separator) : rest.find(separator);
      if (at == std::string::npos) break;
      if (is_from_end) {
        parts.push_back(rest.substr(at + separator.size()));
        rest.resize(at);
      } else {
        parts.push_back(rest.substr(0, at));
        rest.erase(0, at + separator.size());
      }
    }
    parts.push_back(rest);
    return parts;
  }

  /// Functions that need nothing but their arguments. Letter case and counts are of ASCII, as
  /// addresses need them.
  static Result<ir::Value> compute(std::string_view name, const std::vector<ir::Value>& arguments) {
    const ir::Value& first = arguments[0];
    std::string made_a;
    std::string made_b;
    const std::string& a = first.is_string() ? first.as_string() : (made_a = text_of(first));
    const std::string& b = arguments.size() < 2       ? made_b
                           : arguments[1].is_string() ? arguments[1].as_string()
                                                      : (made_b = text_of(arguments[1]));
    const auto count_if = [&](auto test) {
      return static_cast<std::int64_t>(std::count_if(a.begin(), a.end(), test));
    };
    const auto is_upper = [](char c) { return c >= 'A' && c <= 'Z'; };
    const auto is_lower = [](char c) { return c >= 'a' && c <= 'z'; };

    if (name == "to_lowercase") return ir::Value(lower_ascii(a));
    if (name == "to_uppercase") {
      std::string out = a;
      for (char& c : out) c = is_lower(c) ? static_cast<char>(c - 32) : c;
      return ir::Value(std::move(out));
    }
    if (name == "contains") {
      if (first.is_list())
        return truth(std::any_of(first.items().begin(), first.items().end(),
                                 [&](const ir::Value& item) { return text_of(item) == b; }));
      return truth(a.find(b) != std::string::npos);
    }
    if (name == "contains_ignore_case") {
      if (first.is_list())
        return truth(std::any_of(
            first.items().begin(), first.items().end(),
            [&](const ir::Value& item) { return equals_ignoring_case(text_of(item), b); }));
      return truth(lower_ascii(a).find(lower_ascii(b)) != std::string::npos);
    }
    if (name == "eq_ignore_case") return truth(equals_ignoring_case(a, b));
    if (name == "starts_with") return truth(a.starts_with(b));
    if (name == "ends_with") return truth(a.ends_with(b));
    if (name == "strip_prefix") return ir::Value(a.starts_with(b) ? a.substr(b.size()) : a);
    if (name == "strip_suffix")
      return ir::Value(a.ends_with(b) ? a.substr(0, a.size() - b.size()) : a);
    if (name == "is_empty") return truth(first.is_list() ? first.size() == 0 : a.empty());
    if (name == "is_number") return truth(number_of(first).has_value());
    if (name == "is_ip_addr") return truth(is_ip_address(a));
    if (name == "is_ipv4_addr") return truth(is_ip_address(a) && a.find(':') == std::string::npos);
    if (name == "is_ipv6_addr") return truth(is_ip_address(a) && a.find(':') != std::string::npos);
    if (name == "is_ip_in_cidr") return truth(is_in_network(a, b));
    if (name == "is_email")
      return truth(!format_problem(StringFormat::email_address, Validator::email, a));
    if (name == "email_part") {
      const std::size_t at = a.rfind('@');
      if (at == std::string::npos) return ir::Value("");
      return ir::Value(b == "domain"  ? a.substr(at + 1)
                       : b == "local" ? a.substr(0, at)
                                      : std::string());
    }
    if (name == "count")
      return ir::Value(
          static_cast<std::int64_t>(first.is_list() ? first.size() : (a.empty() ? 0 : 1)));
    if (name == "len")
      return ir::Value(static_cast<std::int64_t>(first.is_list() ? first.size() : a.size()));
    if (name == "count_chars")
      return ir::Value(
          static_cast<std::int64_t>(first_invalid_utf8(a) ? a.size() : character_count(a)));
    if (name == "count_spaces")
      return ir::Value(
          count_if([](char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }));
    if (name == "count_uppercase") return ir::Value(count_if(is_upper));
    if (name == "count_lowercase") return ir::Value(count_if(is_lower));
    if (name == "is_uppercase") return truth(count_if(is_lower) == 0);
    if (name == "is_lowercase") return truth(count_if(is_upper) == 0);
    if (name == "has_digits")
      return truth(count_if([](char c) { return c >= '0' && c <= '9'; }) > 0);
    if (name == "trim") return ir::Value(std::string(trim(a)));
    if (name == "trim_start")
      return ir::Value(a.substr(std::min(a.find_first_not_of(" \t\r\n"), a.size())));
    if (name == "trim_end") {
      const std::size_t last = a.find_last_not_of(" \t\r\n");
      return ir::Value(last == std::string::npos ? std::string() : a.substr(0, last + 1));
    }
    if (name == "substring") {
      const double begin = number_of(arguments[1]).value_or(0);
      const double size = number_of(arguments[2]).value_or(0);
      if (begin < 0 || size <= 0 || begin >= static_cast<double>(a.size())) return ir::Value("");
      return ir::Value(
          a.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(std::min(size, 1e9))));
    }
    if (name == "lines") return texts(split_text(a, "\n", kEvaluatedItemsMax + 2, false));
    if (name == "split") return texts(split_text(a, b, kEvaluatedItemsMax + 2, false));
    if (name == "rsplit") return texts(split_text(a, b, kEvaluatedItemsMax + 2, true));
    if (name == "split_once" || name == "rsplit_once") {
      auto parts = split_text(a, b, 2, name == "rsplit_once");
      if (parts.size() < 2) return ir::Value("");
      if (name == "rsplit_once") std::swap(parts[0], parts[1]);
      return texts(std::move(parts));
    }
    if (name == "split_n") {
      const double parts_max = std::clamp(number_of(arguments[2]).value_or(1), 1.0, 10'000.0);
      return texts(split_text(a, b, static_cast<std::size_t>(parts_max), false));
    }
    if (name == "split_words") {
      std::vector<std::string> words;
      std::string word;
      for (const char c : a + " ") {
        if (is_upper(c) || is_lower(c) || (c >= '0' && c <= '9') ||
            static_cast<unsigned char>(c) >= 0x80) {
          word += c;
        } else if (!word.empty()) {
          words.push_back(std::move(word));
          word.clear();
          if (words.size() > kEvaluatedItemsMax) break;
        }
      }
      return texts(std::move(words));
    }
    if (name == "sort" || name == "dedup" || name == "winnow") {
      std::vector<std::string> items;
      std::set<std::string> seen;
      for (const ir::Value& item : first.items()) {
        std::string text = text_of(item);
        if (name == "winnow" && text.empty()) continue;
        if (name == "dedup" && !seen.insert(text).second) continue;
        items.push_back(std::move(text));
      }
      if (name == "sort") std::sort(items.begin(), items.end());
      return texts(std::move(items));
    }
    if (name == "is_intersect") {
      std::set<std::string> left;
      for (const ir::Value& item : first.items()) left.insert(text_of(item));
      if (!first.is_list()) left.insert(a);
      const ir::Value& second = arguments[1];
      if (!second.is_list()) return truth(left.contains(b));
      return truth(
          std::any_of(second.items().begin(), second.items().end(),
                      [&](const ir::Value& item) { return left.contains(text_of(item)); }));
    }
    if (name == "hash" && b == "sha256") return ir::Value(ir::sha256(a).hex());
    return undecided("the function",
                     name);  // ip_reverse_name, hash of another kind: nothing we route by
  }

  /// `address` inside `network` ("10.0.0.0/8"); both in text, either family.
  static bool is_in_network(const std::string& address, const std::string& network) {
    const std::size_t slash = network.find('/');
    const auto left = address_bytes(address);
    const auto right = address_bytes(network.substr(0, slash));
    if (left.empty() || left.size() != right.size()) return false;
    std::size_t bits = left.size() * 8;
    if (slash != std::string::npos) {
      const auto given = number_of(ir::Value(network.substr(slash + 1)));
      if (!given || *given < 0 || *given > static_cast<double>(bits)) return false;
      bits = static_cast<std::size_t>(*given);
    }
    for (std::size_t bit = 0; bit < bits; ++bit) {
      const unsigned mask = 0x80U >> (bit % 8);
      if ((left[bit / 8] & mask) != (right[bit / 8] & mask)) return false;
    }
    return true;
  }

  const MtaEnvironment& environment_;
  const MtaNode* known_ = nullptr;
  std::vector<std::string> captures_;
  bool are_captures_told_ = true;  // not behind a pattern of which nobody can tell what it found
  const MtaExpression* searched_ = nullptr;  // for patterns
  bool has_pattern_ = false;                 // has it any
};

}  // namespace

bool is_true(const ir::Value& value) {
  if (value.is_bool()) return value.bool_or(false);
  if (value.is_number()) return value.number_or(0) != 0;
  if (value.is_string()) return !value.as_string().empty();
  return value.size() > 0;
}

std::string text_of(const ir::Value& value) {
  switch (value.type()) {
    case ir::Value::Type::string:
      return value.as_string();
    case ir::Value::Type::integer:
      return std::to_string(value.as_integer());
    case ir::Value::Type::number:
      return fmt::format("{}", value.number_or(0));
    case ir::Value::Type::boolean:
      return value.bool_or(false) ? "1" : "0";
    case ir::Value::Type::list: {
      std::string text;
      for (const ir::Value& item : value.items()) {
        if (!text.empty()) text += ", ";
        text += item.is_list() ? "" : text_of(item);
      }
      return text;
    }
    case ir::Value::Type::null:
    case ir::Value::Type::map:
    case ir::Value::Type::secret:
    case ir::Value::Type::output:
      return "";
  }
  return "";
}

Result<ir::Value> evaluate(const MtaExpression& expression, const MtaEnvironment& environment) {
  PLAN_CHECK(!expression.nodes.empty(), "only parsed expressions are evaluated");
  Evaluation evaluation(environment);
  return evaluation.value_of(expression, static_cast<std::uint32_t>(expression.nodes.size() - 1));
}

namespace {

constexpr std::uint32_t kNoNode = UINT32_MAX;

/// The domains of which a condition wants the recipient's to be one before it asks for anything
/// else: `rcpt_domain == 'a' && ...`, `contains(['a', 'b'], rcpt_domain) && ...`, and the node that
/// is true for these; or the one that a pattern ends with, `matches('@a$', rcpt) && ...`. Nothing
/// for what begins in another way.
struct Wanted {
  std::vector<std::string> domains = {};
  std::uint32_t node = kNoNode;
  bool is_of_pattern = false;
};
[[nodiscard]] Wanted first_wanted(const MtaExpression& expression) {
  auto index = static_cast<std::uint32_t>(expression.nodes.size() - 1);
  while (expression.nodes[index].kind == Kind::binary &&
         expression.nodes[index].op == Operator::logical_and)
    index = expression.nodes[index].children[0];
  const MtaNode& node = expression.nodes[index];
  if (node.children.size() != 2) return {};
  if (std::string domain = domain_of_pattern(expression, node); !domain.empty())
    return {{std::move(domain)}, kNoNode, true};
  const MtaNode* left = &expression.nodes[node.children[0]];
  const MtaNode* right = &expression.nodes[node.children[1]];
  const auto is_domain = [](const MtaNode& one) {
    return one.kind == Kind::variable && one.text == "rcpt_domain";
  };
  if (node.kind == Kind::call && node.text == "contains" && is_domain(*right) &&
      is_list_of_texts(expression, node.children[0])) {
    Wanted wanted;
    for (const std::uint32_t name : left->children)
      wanted.domains.push_back(expression.nodes[name].text);
    wanted.node = index;
    return wanted;
  }
  if (node.kind != Kind::binary || node.op != Operator::equal) return {};
  if (left->kind == Kind::text) std::swap(left, right);
  if (!is_domain(*left) || right->kind != Kind::text) return {};
  return {{right->text}, index, false};
}

/// Is this what an address has behind its last `@`?
[[nodiscard]] bool is_domain_of(const std::optional<ir::Value>& address,
                                const std::string& domain) {
  if (!address || !address->is_string()) return false;
  const std::string& text = address->as_string();
  const std::size_t at = text.rfind('@');
  return at != std::string::npos && text.size() <= kMatchedBytesMax &&
         text.compare(at + 1, std::string::npos, domain) == 0;
}

}  // namespace

void MtaContainer::index_arms() {
  for (std::size_t arm = 0; arm < arms_.size(); ++arm) {
    const Wanted wanted = first_wanted(arms_[arm].condition);
    names_domain_.push_back(wanted.domains.empty() ? kNoNode : wanted.node);
    has_patterns_of_domain_ = has_patterns_of_domain_ || wanted.is_of_pattern;
    if (wanted.domains.empty()) general_.push_back(arm);
    for (const std::string& domain : wanted.domains) {
      ArmNumbers& arms = arms_of_[domain];
      if (arms.empty() || arms.back() != arm) arms.push_back(arm);
    }
  }
}

MtaContainer MtaContainer::taking(const std::vector<Taken>& answers) const {
  MtaContainer other = *this;
  for (const Taken& one : answers) {
    MtaNode& node = other.arms_[one.arm].condition.nodes[one.node];
    node.kind = Kind::number;
    node.number = one.is_true ? 1 : 0;
    node.children.clear();
  }
  return other;
}

Result<MtaContainer::Chosen> MtaContainer::choose(const MtaEnvironment& environment,
                                                  const Suppose& suppose) const {
  Evaluation evaluation(environment);
  const auto root = [](const MtaExpression& expression) {
    return static_cast<std::uint32_t>(expression.nodes.size() - 1);
  };
  const auto domain =
      environment.variable ? environment.variable("rcpt_domain") : std::optional<ir::Value>();
  // A pattern is compared with the whole address, which has to be in that domain.
  const bool is_indexed =
      domain && domain->is_string() &&
      (!has_patterns_of_domain_ || is_domain_of(environment.variable("rcpt"), domain->as_string()));
  // Those that may be true for mail to this domain, in their order; all where it has no text.
  const auto of_domain = is_indexed ? arms_of_.find(domain->as_string()) : arms_of_.end();
  const std::span<const std::size_t> own =
      of_domain == arms_of_.end() ? std::span<const std::size_t>() : of_domain->second;
  std::size_t next_own = 0;
  std::size_t next_general = 0;
  const auto next_arm = [&]() -> std::size_t {
    if (!is_indexed) return next_general++;
    const std::size_t one = next_own < own.size() ? own[next_own] : arms_.size();
    const std::size_t other =
        next_general < general_.size() ? general_[next_general] : arms_.size();
    (one < other ? next_own : next_general) += 1;
    return std::min(one, other);
  };
  for (std::size_t arm = next_arm(); arm < arms_.size(); arm = next_arm()) {
    const MtaExpression& asked = arms_[arm].condition;
    // Found by the domain that it names: of hundreds in one condition none is compared again.
    const bool is_known = is_indexed && names_domain_[arm] != kNoNode;
    evaluation.know(is_known ? &asked.nodes[names_domain_[arm]] : nullptr);
    const auto condition = evaluation.value_of(asked, root(asked));
    if (!condition) {
      const auto supposed = suppose ? suppose(arm) : std::nullopt;
      if (!supposed) return condition.error();
      if (!*supposed) continue;
    } else if (!is_true(*condition)) {
      continue;
    }
    PLAN_TRY(value, evaluation.value_of(arms_[arm].result, root(arms_[arm].result)));
    return Chosen{arm, std::move(value)};
  }
  PLAN_TRY(value, evaluation.value_of(otherwise_, root(otherwise_)));
  return Chosen{arms_.size(), std::move(value)};
}

Result<ir::Value> MtaContainer::evaluate(const MtaEnvironment& environment) const {
  PLAN_TRY(chosen, choose(environment));
  return std::move(chosen.value);
}

}  // namespace plan::schema
