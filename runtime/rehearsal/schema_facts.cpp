#include "runtime/rehearsal/schema_facts.h"

#include <zlib.h>

#include <algorithm>

#include "compiler/ir/digest.h"
#include "compiler/schema/schema.h"
#include "runtime/rehearsal/errors.h"
#include "runtime/rehearsal/message.h"

namespace plan::rehearsal {
namespace {

using schema::TypeKind;

std::string to_format(const schema::Type& type) {
  if (type.kind == TypeKind::string) return std::string(schema::to_string(type.string_format));
  if (type.kind == TypeKind::number) return std::string(schema::to_string(type.number_format));
  return {};
}

FieldType::Kind to_kind(TypeKind kind) {
  using Kind = FieldType::Kind;
  switch (kind) {
    case TypeKind::number:
      return Kind::number;
    case TypeKind::boolean:
      return Kind::boolean;
    case TypeKind::enumeration:
      return Kind::enumeration;
    case TypeKind::date:
      return Kind::date_time;
    case TypeKind::blob_id:
      return Kind::blob_id;
    case TypeKind::object_id:
      return Kind::object_id;
    case TypeKind::object:
      return Kind::object;
    case TypeKind::object_list:
      return Kind::object_list;
    case TypeKind::set:
      return Kind::set;
    case TypeKind::map:
      return Kind::map;
    default:
      return Kind::string;
  }
}

FieldType convert(const schema::Type& type) {
  FieldType out;
  out.kind = to_kind(type.kind);
  out.format = to_format(type);
  out.name = type.reference;
  out.is_nullable = type.is_nullable;
  out.min = type.minimum;
  out.max = type.maximum;
  if (type.length_max) out.max_length = static_cast<std::size_t>(*type.length_max);
  if (type.items_min) out.min_items = static_cast<std::size_t>(*type.items_min);
  if (type.key) out.key = std::make_shared<FieldType>(convert(*type.key));
  if (type.value) out.member = std::make_shared<FieldType>(convert(*type.value));
  return out;
}

Field convert(const schema::Property& property) {
  Field field;
  field.name = property.name;
  field.type = convert(property.type);
  field.validator = property.validator;
  if (property.update == schema::Update::immutable) field.update = Field::Update::immutable;
  if (property.update == schema::Update::server_set) field.update = Field::Update::server_set;
  return field;
}

// The types that values of this shape can refer to.
void collect_targets(const SchemaFacts& facts, const Shape& shape, std::set<std::string>& out,
                     std::set<const Shape*>& seen);

void collect_targets(const SchemaFacts& facts, const FieldType& type, std::set<std::string>& out,
                     std::set<const Shape*>& seen) {
  using Kind = FieldType::Kind;
  if (type.kind == Kind::object_id) out.insert(facts.target_of(type.name).type);
  if (type.key) collect_targets(facts, *type.key, out, seen);
  if (type.member) collect_targets(facts, *type.member, out, seen);
  if (type.kind != Kind::object && type.kind != Kind::object_list) return;
  if (const Shape* shape = facts.shape(type.name)) collect_targets(facts, *shape, out, seen);
}

void collect_targets(const SchemaFacts& facts, const Shape& shape, std::set<std::string>& out,
                     std::set<const Shape*>& seen) {
  if (!seen.insert(&shape).second) return;
  const auto visit = [&](const Struct* members) {
    if (members == nullptr) return;
    for (const Field& field : members->fields) collect_targets(facts, field.type, out, seen);
  };
  visit(shape.single);
  for (const Variant& variant : shape.variants) visit(variant.members);
}

std::string compress(std::string_view text) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    return {};
  std::string out(deflateBound(&stream, static_cast<uLong>(text.size())) + 64, '\0');
  std::string copy(text);  // zlib's input is not const
  stream.next_in = reinterpret_cast<Bytef*>(copy.data());
  stream.avail_in = static_cast<uInt>(copy.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int result = deflate(&stream, Z_FINISH);
  out.resize(result == Z_STREAM_END ? stream.total_out : 0);
  deflateEnd(&stream);
  return out;
}

const std::vector<std::string> kNoValues = {};

}  // namespace

const Field* Struct::field(std::string_view field_name) const {
  for (const Field& field : fields)
    if (field.name == field_name) return &field;
  return nullptr;
}

const Variant* Shape::variant(std::string_view variant_name) const {
  for (const Variant& variant : variants)
    if (variant.name == variant_name) return &variant;
  return nullptr;
}

Result<std::unique_ptr<SchemaFacts>> SchemaFacts::parse(std::string_view json) {
  PLAN_TRY(document, schema::Schema::read(json));
  std::unique_ptr<SchemaFacts> facts(new SchemaFacts());
  for (const schema::Struct& structure : document.structures()) {
    Struct& made = facts->structs_[structure.name];
    made.name = structure.name;
    made.defaults = ir::Value::map();
    for (const schema::Property& property : structure.properties()) {
      made.fields.push_back(convert(property));
      facts->properties_.insert(property.name);
      if (property.default_value) made.defaults.set(property.name, *property.default_value);
    }
  }
  const auto find_struct = [&facts](const schema::Struct* structure) -> const Struct* {
    return structure == nullptr ? nullptr : &facts->structs_.find(structure->name)->second;
  };
  for (const schema::ObjectType& object : document.objects()) {
    if (object.kind == schema::ObjectKind::view) {
      facts->views_[object.name] = {object.view_of, object.view_variant};
      continue;
    }
    Shape& shape = facts->shapes_[object.name];
    if (object.is_multiple) {
      for (const schema::Variant& variant : object.variants)
        shape.variants.push_back({variant.name, find_struct(variant.fields)});
    } else {
      shape.single = find_struct(object.fields());
    }
    if (shape.single == nullptr && shape.variants.empty())
      return Error(errors::schema_unusable,
                   "the type `" + object.name + "` of the schema has no members");
    if (object.kind == schema::ObjectKind::embedded) continue;
    ObjectType type;
    type.name = object.name;
    type.is_singleton = object.kind == schema::ObjectKind::singleton;
    type.permission_prefix = object.permission_prefix;
    type.shape = &shape;
    facts->types_[object.name] = std::move(type);
  }
  for (const schema::EnumType& each : document.enumerations()) {
    facts->enums_[each.name] = each.values;
    facts->enum_sets_[each.name] = {each.values.begin(), each.values.end()};
  }
  for (const auto& [name, type] : facts->types_) {
    std::set<const Shape*> seen;
    collect_targets(*facts, *type.shape, facts->targets_[name], seen);
  }
  facts->json_ = std::string(json);
  facts->gzip_ = compress(json);
  const ir::Sha256 digest = ir::sha256(facts->gzip_);
  facts->hash_ = ir::to_base64(
      {reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size()}, true);
  return facts;
}

const ObjectType* SchemaFacts::type(std::string_view name) const {
  const auto found = types_.find(name);
  return found == types_.end() ? nullptr : &found->second;
}

const Shape* SchemaFacts::shape(std::string_view name) const {
  if (const auto view = views_.find(name); view != views_.end()) name = view->second.type;
  const auto found = shapes_.find(name);
  return found == shapes_.end() ? nullptr : &found->second;
}

SchemaFacts::Target SchemaFacts::target_of(std::string_view object_name) const {
  const auto view = views_.find(object_name);
  return view == views_.end() ? Target{std::string(object_name), {}} : view->second;
}

bool SchemaFacts::enum_has(std::string_view enum_name, std::string_view value) const {
  const auto found = enum_sets_.find(enum_name);
  return found == enum_sets_.end() || found->second.contains(std::string(value));
}

const std::vector<std::string>& SchemaFacts::enum_values(std::string_view enum_name) const {
  const auto found = enums_.find(enum_name);
  return found == enums_.end() ? kNoValues : found->second;
}

bool SchemaFacts::refers_to(const ObjectType& type, std::string_view target) const {
  const auto found = targets_.find(type.name);
  return found != targets_.end() && found->second.contains(std::string(target));
}

/// Fills in one object. A document from outside may have an object that contains itself, or so many
/// that contain each other that to fill them in would not end.
class SchemaFacts::Blanks {
 public:
  Blanks(const SchemaFacts& facts, std::int64_t now) : facts_(facts), now_(now) {}

