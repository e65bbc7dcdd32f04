// The type of an expression without its values: every part is looked at, also what would not be
// evaluated this time.
#include <fmt/format.h>

#include <algorithm>

#include "compiler/source/text.h"
#include "compiler/syntax/function_values.h"
#include "compiler/syntax/value_type.h"

namespace plan::syntax {
namespace {

using Kind = ValueType::Kind;

ValueType of_kind(Kind kind) {
  ValueType type;
  type.kind = kind;
  return type;
}

/// The type that both fit; `any` when there is none.
ValueType common(const ValueType& left, const ValueType& right) {
  for (const auto& [missing, other] : {std::pair(&left, &right), std::pair(&right, &left)}) {
    if (!missing->is(Kind::any) || !missing->is_optional) continue;
    ValueType type = *other;
    type.is_optional = true;
    return type;
  }
  ValueType wider = fits(left, right) ? right : fits(right, left) ? left : ValueType();
  wider.is_optional = left.is_optional || right.is_optional;
  return wider;
}

/// A secret, or a list or map in which there may be one.
[[nodiscard]] bool holds_secret(const ValueType& type) {
  if (type.is(Kind::secret)) return true;
  const auto is_holder = [](const ValueType& one) { return holds_secret(one); };
  return std::any_of(type.of.begin(), type.of.end(), is_holder) ||
         std::any_of(type.members.begin(), type.members.end(),
                     [&](const auto& member) { return is_holder(member.second); });
}

class Checker {
 public:
  Checker(const TypeScope& scope, Sink& sink) : scope_(scope), sink_(sink) {}

  ValueType type(const Expression& e, bool may_be_missing = false) {
    switch (e.kind) {
      case Expression::Kind::literal:
        return literal(e);
      case Expression::Kind::list: {
        ValueType list = of_kind(Kind::list);
        for (std::size_t i = 0; i < e.operands.size(); ++i) {
          const ValueType item = type(e.operands[i]);
          if (i == 0) {
            list.of.push_back(item);
          } else {
            list.of.front() = common(list.of.front(), item);
          }
        }
        if (list.of.empty()) list.of.push_back(ValueType());
        return list;
      }
      case Expression::Kind::name:
        if (const ValueType* found = scope_.find(e.text))
          return found->is(Kind::rows) ? rows(e) : *found;
        return may_be_missing ? ValueType() : unknown(e.span, e.text, false, scope_.names());
      case Expression::Kind::member:
        return member(e, e.text, may_be_missing);
      case Expression::Kind::index:
        return index(e, may_be_missing);
      case Expression::Kind::call:
        return call(e);
      case Expression::Kind::negation:
        truth(e.operands[0]);
        return of_kind(Kind::boolean);
      case Expression::Kind::conjunction:
      case Expression::Kind::disjunction:
        truth(e.operands[0]);
        truth(e.operands[1]);
        return of_kind(Kind::boolean);
      case Expression::Kind::equal:
      case Expression::Kind::not_equal:
        compare(e);
        return of_kind(Kind::boolean);
      case Expression::Kind::less:
      case Expression::Kind::less_or_equal:
        order(e);
        return of_kind(Kind::boolean);
    }
    return {};
  }

  ValueType mismatch(Span span, std::string message, bool is_of_secret = false) {
    auto report = sink_.report(plan::Kind::expression_type, span, std::move(message));
    if (is_of_secret) report.help(kSecretRemedy);
    return {};
  }

 private:
  static ValueType literal(const Expression& e) {
    if (e.unit == Expression::Unit::duration) return of_kind(Kind::duration);
    if (e.unit == Expression::Unit::size) return of_kind(Kind::size);
    return type_of_value(e.literal);
  }

  ValueType unknown(Span span, std::string_view word, bool is_member,
                    const std::vector<std::string_view>& known) {
    report_unknown_name(span, word, is_member, known, sink_);
    return {};
  }

  ValueType rows(const Expression& e) {
    const std::string name = printable(e.text, 60);
    sink_
        .report(plan::Kind::expression_type, e.span,
                fmt::format("`{}` are rows, which are no value of an expression", name))
        .help(fmt::format("only a step's `for` goes through rows: with `for one in {}` there is a "
                          "step for each of them",
                          name));
    return {};
  }

