#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "compiler/source/text.h"
#include "compiler/syntax/expression.h"

namespace plan::syntax {
namespace {

using ir::Value;
using Maybe = std::optional<Value>;

struct Function {
  std::string_view name = {};
  std::size_t arguments_min = 0;
  std::size_t arguments_max = 0;
};

constexpr std::array kFunctions = {
    Function{"concat", 1, 8},         // lists into one list
    Function{"contains", 2, 2},       // is an item in a list, a key in a map, a text in a text
    Function{"default", 2, 2},        // the first, or the second where the first is missing
    Function{"domain_of", 1, 1},      // of a mail address
    Function{"join", 2, 2},           // texts of a list with a text between them
    Function{"length", 1, 1},         // of a list, map or text
    Function{"local_part_of", 1, 1},  // of a mail address
    Function{"lower", 1, 1},          // ASCII letters
    Function{"text", 1, 1},           // of a number
};

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
        if (left->is_secret() || right->is_secret())
          return mismatch(e.span, "a secret cannot be compared");
        return Value((*left == *right) == (e.kind == Expression::Kind::equal));
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

  Maybe mismatch(Span span, std::string message) {
    sink_.report(Kind::expression_type, span, std::move(message));
    return std::nullopt;
  }

 private:
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

  Maybe name(const Expression& e, bool may_be_missing) {
    if (const Value* found = scope_.find(e.text)) return *found;
    if (may_be_missing) return Value();
    return unknown(e.span, e.text, "", scope_.names());
  }

  Maybe unknown(Span span, std::string_view word, std::string_view where,
                const std::vector<std::string_view>& known) {
    auto report = sink_.report(Kind::unknown_name, span,
                               fmt::format("there is no `{}`{}", printable(word, 60), where));
    if (const auto near = nearest(word, known))
      report.label(fmt::format("did you mean `{}`?", *near));
    return std::nullopt;
  }

  Maybe member(const Expression& e, std::string_view key, bool may_be_missing) {
    const Maybe whole = value(e.operands[0], may_be_missing);
    if (!whole) return std::nullopt;
    if (whole->is_null() && may_be_missing) return Value();
    if (!whole->is_map()) {
      return mismatch(e.span, fmt::format("`{}` is looked for in {}, which has no members",
                                          printable(key, 60), to_string(whole->type())));
    }
    if (const Value* found = whole->as_map().find(key)) return *found;
    if (may_be_missing) return Value();
    std::vector<std::string_view> known;
    for (const auto& entry : whole->members()) known.push_back(entry.first);
    return unknown(e.span, key, " here", known);
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
    return whole->item(static_cast<std::size_t>(i));
  }

  Maybe call(const Expression& e) {
    const auto* function = std::find_if(kFunctions.begin(), kFunctions.end(),
                                        [&](const Function& f) { return f.name == e.text; });
    if (function == kFunctions.end()) return std::nullopt;  // the parser reported it
    if (e.operands.size() < function->arguments_min ||
        e.operands.size() > function->arguments_max) {
      return mismatch(e.span, fmt::format("`{}` takes {} arguments, here are {}", e.text,
                                          function->arguments_min, e.operands.size()));
    }
    ir::List arguments;
    for (std::size_t i = 0; i < e.operands.size(); ++i) {
      Maybe argument = value(e.operands[i], e.text == "default" && i == 0);
      if (!argument) return std::nullopt;
      arguments.push_back(std::move(*argument));
    }
    return apply(e, std::move(arguments));
  }

  Maybe apply(const Expression& e, ir::List arguments) {
    const Value& first = arguments[0];
    if (e.text == "default")
      return first.is_null() ? std::move(arguments[1]) : std::move(arguments[0]);
    if (e.text == "length") {
      if (first.is_string())
        return Value(static_cast<std::uint64_t>(character_count(first.as_string())));
      if (first.is_list() || first.is_map()) return Value(static_cast<std::uint64_t>(first.size()));
      return mismatch(e.span, fmt::format("{} has no length", to_string(first.type())));
    }
    if (e.text == "text") {
      if (first.is_integer()) return Value(std::to_string(first.as_integer()));
      if (first.is_string()) return first;
      return mismatch(e.span, fmt::format("{} is no number", to_string(first.type())));
    }
    if (e.text == "lower" || e.text == "domain_of" || e.text == "local_part_of") {
      if (!first.is_string()) {
        return mismatch(e.operands[0].span, fmt::format("`{}` needs a text, this is {}", e.text,
                                                        to_string(first.type())));
      }
      const std::string& text = first.as_string();
      if (e.text == "lower") return Value(lower_ascii(text));
      const std::size_t at = text.rfind('@');
      if (at == std::string::npos) return mismatch(e.operands[0].span, "this is no mail address");
      return Value(e.text == "domain_of" ? text.substr(at + 1) : text.substr(0, at));
    }
    if (e.text == "join") {
      if (!first.is_list() || !arguments[1].is_string()) {
        return mismatch(e.span, "`join` needs a list and a text");
      }
      std::string whole;
      for (std::size_t i = 0; i < first.size(); ++i) {
        if (!first.item(i).is_string()) return mismatch(e.span, "`join` needs a list of texts");
        if (i != 0) whole += arguments[1].as_string();
        whole += first.item(i).as_string();
      }
      return Value(std::move(whole));
    }
    if (e.text == "contains") {
      const Value& wanted = arguments[1];
      if (first.is_list()) {
        return Value(std::find(first.items().begin(), first.items().end(), wanted) !=
                     first.items().end());
      }
      if (wanted.is_string() && first.is_map())
        return Value(first.as_map().contains(wanted.as_string()));
      if (wanted.is_string() && first.is_string()) {
        return Value(first.as_string().find(wanted.as_string()) != std::string::npos);
      }
      return mismatch(e.span, "`contains` needs a list, a map or a text, and what to look for");
    }
    ir::List whole;  // concat
    for (const Value& list : arguments) {
      if (!list.is_list())
        return mismatch(e.span,
                        fmt::format("`concat` needs lists, one is {}", to_string(list.type())));
      whole.insert(whole.end(), list.items().begin(), list.items().end());
    }
    return Value(std::move(whole));
  }

  const Scope& scope_;
  Sink& sink_;
};

}  // namespace

void Scope::set(std::string name, ir::Value value) {
  for (auto& [known, old] : values_) {
    if (known == name) {
      old = std::move(value);
      return;
    }
  }
  values_.emplace_back(std::move(name), std::move(value));
}

const ir::Value* Scope::find(std::string_view name) const {
  for (const auto& [known, value] : values_) {
    if (known == name) return &value;
  }
  return outer_ == nullptr ? nullptr : outer_->find(name);
}

std::vector<std::string_view> Scope::names() const {
  std::vector<std::string_view> names;
  if (outer_ != nullptr) names = outer_->names();
  for (const auto& entry : values_) names.push_back(entry.first);
  return names;
}

std::vector<std::string_view> function_names() {
  std::vector<std::string_view> names;
  for (const Function& function : kFunctions) names.push_back(function.name);
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
                         fmt::format("{} cannot be part of a text", to_string(value->type())));
    }
  }
  if (!is_whole) return std::nullopt;
  return ir::Value(std::move(whole));
}

}  // namespace plan::syntax
