#include "compiler/schema/type.h"

#include <fmt/format.h>

namespace plan::schema {

std::string_view to_string(TypeKind kind) {
  switch (kind) {
    case TypeKind::string:
      return "string";
    case TypeKind::number:
      return "number";
    case TypeKind::boolean:
      return "boolean";
    case TypeKind::enumeration:
      return "enum";
    case TypeKind::date:
      return "date";
    case TypeKind::blob_id:
      return "blob";
    case TypeKind::object_id:
      return "id";
    case TypeKind::object:
      return "object";
    case TypeKind::object_list:
      return "list";
    case TypeKind::set:
      return "set";
    case TypeKind::map:
      return "map";
    case TypeKind::unknown:
      return "unknown";
  }
  return "unknown";
}

std::string_view to_string(StringFormat format) {
  switch (format) {
    case StringFormat::string:
      return "string";
    case StringFormat::text:
      return "text";
    case StringFormat::html:
      return "html";
    case StringFormat::secret:
      return "secret";
    case StringFormat::secret_text:
      return "secretText";
    case StringFormat::uri:
      return "uri";
    case StringFormat::color:
      return "color";
    case StringFormat::email_address:
      return "emailAddress";
    case StringFormat::ip_address:
      return "ipAddress";
    case StringFormat::ip_network:
      return "ipNetwork";
    case StringFormat::socket_address:
      return "socketAddress";
    case StringFormat::other:
      return "other";
  }
  return "other";
}

std::string_view to_string(NumberFormat format) {
  switch (format) {
    case NumberFormat::integer:
      return "integer";
    case NumberFormat::unsigned_integer:
      return "unsignedInteger";
    case NumberFormat::size:
      return "size";
    case NumberFormat::duration:
      return "duration";
    case NumberFormat::floating:
      return "float";
    case NumberFormat::other:
      return "other";
  }
  return "other";
}

std::string_view to_string(ObjectKind kind) {
  switch (kind) {
    case ObjectKind::collection:
      return "collection";
    case ObjectKind::singleton:
      return "singleton";
    case ObjectKind::view:
      return "view";
    case ObjectKind::embedded:
      return "embedded";
  }
  return "embedded";
}

namespace {

template <class T>
void add_range(std::string& text, char open, char close, const std::optional<T>& low,
               const std::optional<T>& high) {
  if (!low && !high) return;
  text += open;
  if (low) text += fmt::format("{}", *low);
  text += "..";
  if (high) text += fmt::format("{}", *high);
  text += close;
}

}  // namespace

std::string Type::notation() const {
  std::string text{to_string(kind)};
  switch (kind) {
    case TypeKind::string:
      text += fmt::format(":{}", to_string(string_format));
      break;
    case TypeKind::number:
      text += fmt::format(":{}", to_string(number_format));
      break;
    case TypeKind::enumeration:
    case TypeKind::object_id:
    case TypeKind::object:
    case TypeKind::object_list:
      text += ":" + reference;
      break;
    case TypeKind::set:
      text += "(" + (value ? value->notation() : "") + ")";
      break;
    case TypeKind::map:
      text += "(" + (key ? key->notation() : "") + "," + (value ? value->notation() : "") + ")";
      break;
    case TypeKind::boolean:
    case TypeKind::date:
    case TypeKind::blob_id:
    case TypeKind::unknown:
      break;
  }
  if (is_nullable) text += '?';
  add_range(text, '[', ']', minimum, maximum);
  add_range(text, '{', '}', items_min ? items_min : length_min, items_max ? items_max : length_max);
  return text;
}

bool operator==(const Type& left, const Type& right) { return left.notation() == right.notation(); }

const Property* Struct::find(std::string_view property) const {
  const auto found = by_name_.find(std::string(property));
  return found == by_name_.end() ? nullptr : &properties_[found->second];
}

void Struct::add(Property property) {
  by_name_.emplace(property.name, properties_.size());
  properties_.push_back(std::move(property));
}

const Variant* ObjectType::variant(std::string_view variant) const {
  for (const Variant& each : variants) {
    if (each.name == variant) return &each;
  }
  return nullptr;
}

const Struct* ObjectType::fields(std::string_view variant_name) const {
  if (variants.empty()) return nullptr;
  if (!is_multiple) return variants.front().fields;
  const Variant* found = variant(variant_name);
  return found == nullptr ? nullptr : found->fields;
}

bool EnumType::contains(std::string_view value) const {
  return by_value.contains(std::string(value));
}

}  // namespace plan::schema
