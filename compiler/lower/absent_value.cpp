#include "compiler/lower/absent_value.h"

#include <algorithm>
#include <cstddef>
#include <optional>

namespace plan::lower {
namespace {

using syntax::Expression;

/// Each copies what it comes to; no expression that a person writes needs so many.
constexpr std::size_t kEvaluationsMax = 64;

class Asking {
 public:
  explicit Asking(const syntax::Scope& scope) : scope_(scope) {}

  [[nodiscard]] bool asks(const Expression& e) {
    switch (e.kind) {
      case Expression::Kind::literal:
        return false;
      case Expression::Kind::name: {
        const ir::Value* value = scope_.find(e.text);
        return value != nullptr && is_absent(*value);
      }
      case Expression::Kind::member:
      case Expression::Kind::index: {
        if (any_operand_asks(e)) return true;
        // A member that nothing has is a mistake, which evaluating reports.
        const auto value = value_of(e);
        return value && is_absent(*value);
      }
      case Expression::Kind::call:
        return call_asks(e);
      case Expression::Kind::list:
        return any_operand_asks(e);
      case Expression::Kind::negation:
      case Expression::Kind::equal:
      case Expression::Kind::not_equal:
      case Expression::Kind::less:
      case Expression::Kind::less_or_equal:
      case Expression::Kind::conjunction:
      case Expression::Kind::disjunction:
        // Whether something is there has a truth value also where it is not.
        return !value_of(e) && any_operand_asks(e);
    }
    return false;
  }

 private:
  [[nodiscard]] std::optional<ir::Value> value_of(const Expression& e) {
    if (++evaluations_ > kEvaluationsMax) return std::nullopt;
    Sink unheard;
    return evaluate(e, scope_, unheard);
  }

  [[nodiscard]] bool any_operand_asks(const Expression& e) {
    return std::any_of(e.operands.begin(), e.operands.end(),
                       [this](const Expression& operand) { return asks(operand); });
  }

  /// Only of what the function gives back.
  [[nodiscard]] bool call_asks(const Expression& e) {
    if (e.text == "default" && e.operands.size() == 2) {
      const auto first = value_of(e.operands[0]);
      if (first && !first->is_null()) return asks(e.operands[0]);
      const auto second = value_of(e.operands[1]);
      return asks(e.operands[1]) || (second && is_absent(*second));
    }
    if (e.text == "choose" && e.operands.size() == 3) {
      const auto condition = value_of(e.operands[0]);
      if (condition && condition->is_bool())
        return asks(e.operands[condition->bool_or(false) ? 1 : 2]);
    }
    return any_operand_asks(e);
  }

  const syntax::Scope& scope_;
  std::size_t evaluations_ = 0;
};

}  // namespace

bool is_absent(const ir::Value& value) {
  if (value.is_null()) return true;
  if (value.is_string()) return value.as_string().empty();
  if (value.is_list() || value.is_map()) return value.size() == 0;
  return value.is_integer() && value.as_integer() == 0;
}

bool asks_of_absent(const syntax::Template& text, const syntax::Scope& scope) {
  Asking asking(scope);
  return std::any_of(text.parts.begin(), text.parts.end(), [&](const auto& part) {
    return part.expression && asking.asks(*part.expression);
  });
}

}  // namespace plan::lower
