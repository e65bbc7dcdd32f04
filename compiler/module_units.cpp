#include "compiler/module_units.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "compiler/check/blocks.h"
#include "compiler/source/text.h"
#include "compiler/syntax/scalar.h"
#include "compiler/syntax/tree_value.h"

namespace plan {
namespace {

using ir::Value;
using syntax::Node;
using syntax::ValueType;

/// The members that are durations or sizes by their table, which are plain numbers once they are
/// read.
void set_units(ValueType& type, const std::vector<check::Field>& fields) {
  for (auto& [name, member] : type.members) {
    for (const check::Field& field : fields) {
      if (field.name != name) continue;
      if (field.type == check::FieldType::block) set_units(member, field.fields);
      if (!member.is(ValueType::Kind::integer)) continue;
      if (field.type == check::FieldType::duration_ms) member.kind = ValueType::Kind::duration;
      if (field.type == check::FieldType::bytes) member.kind = ValueType::Kind::size;
    }
  }
}

bool is_of_numbers(const ValueType& type) {
  using Kind = ValueType::Kind;
  return type.is(Kind::duration) || type.is(Kind::size) || type.is(Kind::integer) ||
         type.is(Kind::number) || std::any_of(type.of.begin(), type.of.end(), is_of_numbers);
}

/// Of an expression: numbers without a unit may be anything.
std::string why_not_unit(const ValueType& given, const ValueType& wanted) {
  using Kind = ValueType::Kind;
  if (!given.of.empty() && !wanted.of.empty() && given.kind == wanted.kind)
    return why_not_unit(given.of.front(), wanted.of.front());
  const bool is_other = (given.is(Kind::duration) && wanted.is(Kind::size)) ||
                        (given.is(Kind::size) && wanted.is(Kind::duration));
  if (!is_other) return {};
  return fmt::format("this is {}, where {} is needed", syntax::to_text(given),
                     syntax::to_text(wanted));
}

/// Of a literal.
std::string why_not_unit(const std::string& text, const ValueType& wanted) {
  const bool is_duration = syntax::read_duration_ms(text).has_value();
  const bool is_size = !is_duration && syntax::read_bytes(text).has_value();
  const auto plain = syntax::read_integer(text);
  using Kind = ValueType::Kind;
  const std::string needed = syntax::to_text(wanted);
  if (wanted.is(Kind::duration) || wanted.is(Kind::size)) {
    // Nothing is nothing in every unit.
    if (plain && *plain != 0)
      return fmt::format("{} has no unit, where {} is needed", *plain, needed);
    if (wanted.is(Kind::duration) ? is_size : is_duration)
      return fmt::format("this is {}, where {} is needed", is_size ? "size" : "duration", needed);
  }
  if ((wanted.is(Kind::integer) || wanted.is(Kind::number)) && (is_duration || is_size))
    return fmt::format("this is {}, where {} is needed", is_size ? "size" : "duration", needed);
  return {};
}

}  // namespace

ValueType type_of_given(std::string_view name, const Value& value) {
  ValueType type = syntax::type_of_value(value);
  if (name == "move") set_units(type, check::move_fields());
  if (name == "source") set_units(type, check::source_fields());
  if (name == "target") set_units(type, check::target_fields());
  return type;
}

std::optional<std::string_view> near_type(std::string_view text) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kOtherWords = {
      {{"string", "text"},
       {"str", "text"},
       {"bytes", "size"},
       {"bool", "boolean"},
       {"int", "integer"},
       {"float", "number"},
       {"double", "number"},
       {"array", "list"},
       {"email", "address"}}};
  const std::vector<std::string_view> types = syntax::type_names();
  while (!text.empty()) {
    const std::size_t begin = std::min(text.find_first_not_of("(),? "), text.size());
    text.remove_prefix(begin);
    const std::string_view word = text.substr(0, text.find_first_of("(),? "));
    text.remove_prefix(word.size());
    if (word.empty() || std::find(types.begin(), types.end(), word) != types.end()) continue;
    for (const auto& [other, ours] : kOtherWords)
      if (word == other) return ours;
    return nearest(word, types);
  }
  return std::nullopt;
}

