// Writes the facts-only layout (docs/formats/schema-facts.md) that load_facts.cpp reads.
#include <deque>
#include <set>

#include "compiler/schema/schema.h"

namespace plan::schema {
namespace {

class FactsWriter {
 public:
  explicit FactsWriter(const Schema& schema) : schema_(schema) {}

  ir::Value of(const std::vector<std::string>& types) {
    for (const std::string& type : types) want(schema_.resolved(type));
    while (!open_.empty()) {
      const ObjectType* type = open_.front();
      open_.pop_front();
      add(*type);
    }
    // What is only referred to by its id: that there is such a type is all that counts.
    for (const ObjectType* type : referred_) {
      if (!wanted_.contains(type)) objects_.set(type->name, head_of(*type));
    }
    return ir::Value::map({{"planSchemaFacts", 1},
                           {"version", schema_.version()},
                           {"objects", std::move(objects_)},
                           {"structs", std::move(structs_)},
                           {"enums", std::move(enums_)}});
  }

 private:
  void want(const ObjectType* type) {
    if (type != nullptr && wanted_.insert(type).second) open_.push_back(type);
  }

  static ir::Value head_of(const ObjectType& type) {
    ir::Value shape = ir::Value::map();
    if (type.kind != ObjectKind::embedded) shape.set("kind", to_string(type.kind));
    if (type.is_enterprise) shape.set("enterprise", true);
    if (!type.permission_prefix.empty()) shape.set("permission", type.permission_prefix);
    if (!type.label_property.empty()) shape.set("label", type.label_property);
    if (!type.view_of.empty()) shape.set("of", type.view_of);
    if (!type.view_variant.empty()) shape.set("variant", type.view_variant);
    return shape;
  }

  void add(const ObjectType& type) {
    ir::Value shape = head_of(type);
    ir::List variants;
    for (const Variant& variant : type.variants) {
      if (variant.fields != nullptr) add(*variant.fields);
      const ir::Value fields =
          variant.fields == nullptr ? ir::Value() : ir::Value(variant.fields->name);
      if (!type.is_multiple && variant.fields != nullptr) shape.set("struct", fields);
      variants.push_back(ir::List{variant.name, fields});
    }
    if (type.is_multiple) shape.set("variants", std::move(variants));
    objects_.set(type.name, std::move(shape));
  }

  void add(const Struct& structure) {
    if (!written_.insert(&structure).second) return;
    ir::Value properties = ir::Value::map();
    ir::Value defaults = ir::Value::map();
    for (const Property& property : structure.properties()) {
      std::string words;
      if (property.update == Update::immutable) words += "immutable ";
      if (property.update == Update::server_set) words += "server-set ";
      if (property.is_enterprise) words += "enterprise ";
      properties.set(property.name, words + property.type.notation());
      if (property.default_value) defaults.set(property.name, *property.default_value);
      follow(property.type);
    }
    ir::List body;
    body.push_back(std::move(properties));
    if (!defaults.members().empty()) body.push_back(std::move(defaults));
    structs_.set(structure.name, std::move(body));
  }

  void follow(const Type& type) {
    switch (type.kind) {
      case TypeKind::enumeration:
        if (const EnumType* values = schema_.enumeration(type.reference);
            values != nullptr && written_.insert(values).second) {
          ir::List list;
          for (const std::string& value : values->values) list.emplace_back(value);
          enums_.set(values->name, std::move(list));
        }
        break;
      case TypeKind::object:
      case TypeKind::object_list:
        want(schema_.resolved(type.reference));
        break;
      case TypeKind::object_id:
        for (const ObjectType* referred :
             {schema_.object(type.reference), schema_.resolved(type.reference)}) {
          if (referred != nullptr) referred_.insert(referred);
        }
        break;
      default:
        break;
    }
    if (type.key) follow(*type.key);
    if (type.value) follow(*type.value);
  }

  const Schema& schema_;
  std::deque<const ObjectType*> open_;
  std::set<const ObjectType*> wanted_;
  std::set<const ObjectType*> referred_;
  std::set<const void*> written_;
  ir::Value objects_ = ir::Value::map();
  ir::Value structs_ = ir::Value::map();
  ir::Value enums_ = ir::Value::map();
};

}  // namespace

ir::Value Schema::facts_of(const std::vector<std::string>& types) const {
  return FactsWriter(*this).of(types);
}

}  // namespace plan::schema
