#include "compiler/schema/required.h"

namespace plan::schema {
namespace {

/// Properties looked at to find what a create needs; the real types have at most some hundred below
/// them.
constexpr std::size_t kRequiredNodesMax = 20'000;

}  // namespace

bool RequiredProperties::is_required(const Property& property, int depth) {
  const Type& type = property.type;
  if (property.update == Update::server_set || type.is_nullable) return false;
  // A type that holds itself would be asked about for ever.
  if (depth > 8 || ++nodes_ > kRequiredNodesMax) return false;
  switch (type.kind) {
    case TypeKind::string:
    case TypeKind::enumeration:
    case TypeKind::object_id:
    case TypeKind::blob_id:
      return !property.default_value;
    case TypeKind::number:
      // A zero below the minimum is refused, whether it is written or not.
      return type.minimum && property.default_value.value_or(0).number_or(0) < *type.minimum;
    case TypeKind::object_list:
    case TypeKind::set:
    case TypeKind::map:
      return type.items_min.value_or(0) > 0 &&
             (!property.default_value || property.default_value->size() < *type.items_min);
    case TypeKind::object: {
      const ObjectType* object = schema_.resolved(type.reference);
      if (object == nullptr || object->variants.empty()) return false;
      const ir::Value nothing = ir::Value::map();
      const ir::Value& given = property.default_value ? *property.default_value : nothing;
      const Variant* variant = &object->variants.front();
      if (object->is_multiple && given["@type"].is_string()) {
        variant = object->variant(given["@type"].as_string());
      }
      if (variant == nullptr || variant->fields == nullptr) return false;
      for (const Property& inner : variant->fields->properties()) {
        if (given.members().contains(inner.name)) continue;
        if (is_required(inner, depth + 1)) return true;
      }
      return false;
    }
    case TypeKind::boolean:
    case TypeKind::date:
    case TypeKind::unknown:
      return false;
  }
  return false;
}

}  // namespace plan::schema