  void truth(const Expression& e) {
    const ValueType found = type(e);
    if (!fits(found, of_kind(Kind::boolean)))
      mismatch(e.span, fmt::format("this is {}, where true or false is needed", to_text(found)),
               found.is(Kind::secret));
  }

  ValueType member(const Expression& e, std::string_view key, bool may_be_missing) {
    const ValueType whole = type(e.operands[0], may_be_missing);
    if (whole.is(Kind::any)) return {};
    if (!whole.is(Kind::map) && !whole.is(Kind::object)) {
      return mismatch(e.span, fmt::format("`{}` is looked for in {}, which has no members",
                                          printable(key, 60), to_text(whole)));
    }
    for (const auto& [name, type_of_member] : whole.members) {
      if (name == key) return type_of_member;
    }
    if (!whole.of.empty()) return whole.of.front();
    if (!whole.has_members || may_be_missing) return {};
    std::vector<std::string_view> known;
    for (const auto& entry : whole.members) known.push_back(entry.first);
    return unknown(member_span(e, key), key, true, known);
  }

  ValueType index(const Expression& e, bool may_be_missing) {
    const Expression& key = e.operands[1];
    const ValueType key_type = type(key);
    if (key.kind == Expression::Kind::literal && key.literal.is_string())
      return member(e, key.literal.as_string(), may_be_missing);
    const ValueType whole = type(e.operands[0], may_be_missing);
    if (whole.is(Kind::any) || key_type.is(Kind::any)) return {};
    const bool has_names = whole.is(Kind::map) || whole.is(Kind::object);
    const bool is_right = whole.is(Kind::list) ? fits(key_type, of_kind(Kind::integer))
                                               : has_names && fits(key_type, of_kind(Kind::text));
    if (!is_right)
      return mismatch(e.span,
                      "only a list with a number, or a map with a text, can be looked into");
    return whole.of.empty() ? ValueType() : whole.of.front();
  }

  void compare(const Expression& e) {
    const ValueType left = type(e.operands[0]);
    const ValueType right = type(e.operands[1]);
    if (holds_secret(left) || holds_secret(right)) {
      mismatch(e.span, "a secret cannot be compared", true);
      return;
    }
    ValueType one = left;
    ValueType other = right;
    one.is_optional = other.is_optional = false;
    if (left.is(Kind::any) || right.is(Kind::any) || fits(one, other) || fits(other, one)) return;
    // Texts that were checked for different things are still texts.
    if (fits(one, of_kind(Kind::text)) && fits(other, of_kind(Kind::text))) return;
    if (is_count(one) && is_count(other) && has_same_unit(one, other)) return;
    mismatch(e.span, fmt::format("{} is never equal to {}", to_text(left), to_text(right)));
  }

  static bool is_count(const ValueType& type) {
    return type.is(Kind::integer) || type.is(Kind::number) || type.is(Kind::duration) ||
           type.is(Kind::size) || type.is(Kind::any);
  }
  static bool has_same_unit(const ValueType& left, const ValueType& right) {
    const auto unit = [](const ValueType& type) {
      return type.is(Kind::duration) || type.is(Kind::size) ? type.kind : Kind::number;
    };
    return left.is(Kind::any) || right.is(Kind::any) || unit(left) == unit(right);
  }

  void order(const Expression& e) {
    const ValueType left = type(e.operands[0]);
    const ValueType right = type(e.operands[1]);
    if (!is_count(left) || !is_count(right) || left.is_optional || right.is_optional) {
      mismatch(e.span, fmt::format("{} and {} have no order", to_text(left), to_text(right)));
    } else if (!has_same_unit(left, right)) {
      mismatch(e.span,
               fmt::format("{} and {} have different units", to_text(left), to_text(right)));
    }
  }

