#include "compiler/syntax/value_type.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "compiler/source/text.h"
#include "compiler/syntax/names.h"
#include "compiler/syntax/words.h"

namespace plan::syntax {
namespace {

using Kind = ValueType::Kind;
using ir::Value;

struct TypeInfo {
  Kind kind;
  std::string_view name;
  std::string_view meaning;
};

const std::vector<TypeInfo>& all_types() {
  static const std::vector<TypeInfo> kTypes = {
#define PLAN_TYPE(identifier, name, meaning) {Kind::identifier, name, meaning},
#include "compiler/syntax/value_types.def"
#undef PLAN_TYPE
  };
  return kTypes;
}

/// Brackets in a type nest as deep as brackets in an expression.
constexpr std::size_t kTypeDepthMax = 32;

class TypeReader {
 public:
  explicit TypeReader(std::string_view text) : text_(text) {}

  std::optional<ValueType> read() {
    auto type = one(0);
    return type && at_ == text_.size() ? type : std::nullopt;
  }

 private:
  std::optional<ValueType> one(std::size_t depth) {
    const std::size_t begin = at_;
    while (at_ < text_.size() &&
           std::string_view("(),?").find(text_[at_]) == std::string_view::npos)
      ++at_;
    const std::string_view word = text_.substr(begin, at_ - begin);
    const auto& types = all_types();
    const auto found = std::find_if(types.begin(), types.end(),
                                    [&](const TypeInfo& info) { return info.name == word; });
    if (found == types.end() || depth > kTypeDepthMax) return std::nullopt;
    ValueType type;
    type.kind = found->kind;
    if (type.kind == Kind::object) {
      if (!read_object(type)) return std::nullopt;
    } else if (at_ < text_.size() && text_[at_] == '(') {
      if (type.kind != Kind::list && type.kind != Kind::map) return std::nullopt;
      ++at_;
      auto inner = one(depth + 1);
      if (!inner || at_ == text_.size() || text_[at_] != ')') return std::nullopt;
      ++at_;
      type.of.push_back(std::move(*inner));
    }
    if (at_ < text_.size() && text_[at_] == '?') {
      ++at_;
      type.is_optional = true;
    }
    return type;
  }

