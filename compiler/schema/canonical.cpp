// What the server makes of a value: normalised texts, defaults filled in
// (reference/stalwart-admin.md 1.5, 1.7, 2.1).
#include <algorithm>
#include <map>

#include "compiler/schema/check_value.h"
#include "compiler/schema/formats.h"
#include "compiler/schema/limits.h"
#include "compiler/schema/loader.h"
#include "compiler/source/text.h"

namespace plan::schema {
namespace {

[[nodiscard]] std::optional<std::size_t> index_of(std::string_view key) {
  if (key.empty() || key.size() > 9) return std::nullopt;
  std::size_t index = 0;
  for (const char c : key) {
    if (c < '0' || c > '9') return std::nullopt;
    index = index * 10 + static_cast<std::size_t>(c - '0');
  }
  return index;
}

class Completer {
 public:
  explicit Completer(const Schema& schema) : schema_(schema) {}

  ir::Value canonical(const Type& type, Validator validator, const ir::Value& value, int depth) {
    if (depth > static_cast<int>(kValueDepthMax) || ++nodes_ > kValueNodesMax) return value;
    switch (type.kind) {
      case TypeKind::string:
        if (!value.is_string()) return value;
        return canonical_text(type.string_format, validator, value.as_string());
      case TypeKind::date:
        if (!value.is_string()) return value;
        return canonical_date(value.as_string());
      case TypeKind::number:
        if (type.number_format == NumberFormat::floating && value.is_integer()) {
          return static_cast<double>(value.as_integer());
        }
        return value;
      case TypeKind::object: {
        const ObjectType* object = schema_.resolved(type.reference);
        if (object == nullptr || !value.is_map()) return value;
        return canonical_object(*object, value, depth);
      }
      case TypeKind::object_list:
        return canonical_list(type, value, depth);
      case TypeKind::set:
        return canonical_set(type, value);
      case TypeKind::map: {
        if (!value.is_map() || !type.value) return value;
        ir::Value out = ir::Value::map();
        for (const auto& [key, member] : value.members()) {
          out.set(key, canonical(*type.value, Validator::none, member, depth + 1));
        }
        return out;
      }
      case TypeKind::boolean:
      case TypeKind::enumeration:
      case TypeKind::blob_id:
      case TypeKind::object_id:
      case TypeKind::unknown:
        return value;
    }
    return value;
  }

  ir::Value canonical_object(const ObjectType& object, const ir::Value& value, int depth) {
    const Struct* fields = object.fields(value["@type"].string_or(""));
    ir::Value out = ir::Value::map();
    for (const auto& [name, member] : value.members()) {
      const Property* property = fields == nullptr ? nullptr : fields->find(name);
      out.set(name, property == nullptr
                        ? member
                        : canonical(property->type, property->validator, member, depth + 1));
    }
    return out;
  }

  /// Every property present. `is_top` objects do not get server-set properties without a known
  /// default: the server fills those from what it knows.
  ir::Value complete_object(const ObjectType& object, const ir::Value& value, int depth,
                            bool is_top) {
    if (depth > static_cast<int>(kValueDepthMax) || ++nodes_ > kValueNodesMax ||
        object.variants.empty())
      return value;
    ir::Value out = ir::Value::map();
    const Variant* variant = &object.variants.front();
    if (object.is_multiple) {
      const ir::Value& tag = value["@type"];
      if (const Variant* named = object.variant(tag.string_or(""));
          named != nullptr && tag.is_string())
        variant = named;
      out.set("@type", variant->name);
    }
    if (variant->fields == nullptr) return out;
    for (const Property& property : variant->fields->properties()) {
      const ir::Value* given = value.members().find(property.name);
      if (given == nullptr && is_top && property.update == Update::server_set &&
          !property.default_value)
        continue;
      out.set(property.name, complete(property, given, depth + 1));
    }
    return out;
  }

  ir::Value complete(const Property& property, const ir::Value* given, int depth) {
    const Type& type = property.type;
    const ir::Value* value = given;
    if (value == nullptr && property.default_value) value = &*property.default_value;
    if (value == nullptr) return zero(type, depth);
    if (type.kind == TypeKind::object && value->is_map()) {
      const ObjectType* object = schema_.resolved(type.reference);
      if (object == nullptr) return *value;
      // A given struct stands on its property's default: a throttle's `match` without `else` gets
      // the default's.
      ir::Value base = *value;
      if (given != nullptr && property.default_value && property.default_value->is_map() &&
          !object->is_multiple) {
        for (const auto& [name, member] : property.default_value->members()) {
          if (!base.members().contains(name) && name != "match") base.set(name, member);
        }
      }
      return complete_object(*object, canonical_object(*object, base, depth), depth, false);
    }
    return complete_members(type, canonical(type, property.validator, *value, depth), depth);
  }