  ir::Value object(const Shape& shape, std::string_view variant_name);
  ir::Value value(const FieldType& type, const ir::Value* given);

 private:
  static constexpr int kDepthMax = 16;
  static constexpr int kObjectsMax = 1000;

  const SchemaFacts& facts_;
  std::int64_t now_;
  int depth_ = 0;
  int objects_ = 0;
};

ir::Value SchemaFacts::blank(const Shape& shape, std::string_view variant_name,
                             std::int64_t now) const {
  return Blanks(*this, now).object(shape, variant_name);
}

ir::Value SchemaFacts::blank_value(const FieldType& type, const ir::Value* given,
                                   std::int64_t now) const {
  return Blanks(*this, now).value(type, given);
}

ir::Value SchemaFacts::Blanks::object(const Shape& shape, std::string_view variant_name) {
  ir::Value out = ir::Value::map();
  if (depth_ == kDepthMax || ++objects_ > kObjectsMax) return out;
  const Struct* members = shape.single;
  if (shape.is_multi()) {
    const Variant* variant =
        variant_name.empty() ? &shape.variants.front() : shape.variant(variant_name);
    if (variant == nullptr) variant = &shape.variants.front();
    members = variant->members;
    out.set("@type", variant->name);
  }
  if (members == nullptr) return out;
  ++depth_;
  for (const Field& field : members->fields) {
    const ir::Value* given = members->defaults.members().find(field.name);
    out.set(field.name, value(field.type, given));
  }
  --depth_;
  return out;
}

ir::Value SchemaFacts::Blanks::value(const FieldType& type, const ir::Value* given) {
  using Kind = FieldType::Kind;
  const bool has_default = given != nullptr && !given->is_null();
  switch (type.kind) {
    case Kind::object: {
      const Shape* inner = facts_.shape(type.name);
      if (inner == nullptr) return has_default ? *given : ir::Value::map();
      if (!has_default && type.is_nullable) return {};
      ir::Value out = object(*inner, has_default ? (*given)["@type"].string_or("") : "");
      if (!has_default) return out;
      const Struct* members = inner->single;
      if (inner->is_multi()) {
        const Variant* variant = inner->variant(out["@type"].string_or(""));
        members = variant == nullptr ? nullptr : variant->members;
      }
      for (const auto& [name, member] : given->members()) {
        const Field* field = members == nullptr ? nullptr : members->field(name);
        if (field != nullptr) out.set(name, value(field->type, &member));
      }
      return out;
    }
    case Kind::object_list: {
      ir::Value out = ir::Value::map();
      if (!has_default) return out;
      FieldType element = type;
      element.kind = Kind::object;
      element.is_nullable = false;
      for (const auto& [position, item] : given->members())
        out.set(position, value(element, &item));
      return out;
    }
    case Kind::set: {
      return has_default ? *given : ir::Value::map();
    }
    case Kind::map: {
      ir::Value out = ir::Value::map();
      if (!has_default) return out;
      for (const auto& [name, member] : given->members())
        out.set(name, type.member ? value(*type.member, &member) : member);
      return out;
    }
    case Kind::number:
      if (has_default) return *given;
      return type.is_nullable ? ir::Value() : ir::Value(0);
    case Kind::boolean:
      return has_default ? *given : ir::Value(false);
    case Kind::date_time:
      if (has_default) return *given;
      return type.is_nullable ? ir::Value() : ir::Value(show_rfc3339(now_));
    case Kind::object_id:
      if (has_default) return *given;
      return type.is_nullable ? ir::Value() : ir::Value(kNoId);
    case Kind::string:
      if (has_default) return *given;
      if (type.is_nullable) return {};
      return type.format == "ipAddress" ? ir::Value("0.0.0.0") : ir::Value("");
    default:
      if (has_default) return *given;
      return type.is_nullable ? ir::Value() : ir::Value("");
  }
}

}  // namespace plan::rehearsal