  /// `(Domain)`
  bool read_object(ValueType& type) {
    if (at_ == text_.size() || text_[at_] != '(') return false;
    const std::size_t begin = ++at_;
    while (at_ < text_.size() && is_word_part(text_[at_])) ++at_;
    type.object = std::string(text_.substr(begin, at_ - begin));
    if (type.object.empty() || at_ == text_.size() || text_[at_] != ')') return false;
    ++at_;
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

bool is_text_kind(Kind kind) {
  return kind == Kind::text || kind == Kind::address || kind == Kind::domain ||
         kind == Kind::host || kind == Kind::ip || kind == Kind::network || kind == Kind::url;
}

bool fits_kind(Kind given, Kind wanted) {
  if (given == wanted || wanted == Kind::any || given == Kind::any) return true;
  if (wanted == Kind::text) return is_text_kind(given);
  if (wanted == Kind::host) return given == Kind::ip || given == Kind::domain;
  // An object is a map, and a map that is written out may be an object: its schema says so.
  if (wanted == Kind::map) return given == Kind::object;
  if (wanted == Kind::object) return given == Kind::map;
  return wanted == Kind::number && given == Kind::integer;
}

std::string problem_of_text(std::string_view text, Kind wanted) {
  switch (wanted) {
    case Kind::address:
      return why_not_address(text);
    case Kind::domain:
      return why_not_domain(text);
    case Kind::host:
      return why_not_host(text);
    case Kind::ip:
      return is_ip_address(text) ? "" : "it is no IP address";
    case Kind::network:
      return why_not_network(text);
    case Kind::url:
      return why_not_url(text);
    default:
      return {};
  }
}

}  // namespace

std::optional<ValueType> parse_type(std::string_view text) { return TypeReader(text).read(); }

std::string to_text(const ValueType& type) {
  const auto& types = all_types();
  std::string text(types[static_cast<std::size_t>(type.kind)].name);
  if (!type.of.empty() && !type.of.front().is(Kind::any))
    text += "(" + to_text(type.of.front()) + ")";
  if (!type.object.empty()) text += "(" + type.object + ")";
  return type.is_optional ? text + "?" : text;
}

std::vector<std::string_view> type_names() {
  std::vector<std::string_view> names;
  for (const TypeInfo& info : all_types()) names.push_back(info.name);
  return names;
}

ValueType type_of_value(const Value& value) {
  ValueType type;
  switch (value.type()) {
    case Value::Type::null:
      type.is_optional = true;
      break;
    case Value::Type::boolean:
      type.kind = Kind::boolean;
      break;
    case Value::Type::integer:
      type.kind = Kind::integer;
      break;
    case Value::Type::number:
      type.kind = Kind::number;
      break;
    case Value::Type::string:
      type.kind = Kind::text;
      break;
    case Value::Type::secret:
      type.kind = Kind::secret;
      break;
    case Value::Type::output:
      break;
    case Value::Type::list: {
      type.kind = Kind::list;
      ValueType item;
      if (value.size() > 0) item = type_of_value(value.item(0));
      for (std::size_t i = 1; i < value.size(); ++i) {
        if (!fits(type_of_value(value.item(i)), item)) item = ValueType();
      }
      type.of.push_back(std::move(item));
      break;
    }
    case Value::Type::map:
      type.kind = Kind::map;
      type.has_members = true;
      for (const auto& [name, member] : value.members())
        type.members.emplace_back(name, type_of_value(member));
      break;
  }
  return type;
}

bool fits(const ValueType& given, const ValueType& wanted) {
  // What is known to be missing, or nothing is known of.
  if (given.is(Kind::any) && given.is_optional)
    return wanted.is_optional || wanted.is(Kind::any) || wanted.is(Kind::rows);
  if (given.is_optional && !wanted.is_optional && !wanted.is(Kind::any)) return false;
  if (!fits_kind(given.kind, wanted.kind)) return false;
  if (given.is(Kind::object) && wanted.is(Kind::object)) return given.object == wanted.object;
  if (wanted.of.empty()) return true;
  if (!given.of.empty()) return fits(given.of.front(), wanted.of.front());
  return std::all_of(given.members.begin(), given.members.end(),
                     [&](const auto& member) { return fits(member.second, wanted.of.front()); });
}

std::string why_not(const Value& value, const ValueType& wanted) {
  if (value.is_null()) {
    return wanted.is_optional || wanted.is(Kind::any)
               ? std::string()
               : fmt::format("nothing stands where {} is needed", to_text(wanted));
  }
  if (value.is_output() || wanted.is(Kind::any)) return {};
  if (value.is_secret() != wanted.is(Kind::secret)) {
    return value.is_secret()
               ? fmt::format("a secret cannot become {}", to_text(wanted))
               : "this is no secret: write `secret \"env:NAME\"` or `!secret env:NAME`";
  }
  if (value.is_integer() && (wanted.is(Kind::duration) || wanted.is(Kind::size))) return {};
  ValueType bare = wanted;
  bare.of.clear();
  const ValueType given = type_of_value(value);
  const bool may_be_text = given.is(Kind::text) && is_text_kind(wanted.kind);
  if (!may_be_text && !fits(given, bare))
    return fmt::format("this is {}, where {} is needed", to_text(given), to_text(wanted));
  if (may_be_text) {
    const std::string why = problem_of_text(value.as_string(), wanted.kind);
    return why.empty() ? why
                       : fmt::format("`{}` is no {}: {}", printable(value.as_string(), 80),
                                     to_text(bare), why);
  }
  if (wanted.of.empty()) return {};
  for (const Value& item : value.items()) {
    if (std::string why = why_not(item, wanted.of.front()); !why.empty()) return why;
  }
  for (const auto& member : value.members()) {
    if (std::string why = why_not(member.second, wanted.of.front()); !why.empty()) return why;
  }
  return {};
}

void TypeScope::set(std::string name, ValueType type) {
  const auto is_name = [&](std::uint32_t other) { return types_[other].first == name; };
  const auto known = by_name_.insert(name, static_cast<std::uint32_t>(types_.size()), is_name);
  if (known)
    types_[*known].second = std::move(type);
  else
    types_.emplace_back(std::move(name), std::move(type));
}

const ValueType* TypeScope::find(std::string_view name) const {
  const auto found =
      by_name_.find(name, [&](std::uint32_t other) { return types_[other].first == name; });
  if (found) return &types_[*found].second;
  return outer_ == nullptr ? nullptr : outer_->find(name);
}

std::vector<std::string_view> TypeScope::names() const {
  std::vector<std::string_view> names;
  if (outer_ != nullptr) names = outer_->names();
  for (const auto& [name, type] : types_)
    if (!type.is(ValueType::Kind::rows)) names.push_back(name);
  return names;
}

const std::vector<FunctionInfo>& all_functions() {
  static const std::vector<FunctionInfo> kFunctions = {
#define PLAN_FUNCTION(name, parameters, result, summary, example, gives) \
  {name, parameters, result, summary, example, gives},
#include "compiler/syntax/functions.def"
#undef PLAN_FUNCTION
  };
  return kFunctions;
}

const FunctionInfo* find_function(std::string_view name) {
  const auto& functions = all_functions();
  const auto found = std::find_if(functions.begin(), functions.end(),
                                  [&](const FunctionInfo& info) { return info.name == name; });
  return found == functions.end() ? nullptr : &*found;
}

std::pair<std::size_t, std::size_t> arity_of(const FunctionInfo& function) {
  const std::size_t count = split(function.parameters, ',').size();
  return {count, function.parameters.ends_with("...") ? SIZE_MAX : count};
}

std::vector<std::string_view> function_names() {
  std::vector<std::string_view> names;
  for (const FunctionInfo& function : all_functions()) names.push_back(function.name);
  return names;
}

std::string function_table_text() {
  std::string text = "| function | gives | |\n|---|---|---|\n";
  for (const FunctionInfo& function : all_functions()) {
    text +=
        fmt::format("| `{}({})` | `{}`: {} | `{}` is `{}` |\n", function.name, function.parameters,
                    function.result, function.summary, function.example, function.example_gives);
  }
  return text;
}

std::string type_table_text() {
  std::string text = "| type | what it is |\n|---|---|\n";
  for (const TypeInfo& info : all_types())
    text += fmt::format("| `{}` | {} |\n", info.name, info.meaning);
  return text;
}

}  // namespace plan::syntax
