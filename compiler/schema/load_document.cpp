// Reads the document that a server serves at /api/schema (reference/stalwart-admin.md 1.2 to 1.8).
// What it has besides types (forms, layouts, dashboards, labels) is for a web page and is not
// looked at.
#include <array>
#include <utility>

#include <fmt/format.h>

#include "compiler/ir/json.h"
#include "compiler/schema/errors.h"
#include "compiler/schema/limits.h"
#include "compiler/schema/loader.h"
#include "compiler/source/text.h"

namespace plan::schema {
namespace {

template <class Enum, std::size_t size>
[[nodiscard]] std::optional<Enum> by_name(const std::array<Enum, size>& all,
                                          std::string_view name) {
  for (const Enum each : all) {
    if (to_string(each) == name) return each;
  }
  return std::nullopt;
}

constexpr std::array kStringFormats = {
    StringFormat::string,     StringFormat::text,          StringFormat::html,
    StringFormat::secret,     StringFormat::secret_text,   StringFormat::uri,
    StringFormat::color,      StringFormat::email_address, StringFormat::ip_address,
    StringFormat::ip_network, StringFormat::socket_address};
constexpr std::array kNumberFormats = {NumberFormat::integer, NumberFormat::unsigned_integer,
                                       NumberFormat::size, NumberFormat::duration,
                                       NumberFormat::floating};

[[nodiscard]] std::optional<double> number_of(const ir::Value& value) {
  return value.is_number() ? std::optional(value.number_or(0)) : std::nullopt;
}

[[nodiscard]] std::optional<std::uint64_t> count_of(const ir::Value& value) {
  return value.is_integer() && value.as_integer() >= 0
             ? std::optional(static_cast<std::uint64_t>(value.as_integer()))
             : std::nullopt;
}

[[nodiscard]] TypeKind kind_of(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, TypeKind>, 11> kKinds = {{
      {"string", TypeKind::string},
      {"number", TypeKind::number},
      {"boolean", TypeKind::boolean},
      {"enum", TypeKind::enumeration},
      {"utcDateTime", TypeKind::date},
      {"blobId", TypeKind::blob_id},
      {"objectId", TypeKind::object_id},
      {"object", TypeKind::object},
      {"objectList", TypeKind::object_list},
      {"set", TypeKind::set},
      {"map", TypeKind::map},
  }};
  for (const auto& [word, kind] : kKinds) {
    if (word == name) return kind;
  }
  return TypeKind::unknown;
}

class DocumentReader {
 public:
  [[nodiscard]] Result<Schema> read(const ir::Value& document) {
    for (const char* part : {"objects", "schemas", "fields", "enums"}) {
      if (!document[part].is_map()) {
        return Error(errors::bad_schema, fmt::format("the schema document has no `{}`", part));
      }
    }
    PLAN_TRY_VOID(read_enums(document["enums"]));
    PLAN_TRY_VOID(read_structs(document["fields"]));
    PLAN_TRY_VOID(read_objects(document));
    return loader_.finish();
  }

 private:
  void warn_about_members(const std::string& place, const ir::Value& value,
                          std::initializer_list<std::string_view> known) {
    for (const auto& [name, unused] : value.members()) {
      bool is_known = false;
      for (const std::string_view each : known) is_known = is_known || each == name;
      if (!is_known) loader_.warn(fmt::format("{}: unknown member `{}`", place, name));
    }
  }

  Outcome read_enums(const ir::Value& enums) {
    for (const auto& [name, values] : enums.members()) {
      PLAN_TRY_VOID(loader_.take_name(name));
      EnumType& type = loader_.add_enum(name);
      for (const ir::Value& value : values.items()) {
        const std::string_view word = value["name"].string_or("");
        PLAN_TRY_VOID(loader_.take_name(word));
        Loader::add_value(type, word);
        warn_about_members("enum " + name, value, {"name", "label", "explanation", "color"});
      }
    }
    return {};
  }

  Outcome read_structs(const ir::Value& fields) {
    for (const auto& [name, body] : fields.members()) {
      PLAN_TRY_VOID(loader_.take_name(name));
      Struct& structure = loader_.add_struct(name);
      warn_about_members(name, body, {"properties", "defaults"});
      for (const auto& [property_name, shape] : body["properties"].members()) {
        PLAN_TRY_VOID(loader_.take_name(property_name));
        const std::string place = name + "." + property_name;
        warn_about_members(place, shape, {"description", "type", "update", "enterprise"});
        Property property;
        property.name = property_name;
        property.type = read_type(place, shape["type"]);
        property.is_enterprise = shape["enterprise"].bool_or(false);
        property.validator = hidden_validator(name, property_name);
        const std::string_view update = shape["update"].string_or("");
        if (update == "mutable") {
          property.update = Update::can_change;
        } else if (update == "immutable") {
          property.update = Update::immutable;
        } else if (update == "serverSet") {
          property.update = Update::server_set;
        } else {
          loader_.warn(fmt::format("{}: unknown update kind `{}`", place, update));
        }
        // The translation to the wire's form needs all types: second pass in read().
        if (const ir::Value* shown = body["defaults"].members().find(property_name)) {
          property.default_value = *shown;
        }
        structure.add(std::move(property));
      }
      for (const auto& [property_name, unused] : body["defaults"].members()) {
        if (structure.find(property_name) == nullptr) {
          loader_.warn(fmt::format("{}: default of an unknown property `{}`", name, property_name));
        }
      }
    }
    return {};
  }