  ValueType call(const Expression& e) {
    const FunctionInfo* function = find_function(e.text);
    if (function == nullptr) return {};  // the parser reported it
    const auto [fewest, most] = arity_of(*function);
    std::vector<ValueType> arguments;
    for (std::size_t i = 0; i < e.operands.size(); ++i)
      arguments.push_back(type(e.operands[i], e.text == "default" && i == 0));
    if (arguments.size() < fewest || arguments.size() > most)
      return mismatch(e.span, wrong_arity(*function, arguments.size()));
    return result(e, *function, arguments);
  }

  /// `T` is what the arguments have in common.
  ValueType result(const Expression& e, const FunctionInfo& function,
                   const std::vector<ValueType>& arguments) {
    const auto parameters = split(function.parameters, ',');
    std::optional<ValueType> variable;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
      std::string_view parameter = trim(parameters[std::min(i, parameters.size() - 1)]);
      if (parameter.ends_with("...")) parameter.remove_suffix(3);
      const bool is_optional = parameter.ends_with("?");
      if (is_optional) parameter.remove_suffix(1);
      ValueType given = arguments[i];
      if (is_optional) given.is_optional = false;
      if (parameter == "T" || parameter == "N") {
        if (parameter == "N" && !is_count(given))
          return mismatch(e.operands[i].span, fmt::format("{} has no order", to_text(given)));
        const bool is_alike = !variable || fits(given, *variable) || fits(*variable, given) ||
                              has_text(given, *variable);
        if (!is_alike || (parameter == "N" && variable && !has_same_unit(given, *variable)))
          return mismatch(e.operands[i].span, fmt::format("this is {}, where {} is needed",
                                                          to_text(given), to_text(*variable)));
        variable = variable ? common(*variable, given) : given;
        continue;
      }
      const bool is_list_of_variable = parameter == "list(T)";
      const ValueType wanted = is_list_of_variable ? of_kind(Kind::list) : *parse_type(parameter);
      if (given.is(Kind::secret) || !fits(given, wanted)) {
        return mismatch(e.operands[i].span,
                        given.is(Kind::secret)
                            ? fmt::format("a secret cannot go into `{}`", function.name)
                            : fmt::format("`{}` needs {}, this is {}", function.name,
                                          to_text(wanted), to_text(given)),
                        given.is(Kind::secret));
      }
      if (is_list_of_variable && !given.of.empty())
        variable = variable ? common(*variable, given.of.front()) : given.of.front();
    }
    std::string_view result_text = function.result;
    const bool is_optional = result_text.ends_with("?");
    if (is_optional) result_text.remove_suffix(1);
    ValueType type = result_text == "T" || result_text == "N" ? variable.value_or(ValueType())
                     : result_text == "list(T)"               ? of_kind(Kind::list)
                                                              : *parse_type(result_text);
    if (result_text == "list(T)") type.of.push_back(variable.value_or(ValueType()));
    type.is_optional = is_optional || type.is_optional;
    if (function.name == "default") type.is_optional = arguments[1].is_optional;
    return type;
  }
  static bool has_text(const ValueType& left, const ValueType& right) {
    return fits(left, of_kind(Kind::text)) && fits(right, of_kind(Kind::text));
  }

  const TypeScope& scope_;
  Sink& sink_;
};

}  // namespace

ValueType check_type(const Expression& expression, const TypeScope& scope, Sink& sink) {
  return Checker(scope, sink).type(expression);
}

ValueType check_type(const Template& text, const TypeScope& scope, Sink& sink) {
  Checker checker(scope, sink);
  if (text.parts.size() == 1 && text.parts.front().expression)
    return checker.type(*text.parts.front().expression);
  for (const Template::Part& part : text.parts) {
    if (!part.expression) continue;
    const ValueType type = checker.type(*part.expression);
    ValueType number = of_kind(Kind::integer);
    if (!fits(type, of_kind(Kind::text)) && !fits(type, number) && !type.is(Kind::duration) &&
        !type.is(Kind::size))
      checker.mismatch(part.expression->span,
                       type.is_optional && !type.is(Kind::secret)
                           ? fmt::format("{} may be missing: use `default`", to_text(type))
                           : fmt::format("{} cannot be part of a text", to_text(type)),
                       type.is(Kind::secret));
  }
  return of_kind(Kind::text);
}

}  // namespace plan::syntax