WrongUnit wrong_unit(const Node& node, const ValueType& wanted, const syntax::TypeScope& types,
                     const SourceSet& sources) {
  if (!is_of_numbers(wanted)) return {};
  if (!wanted.of.empty()) {
    // A list stands where one is wanted, and a map where a map is: that was judged.
    const ValueType& inner = wanted.of.front();
    for (const Node& item : node.items) {
      if (auto wrong = wrong_unit(item, inner, types, sources); !wrong.why.empty()) return wrong;
    }
    for (const syntax::Entry& entry : node.entries) {
      if (auto wrong = wrong_unit(entry.value, inner, types, sources); !wrong.why.empty())
        return wrong;
    }
  }
  if (!node.is_scalar() || !node.tag.empty()) return {};
  Sink unheard;
  const auto text = syntax::parse_template(node, sources, unheard);
  if (text && text->has_expression())
    return {node.span, why_not_unit(check_type(*text, types, unheard), wanted)};
  return {node.span, node.is_quoted ? std::string() : why_not_unit(node.text, wanted)};
}

ValueType known_type(const ValueType& declared, ValueType of_value) {
  const bool is_open_map = declared.is(ValueType::Kind::map) && declared.of.empty();
  if (is_open_map && of_value.is(ValueType::Kind::object)) {
    of_value.kind = ValueType::Kind::map;  // it goes wherever a map goes
    of_value.object.clear();
  }
  if (declared.is(ValueType::Kind::object)) {
    of_value.kind = declared.kind;
    of_value.object = declared.object;
    of_value.of.clear();
    of_value.is_optional = of_value.is_optional || !of_value.has_members;
    return of_value;
  }
  return is_open_map || declared.is(ValueType::Kind::any) ? std::move(of_value) : declared;
}

ValueType type_of_let(const Node& node, const Value& value, const syntax::TypeScope& types,
                      const SourceSet& sources) {
  ValueType type = syntax::type_of_value(value);
  if (node.is_sequence() && type.is(ValueType::Kind::list) && node.items.size() == value.size() &&
      type.of.size() == 1) {
    std::optional<ValueType> common;
    for (std::size_t i = 0; i < value.size(); ++i) {
      ValueType item = type_of_let(node.items[i], value.item(i), types, sources);
      if (common && common->kind != item.kind) return type;
      common = std::move(item);
    }
    if (common && is_of_unit(*common)) type.of.front() = std::move(*common);
    return type;
  }
  if (node.is_mapping() && type.has_members) {
    // Both in the order of the text.
    for (std::size_t i = 0; i < std::min(type.members.size(), node.entries.size()); ++i) {
      auto& [name, member] = type.members[i];
      if (node.entries[i].key == name)
        member = type_of_let(node.entries[i].value, value[name], types, sources);
    }
    return type;
  }
  if (!node.is_scalar() || !node.tag.empty() || node.is_quoted) return type;
  Sink unheard;
  const auto text = syntax::parse_template(node, sources, unheard);
  if (text && text->has_expression()) {
    ValueType of_expression = check_type(*text, types, unheard);
    // `move`, as a whole.
    const bool has_names =
        of_expression.is(ValueType::Kind::map) || of_expression.is(ValueType::Kind::object);
    if (value.is_map() && has_names && of_expression.has_members) {
      of_expression.is_optional = false;
      return of_expression;
    }
    if (!value.is_integer() || !is_of_unit(of_expression)) return type;
    of_expression.is_optional = false;
    return of_expression;
  }
  if (!value.is_integer()) return type;
  if (syntax::read_duration_ms(node.text))
    type.kind = ValueType::Kind::duration;
  else if (syntax::read_bytes(node.text))
    type.kind = ValueType::Kind::size;
  return type;
}

bool is_of_unit(const ValueType& type) {
  return type.is(ValueType::Kind::duration) || type.is(ValueType::Kind::size);
}

}  // namespace plan