  Type read_type(const std::string& place, const ir::Value& shape) {
    Type type;
    const std::string_view word = shape["type"].string_or("");
    type.kind = kind_of(word);
    if (type.kind == TypeKind::unknown) {
      loader_.warn(fmt::format("{}: unknown type `{}`; any value is taken for it", place, word));
      return type;
    }
    warn_about_members(
        place, shape,
        {"type", "format", "nullable", "min", "max", "minItems", "maxItems", "minLength",
         "maxLength", "enumName", "objectName", "class", "keyClass", "valueClass"});
    type.is_nullable = shape["nullable"].bool_or(false);
    type.minimum = number_of(shape["min"]);
    type.maximum = number_of(shape["max"]);
    type.items_min = count_of(shape["minItems"]);
    type.items_max = count_of(shape["maxItems"]);
    type.length_min = count_of(shape["minLength"]);
    type.length_max = count_of(shape["maxLength"]);
    const std::string_view format = shape["format"].string_or("");
    switch (type.kind) {
      case TypeKind::string: {
        const auto known = by_name(kStringFormats, format);
        type.string_format = known.value_or(StringFormat::other);
        if (!known) loader_.warn(fmt::format("{}: unknown string format `{}`", place, format));
        break;
      }
      case TypeKind::number: {
        const auto known = by_name(kNumberFormats, format);
        type.number_format = known.value_or(NumberFormat::other);
        if (!known) loader_.warn(fmt::format("{}: unknown number format `{}`", place, format));
        break;
      }
      case TypeKind::enumeration:
        type.reference = std::string(shape["enumName"].string_or(""));
        break;
      case TypeKind::object_id:
      case TypeKind::object:
      case TypeKind::object_list:
        type.reference = std::string(shape["objectName"].string_or(""));
        break;
      case TypeKind::set:
        type.value = std::make_shared<Type>(read_type(place, shape["class"]));
        break;
      case TypeKind::map:
        type.key = std::make_shared<Type>(read_type(place, shape["keyClass"]));
        type.value = std::make_shared<Type>(read_type(place, shape["valueClass"]));
        break;
      case TypeKind::boolean:
      case TypeKind::date:
      case TypeKind::blob_id:
      case TypeKind::unknown:
        break;
    }
    return type;
  }

  Outcome read_variants(ObjectType& object, const ir::Value& shape) {
    const std::string_view type = shape["type"].string_or("");
    const auto structure_of = [&](const ir::Value& name) -> const Struct* {
      if (name.is_null()) return nullptr;
      const Struct* found = loader_.find_struct(name.string_or(""));
      if (found == nullptr) {
        loader_.warn(
            fmt::format("{}: struct `{}` is not in the document", object.name, name.string_or("")));
      }
      return found;
    };
    if (type == "single") {
      warn_about_members(object.name, shape, {"type", "schemaName"});
      object.variants.push_back({"", structure_of(shape["schemaName"])});
      return {};
    }
    if (type != "multiple") {
      loader_.warn(fmt::format("{}: unknown kind of schema `{}`", object.name, type));
      return {};
    }
    warn_about_members(object.name, shape, {"type", "variants"});
    object.is_multiple = true;
    for (const ir::Value& variant : shape["variants"].items()) {
      const std::string_view name = variant["name"].string_or("");
      PLAN_TRY_VOID(loader_.take_name(name));
      warn_about_members(object.name, variant, {"name", "label", "schemaName"});
      object.variants.push_back({std::string(name), structure_of(variant["schemaName"])});
    }
    return {};
  }

  Outcome read_objects(const ir::Value& document) {
    for (const auto& [name, shape] : document["objects"].members()) {
      PLAN_TRY_VOID(loader_.take_name(name));
      ObjectType& object = loader_.add_object(name);
      const std::string_view type = shape["type"].string_or("");
      const ir::Value& list = document["lists"][name];
      object.label_property = std::string(list["labelProperty"].string_or(""));
      if (type == "view") {
        warn_about_members(name, shape, {"type", "objectName"});
        object.kind = ObjectKind::view;
        object.view_of = std::string(shape["objectName"].string_or(""));
        object.view_variant = std::string(list["filtersStatic"]["@type"].string_or(""));
        continue;
      }
      warn_about_members(name, shape, {"type", "description", "permissionPrefix", "enterprise"});
      if (type == "singleton") {
        object.kind = ObjectKind::singleton;
      } else {
        object.kind = ObjectKind::collection;
        if (type != "object") loader_.warn(fmt::format("{}: unknown kind `{}`", name, type));
      }
      object.is_enterprise = shape["enterprise"].bool_or(false);
      object.permission_prefix = std::string(shape["permissionPrefix"].string_or(""));
    }
    for (const auto& [name, shape] : document["schemas"].members()) {
      ObjectType* object = loader_.find_object(name);
      if (object == nullptr) {
        PLAN_TRY_VOID(loader_.take_name(name));
        object = &loader_.add_object(name);
      }
      PLAN_TRY_VOID(read_variants(*object, shape));
    }
    return {};
  }

  Loader loader_;
};

}  // namespace

Result<Schema> Schema::load(const ir::Value& document) {
  PLAN_TRY(schema, DocumentReader().read(document));
  // Only now are all types known that a default may be of.
  Loader::translate_defaults(schema);
  return schema;
}

Result<Schema> Schema::read(std::string_view json) {
  const ir::JsonLimits limits{.bytes_max = kDocumentBytesMax, .depth_max = kDocumentDepthMax};
  PLAN_TRY(document, ir::parse_json(json, limits));
  return document["planSchemaFacts"].is_null() ? load(document) : load_facts(document);
}

}  // namespace plan::schema