  /// Completes the objects inside lists and maps.
  ir::Value complete_members(const Type& type, const ir::Value& value, int depth) {
    const bool is_list = type.kind == TypeKind::object_list;
    const bool is_map =
        type.kind == TypeKind::map && type.value && type.value->kind == TypeKind::object;
    if ((!is_list && !is_map) || !value.is_map()) return value;
    const ObjectType* object = schema_.resolved(is_list ? type.reference : type.value->reference);
    if (object == nullptr) return value;
    ir::Value out = ir::Value::map();
    for (const auto& [key, member] : value.members()) {
      out.set(key, member.is_map() ? complete_object(*object, member, depth + 1, false) : member);
    }
    return out;
  }

  ir::Value zero(const Type& type, int depth) {
    if (type.is_nullable) return nullptr;
    switch (type.kind) {
      case TypeKind::string:
        return type.string_format == StringFormat::ip_address ? "0.0.0.0" : "";
      case TypeKind::number:
        return type.number_format == NumberFormat::floating ? ir::Value(0.0) : ir::Value(0);
      case TypeKind::boolean:
        return false;
      case TypeKind::object: {
        const ObjectType* object = schema_.resolved(type.reference);
        if (++default_objects_ > kDefaultObjectsMax) return ir::Value::map();
        return object == nullptr ? ir::Value::map()
                                 : complete_object(*object, ir::Value::map(), depth, false);
      }
      case TypeKind::object_list:
      case TypeKind::set:
      case TypeKind::map:
        return ir::Value::map();
      case TypeKind::enumeration: {
        const EnumType* values = schema_.enumeration(type.reference);
        return values == nullptr || values->values.empty() ? "" : values->values.front();
      }
      case TypeKind::date:
      case TypeKind::blob_id:
      case TypeKind::object_id:
      case TypeKind::unknown:
        return nullptr;
    }
    return nullptr;
  }

 private:
  ir::Value canonical_list(const Type& type, const ir::Value& value, int depth) {
    Type element = type;
    element.kind = TypeKind::object;
    ir::Value out = ir::Value::map();
    std::size_t next = 0;
    if (value.is_list()) {
      for (const ir::Value& item : value.items()) {
        out.set(std::to_string(next++), canonical(element, Validator::none, item, depth + 1));
      }
      return out;
    }
    if (!value.is_map()) return value;
    std::map<std::size_t, const ir::Value*> ordered;
    for (const auto& [key, member] : value.members()) {
      const auto index = index_of(key);
      if (!index) return value;
      ordered[*index] = &member;
    }
    for (const auto& [index, member] : ordered) {
      out.set(std::to_string(next++), canonical(element, Validator::none, *member, depth + 1));
    }
    return out;
  }

  ir::Value canonical_set(const Type& type, const ir::Value& value) {
    std::vector<std::string> members;
    if (value.is_list()) {
      for (const ir::Value& item : value.items()) {
        if (!item.is_string()) return value;
        members.push_back(item.as_string());
      }
    } else if (value.is_map()) {
      for (const auto& [key, member] : value.members()) {
        if (member.bool_or(false)) members.push_back(key);
      }
    } else {
      return value;
    }
    ir::Value out = ir::Value::map();
    for (std::string& member : members) {
      // Members of networks are parsed, those of texts only trimmed (1.7).
      const bool is_parsed = type.value && (type.value->string_format == StringFormat::ip_network ||
                                            type.value->string_format == StringFormat::ip_address);
      out.set(is_parsed ? canonical_text(type.value->string_format, Validator::none, trim(member))
                        : std::string(trim(member)),
              true);
    }
    return out;
  }

  const Schema& schema_;
  std::size_t nodes_ = 0;
  std::size_t default_objects_ = 0;
};

}  // namespace

ir::Value canonical_value(const Schema& schema, std::string_view type, const ir::Value& value) {
  const ObjectType* object = schema.resolved(type);
  if (object == nullptr || !value.is_map()) return value;
  return Completer(schema).canonical_object(*object, value, 0);
}

ir::Value complete_value(const Schema& schema, std::string_view type, const ir::Value& value) {
  const ObjectType* object = schema.resolved(type);
  if (object == nullptr || !value.is_map()) return value;
  Completer completer(schema);
  return completer.complete_object(*object, completer.canonical_object(*object, value, 0), 0, true);
}

}  // namespace plan::schema
