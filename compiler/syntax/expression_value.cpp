#include <fmt/format.h>

#include <algorithm>

#include "compiler/ir/secrets.h"
#include "compiler/source/text.h"
#include "compiler/syntax/function_values.h"
#include "compiler/syntax/value_type.h"
#include "compiler/syntax/value_weight.h"

namespace plan::syntax {
namespace {

using ir::Value;
using Maybe = std::optional<Value>;

class Evaluator {
 public:
  Evaluator(const Scope& scope, Sink& sink) : scope_(scope), sink_(sink) {}

  Maybe value(const Expression& e, bool may_be_missing = false) {
    switch (e.kind) {
      case Expression::Kind::literal:
        return e.literal;
      case Expression::Kind::list: {
        ir::List items;
        for (const Expression& operand : e.operands) {
          Maybe item = value(operand);
          if (!item) return std::nullopt;
          items.push_back(std::move(*item));
        }
        return Value(std::move(items));
      }
      case Expression::Kind::name:
        return name(e, may_be_missing);
      case Expression::Kind::member:
        return member(e, e.text, may_be_missing);
      case Expression::Kind::index:
        return index(e, may_be_missing);
      case Expression::Kind::call:
        return call(e);
      case Expression::Kind::negation: {
        const auto operand = truth(e.operands[0]);
        return operand ? Maybe(Value(!*operand)) : std::nullopt;
      }
      case Expression::Kind::equal:
      case Expression::Kind::not_equal: {
        const Maybe left = value(e.operands[0]);
        const Maybe right = value(e.operands[1]);
        if (!left || !right) return std::nullopt;
        if (ir::holds_secret(*left) || ir::holds_secret(*right))
          return mismatch(e.span, "a secret cannot be compared");
        return Value((*left == *right) == (e.kind == Expression::Kind::equal));
      }
      case Expression::Kind::less:
      case Expression::Kind::less_or_equal: {
        const Maybe left = value(e.operands[0]);
        const Maybe right = value(e.operands[1]);
        if (!left || !right) return std::nullopt;
        if (left->is_null() || right->is_null()) {
          sink_
              .report(Kind::expression_type, e.span,
                      fmt::format("{} and {} have no order", to_string(left->type()),
                                  to_string(right->type())))
              .help("`default(a.b, 0)` says what to take where there is no value");
          return std::nullopt;
        }
        if (!left->is_number() || !right->is_number())
          return mismatch(e.span, fmt::format("{} and {} have no order", to_string(left->type()),
                                              to_string(right->type())));
        const double difference = left->number_or(0) - right->number_or(0);
        const bool is_less = left->is_integer() && right->is_integer()
                                 ? left->as_integer() < right->as_integer()
                                 : difference < 0;
        return Value(is_less || (e.kind == Expression::Kind::less_or_equal && *left == *right));
      }
      case Expression::Kind::conjunction:
      case Expression::Kind::disjunction: {
        const auto left = truth(e.operands[0]);
        if (!left) return std::nullopt;
        if (*left == (e.kind == Expression::Kind::disjunction)) return Value(*left);
        const auto right = truth(e.operands[1]);
        return right ? Maybe(Value(*right)) : std::nullopt;
      }
    }
    return std::nullopt;
  }

  Maybe mismatch(Span span, std::string message, bool is_of_secret = false) {
    auto report = sink_.report(Kind::expression_type, span, std::move(message));
    if (is_of_secret) report.help(kSecretRemedy);
    return std::nullopt;
  }

 private:
  /// The value, unless what this expression took so far becomes too much. A name costs a few bytes
  /// of the plan however large its value is.
  Maybe weighed(const Expression& e, const Value& value) {
    weight_ += weight_of(value);
    if (weight_ <= kExpressionWeightMax) return value;
    return mismatch(e.span, fmt::format("the values of this expression come to more than {}",
                                        show_bytes(kExpressionWeightMax)));
  }

  std::optional<bool> truth(const Expression& e) {
    const Maybe v = value(e);
    if (!v) return std::nullopt;
    if (!v->is_bool()) {
      mismatch(e.span,
               fmt::format("this is {}, where true or false is needed", to_string(v->type())));
      return std::nullopt;
    }
    return v->bool_or(false);
  }

  /// Where the value of a name, or of a member of one, stands; null when it is not there, or made
  /// by an expression. An account has a dozen members and is asked for one of them at a time.
  [[nodiscard]] const Value* standing(const Expression& e) const {
    if (e.kind == Expression::Kind::name) return scope_.find(e.text);
    if (e.kind != Expression::Kind::member) return nullptr;
    const Value* whole = standing(e.operands[0]);
    return whole == nullptr ? nullptr : whole->members().find(e.text);
  }

  Maybe name(const Expression& e, bool may_be_missing) {
    if (const Value* found = scope_.find(e.text)) return weighed(e, *found);
    if (may_be_missing) return Value();
    return unknown(e.span, e.text, false, scope_.names());
  }

  Maybe unknown(Span span, std::string_view word, bool is_member,
                const std::vector<std::string_view>& known) {
    report_unknown_name(span, word, is_member, known, sink_);
    return std::nullopt;
  }

