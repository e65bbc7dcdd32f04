#include "compiler/target_amounts.h"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "compiler/schema/formats.h"
#include "compiler/schema/limits.h"
#include "compiler/schema/schema.h"
#include "compiler/source/text.h"
#include "compiler/syntax/scalar.h"

namespace plan {
namespace {

using ir::Value;
using schema::Property;
using schema::Type;
using schema::TypeKind;

class AmountReader {
 public:
  explicit AmountReader(const schema::Schema& schema) : schema_(schema) {}

  /// `given` are the properties of an object; a name may be a pointer (`a/b`).
  [[nodiscard]] Value read_object(const schema::ObjectType& object, const Value& given,
                                  std::size_t depth) const {
    if (!given.is_map() || depth > schema::kValueDepthMax) return given;
    Value read = Value::map();
    const std::string_view variant = given["@type"].string_or("");
    for (const auto& [name, member] : given.members())
      read.set(name_at(object, variant, name), read_at(object, variant, name, member, depth));
    return read;
  }

 private:
  [[nodiscard]] static const Property* property(const schema::ObjectType& object,
                                                std::string_view variant, std::string_view name) {
    for (const schema::Variant& each : object.variants) {
      const bool is_other = !variant.empty() && object.is_multiple && each.name != variant;
      if (each.fields == nullptr || is_other) continue;
      if (const Property* found = each.fields->find(name)) return found;
    }
    return nullptr;
  }

  /// The name of a property, or a pointer to a member of a set in the form of the member.
  [[nodiscard]] static std::string name_at(const schema::ObjectType& object,
                                           std::string_view variant, const std::string& name) {
    const std::size_t slash = name.find('/', name.starts_with('/') ? 1 : 0);
    // A member with a `/` of its own is no address and no domain.
    if (slash == std::string::npos || name.find('/', slash + 1) != std::string::npos ||
        name.find('~') != std::string::npos)
      return name;
    const std::size_t begin = name.starts_with('/') ? 1 : 0;
    const Property* const found = property(object, variant, name.substr(begin, slash - begin));
    if (found == nullptr || found->type.kind != TypeKind::set || !found->type.value) return name;
    return name.substr(0, slash + 1) + member_of(*found, name.substr(slash + 1));
  }

  [[nodiscard]] static std::string member_of(const Property& property, const std::string& member) {
    return schema::canonical_text(property.type.value->string_format, property.validator,
                                  trim(member));
  }

  [[nodiscard]] static Value read_set(const Property& property, const Value& value) {
    if (!property.type.value || property.type.value->kind != TypeKind::string) return value;
    if (value.is_list()) {
      ir::List items;
      std::set<std::string> seen;
      for (const Value& item : value.items()) {
        Value read = item.is_string() ? Value(member_of(property, item.as_string())) : item;
        if (!read.is_string() || seen.insert(read.as_string()).second)
          items.push_back(std::move(read));
      }
      return Value(std::move(items));
    }
    if (!value.is_map()) return value;
    Value members = Value::map();
    for (const auto& [name, member] : value.members())
      members.set(member_of(property, name), member);
    return members;
  }

  [[nodiscard]] Value read_at(const schema::ObjectType& object, std::string_view variant,
                              std::string_view pointer, const Value& value,
                              std::size_t depth) const {
    if (pointer.starts_with('/')) pointer.remove_prefix(1);
    const std::size_t slash = pointer.find('/');
    const Property* const found = property(object, variant, pointer.substr(0, slash));
    if (found == nullptr) return value;
    if (slash != std::string_view::npos)
      return read_below(found->type, pointer.substr(slash + 1), value, depth + 1);
    if (found->type.kind == TypeKind::set) return read_set(*found, value);
    return read(found->type, value, depth);
  }

  /// What a pointer leads to behind a property of this type.
  [[nodiscard]] Value read_below(const Type& type, std::string_view pointer, const Value& value,
                                 std::size_t depth) const {
    if (depth > schema::kValueDepthMax) return value;
    if (type.kind == TypeKind::object) {
      const schema::ObjectType* const object = schema_.resolved(type.reference);
      return object == nullptr ? value : read_at(*object, "", pointer, value, depth);
    }
    const std::size_t slash = pointer.find('/');
    const bool is_last = slash == std::string_view::npos;
    if (type.kind == TypeKind::object_list) {
      const schema::ObjectType* const object = schema_.resolved(type.reference);
      if (object == nullptr) return value;
      return is_last ? read_object(*object, value, depth)
                     : read_at(*object, "", pointer.substr(slash + 1), value, depth);
    }
    if (type.kind != TypeKind::map || !type.value) return value;
    return is_last ? read(*type.value, value, depth)
                   : read_below(*type.value, pointer.substr(slash + 1), value, depth + 1);
  }

  [[nodiscard]] Value read(const Type& type, const Value& value, std::size_t depth) const {
    if (depth > schema::kValueDepthMax) return value;
    switch (type.kind) {
      case TypeKind::number:
        return read_number(type, value);
      case TypeKind::object: {
        const schema::ObjectType* const object = schema_.resolved(type.reference);
        return object == nullptr ? value : read_object(*object, value, depth + 1);
      }
      case TypeKind::object_list: {
        const schema::ObjectType* const object = schema_.resolved(type.reference);
        if (object == nullptr) return value;
        return read_each(value,
                         [&](const Value& one) { return read_object(*object, one, depth + 1); });
      }
      case TypeKind::map:
        if (!type.value || !value.is_map()) return value;
        return read_each(value,
                         [&](const Value& one) { return read(*type.value, one, depth + 1); });
      default:
        return value;
    }
  }

  /// Lists of objects stand in a plan as lists, and as on the wire.
  template <class Read>
  [[nodiscard]] static Value read_each(const Value& value, const Read& read_one) {
    if (value.is_list()) {
      ir::List items;
      for (const Value& item : value.items()) items.push_back(read_one(item));
      return Value(std::move(items));
    }
    if (!value.is_map()) return value;
    Value members = Value::map();
    for (const auto& [name, member] : value.members()) members.set(name, read_one(member));
    return members;
  }

  /// Not every size is called one in the schema (`maxUploadSize` is a number).
  [[nodiscard]] static Value read_number(const Type& type, const Value& value) {
    using schema::NumberFormat;
    if (!value.is_string()) return value;
    std::optional<std::uint64_t> amount;
    switch (type.number_format) {
      case NumberFormat::duration:
        amount = syntax::read_duration_ms(value.as_string());
        break;
      case NumberFormat::size:
      case NumberFormat::integer:
      case NumberFormat::unsigned_integer:
        amount = syntax::read_bytes(value.as_string());
        break;
      case NumberFormat::floating:
      case NumberFormat::other:
        break;
    }
    return amount ? Value(*amount) : value;
  }

  const schema::Schema& schema_;
};

}  // namespace

Value with_target_amounts(const schema::Schema& schema, ir::StepKind kind, Value arguments) {
  using ir::StepKind;
  if (kind != StepKind::admin_upsert && kind != StepKind::admin_update &&
      kind != StepKind::admin_destroy)
    return arguments;
  const schema::ObjectType* const object = schema.resolved(arguments["object"].string_or(""));
  if (object == nullptr) return arguments;
  const AmountReader reader(schema);
  for (const std::string_view name : {"set", "match"}) {
    if (arguments[name].is_map())
      arguments.set(std::string(name), reader.read_object(*object, arguments[name], 0));
  }
  return arguments;
}

}  // namespace plan