  Maybe member(const Expression& e, std::string_view key, bool may_be_missing) {
    const Value* whole = standing(e.operands[0]);
    Maybe made;
    if (whole == nullptr) {
      made = value(e.operands[0], may_be_missing);
      if (!made) return std::nullopt;
      whole = &*made;
    }
    if (whole->is_null() && may_be_missing) return Value();
    if (!whole->is_map()) {
      return mismatch(e.span, fmt::format("`{}` is looked for in {}, which has no members",
                                          printable(key, 60), to_string(whole->type())));
    }
    if (const Value* found = whole->as_map().find(key)) return weighed(e, *found);
    if (may_be_missing) return Value();
    std::vector<std::string_view> known;
    for (const auto& entry : whole->members()) known.push_back(entry.first);
    return unknown(member_span(e, key), key, true, known);
  }

  Maybe index(const Expression& e, bool may_be_missing) {
    const Maybe key = value(e.operands[1]);
    if (!key) return std::nullopt;
    if (key->is_string()) return member(e, key->as_string(), may_be_missing);
    const Maybe whole = value(e.operands[0], may_be_missing);
    if (!whole) return std::nullopt;
    if (!key->is_integer() || !whole->is_list()) {
      return mismatch(e.span,
                      "only a list with a number, or a map with a text, can be looked into");
    }
    const std::int64_t i = key->as_integer();
    if (i < 0 || static_cast<std::size_t>(i) >= whole->size()) {
      if (may_be_missing) return Value();
      return mismatch(e.span,
                      fmt::format("the list has {} items, this is number {}", whole->size(), i));
    }
    return weighed(e, whole->item(static_cast<std::size_t>(i)));
  }

  Maybe call(const Expression& e) {
    const FunctionInfo* function = find_function(e.text);
    if (function == nullptr) return std::nullopt;  // the parser reported it
    const auto [fewest, most] = arity_of(*function);
    if (e.operands.size() < fewest || e.operands.size() > most)
      return mismatch(e.span, wrong_arity(*function, e.operands.size()));
    ir::List arguments;
    for (std::size_t i = 0; i < e.operands.size(); ++i) {
      Maybe argument = value(e.operands[i], e.text == "default" && i == 0);
      if (!argument) return std::nullopt;
      arguments.push_back(std::move(*argument));
    }
    return apply_function(e, std::move(arguments), sink_);
  }

  const Scope& scope_;
  Sink& sink_;
  std::size_t weight_ = 0;
};

}  // namespace

std::size_t weight_of(const Value& value) {
  std::size_t weight = sizeof(Value) + (value.is_string() ? value.as_string().size() : 0);
  for (const Value& item : value.items()) weight += weight_of(item);
  for (const auto& [key, member] : value.members())
    weight += sizeof(std::string) + key.size() + weight_of(member);
  return weight;
}

void Scope::set(std::string name, ir::Value value) {
  values_.set(std::move(name), std::move(value));
}

const ir::Value* Scope::find(std::string_view name) const {
  if (const Value* found = values_.find(name)) return found;
  return outer_ == nullptr ? nullptr : outer_->find(name);
}

std::vector<std::string_view> Scope::names() const {
  std::vector<std::string_view> names;
  if (outer_ != nullptr) names = outer_->names();
  for (const auto& entry : values_) names.push_back(entry.first);
  return names;
}

bool mentions(const Expression& expression, std::string_view name) {
  if (expression.kind == Expression::Kind::name && expression.text == name) return true;
  return std::any_of(expression.operands.begin(), expression.operands.end(),
                     [&](const Expression& operand) { return mentions(operand, name); });
}

bool mentions(const Template& text, std::string_view name) {
  return std::any_of(text.parts.begin(), text.parts.end(), [&](const Template::Part& part) {
    return part.expression && mentions(*part.expression, name);
  });
}

std::optional<ir::Value> evaluate(const Expression& expression, const Scope& scope, Sink& sink) {
  return Evaluator(scope, sink).value(expression);
}

std::optional<ir::Value> evaluate(const Template& text, const Scope& scope, Sink& sink) {
  Evaluator evaluator(scope, sink);
  if (text.parts.size() == 1 && text.parts.front().expression) {
    return evaluator.value(*text.parts.front().expression);
  }
  std::string whole;
  bool is_whole = true;
  for (const Template::Part& part : text.parts) {
    if (!part.expression) {
      whole += part.text;
      continue;
    }
    const auto value = evaluator.value(*part.expression);
    if (!value) {
      is_whole = false;
    } else if (value->is_string()) {
      whole += value->as_string();
    } else if (value->is_integer()) {
      whole += std::to_string(value->as_integer());
    } else {
      is_whole = false;
      evaluator.mismatch(part.expression->span,
                         fmt::format("{} cannot be part of a text", to_string(value->type())),
                         value->type() == ir::Value::Type::secret);
    }
  }
  if (!is_whole) return std::nullopt;
  return ir::Value(std::move(whole));
}

}  // namespace plan::syntax
