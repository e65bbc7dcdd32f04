#include "runtime/rehearsal/schema_facts.h"

#include <zlib.h>

#include <algorithm>
#include <charconv>

#include "compiler/ir/digest.h"
#include "compiler/ir/json.h"
#include "runtime/rehearsal/errors.h"
#include "runtime/rehearsal/message.h"

namespace plan::rehearsal {
namespace {

constexpr int kDepthMax = 16;

FieldType read_type(const ir::Value& value, int depth) {
  FieldType type;
  const std::string_view kind = value["type"].string_or("string");
  using Kind = FieldType::Kind;
  if (kind == "number") type.kind = Kind::number;
  else if (kind == "boolean") type.kind = Kind::boolean;
  else if (kind == "enum") type.kind = Kind::enumeration;
  else if (kind == "utcDateTime") type.kind = Kind::date_time;
  else if (kind == "blobId") type.kind = Kind::blob_id;
  else if (kind == "objectId") type.kind = Kind::object_id;
  else if (kind == "object") type.kind = Kind::object;
  else if (kind == "objectList") type.kind = Kind::object_list;
  else if (kind == "set") type.kind = Kind::set;
  else if (kind == "map") type.kind = Kind::map;
  type.format = value["format"].string_or("");
  type.name = value["enumName"].string_or(value["objectName"].string_or(""));
  type.is_nullable = value["nullable"].bool_or(false);
  if (value["min"].is_number()) type.min = value["min"].number_or(0);
  if (value["max"].is_number()) type.max = value["max"].number_or(0);
  if (value["maxLength"].is_number())
    type.max_length = static_cast<std::size_t>(value["maxLength"].integer_or(0));
  if (value["minItems"].is_number())
    type.min_items = static_cast<std::size_t>(value["minItems"].integer_or(0));
  if (depth > kDepthMax) return type;
  if (type.kind == Kind::set) type.member = std::make_shared<FieldType>(read_type(value["class"], depth + 1));
  if (type.kind == Kind::map) {
    type.key = std::make_shared<FieldType>(read_type(value["keyClass"], depth + 1));
    type.member = std::make_shared<FieldType>(read_type(value["valueClass"], depth + 1));
  }
  return type;
}

// "1m", "5s", "30d" to milliseconds; what is no such text stays (reference 1.5: defaults are display values).
ir::Value duration_of(const ir::Value& value) {
  if (!value.is_string()) return value;
  const std::string_view text = value.string_or("");
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{}) return value;
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (unit == "ms" || unit.empty()) return number;
  if (unit == "s") return number * 1000;
  if (unit == "m") return number * 60'000;
  if (unit == "h") return number * 3'600'000;
  if (unit == "d") return number * 86'400'000;
  return value;
}

ir::Value list_to_map(const ir::Value& list) {
  ir::Value out = ir::Value::map();
  std::size_t position = 0;
  for (const ir::Value& item : list.items()) out.set(std::to_string(position++), item);
  return out;
}

// {"default": "x"} and {"match": [...], "else": "x"} to the wire form of an expression.
ir::Value expression_of(const ir::Value& value) {
  ir::Value out = ir::Value::map();
  out.set("match", value["match"].is_list() ? list_to_map(value["match"])
                                            : (value["match"].is_map() ? value["match"] : ir::Value::map()));
  out.set("else", value["else"].is_string() ? value["else"] : ir::Value(value["default"].string_or("")));
  return out;
}

std::string compress(std::string_view text) {
  z_stream stream{};
  if (deflateInit2(&stream, Z_BEST_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) != Z_OK) return {};
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
  PLAN_TRY(document, ir::parse_json(json));
  for (const std::string_view section : {"objects", "schemas", "fields", "enums"})
    if (!document[section].is_map())
      return Error(errors::schema_unusable, "the document has no section " + std::string(section));
  std::unique_ptr<SchemaFacts> facts(new SchemaFacts());
  for (const auto& [name, value] : document["fields"].members()) {
    Struct& made = facts->structs_[name];
    made.name = name;
    made.defaults = value["defaults"];
    for (const auto& [field_name, property] : value["properties"].members()) {
      Field field;
      field.name = field_name;
      field.type = read_type(property["type"], 0);
      const std::string_view update = property["update"].string_or("mutable");
      if (update == "immutable") field.update = Field::Update::immutable;
      if (update == "serverSet") field.update = Field::Update::server_set;
      made.fields.push_back(std::move(field));
    }
  }
  for (const auto& [name, value] : document["schemas"].members()) {
    Shape& shape = facts->shapes_[name];
    if (value["type"].string_or("") == "single") {
      const auto found = facts->structs_.find(value["schemaName"].string_or(""));
      if (found == facts->structs_.end())
        return Error(errors::schema_unusable, "no fields for " + name);
      shape.single = &found->second;
      continue;
    }
    for (const ir::Value& variant : value["variants"].items()) {
      const auto found = facts->structs_.find(variant["schemaName"].string_or(""));
      shape.variants.push_back({std::string(variant["name"].string_or("")),
                                found == facts->structs_.end() ? nullptr : &found->second});
    }
    if (shape.variants.empty()) return Error(errors::schema_unusable, "no variants for " + name);
  }
  for (const auto& [name, value] : document["objects"].members()) {
    const std::string_view kind = value["type"].string_or("");
    if (kind == "view") {
      facts->views_[name] = value["objectName"].string_or("");
      continue;
    }
    ObjectType type;
    type.name = name;
    type.is_singleton = kind == "singleton";
    type.permission_prefix = value["permissionPrefix"].string_or("");
    const auto shape = facts->shapes_.find(name);
    if (shape == facts->shapes_.end()) continue;
    type.shape = &shape->second;
    facts->types_[name] = std::move(type);
  }
  for (const auto& [name, values] : document["enums"].members()) {
    for (const ir::Value& value : values.items()) {
      const std::string text(value.is_string() ? value.string_or("") : value["name"].string_or(""));
      facts->enums_[name].push_back(text);
      facts->enum_sets_[name].insert(text);
    }
  }
  facts->json_ = std::string(json);
  facts->gzip_ = compress(json);
  const ir::Sha256 digest = ir::sha256(facts->gzip_);
  facts->hash_ = ir::to_base64({reinterpret_cast<const char*>(digest.bytes.data()), digest.bytes.size()}, true);
  return facts;
}

const ObjectType* SchemaFacts::type(std::string_view name) const {
  const auto found = types_.find(name);
  return found == types_.end() ? nullptr : &found->second;
}

const Shape* SchemaFacts::shape(std::string_view name) const {
  if (const auto view = views_.find(name); view != views_.end()) name = view->second;
  const auto found = shapes_.find(name);
  return found == shapes_.end() ? nullptr : &found->second;
}

SchemaFacts::Target SchemaFacts::target_of(std::string_view object_name) const {
  if (!views_.contains(object_name)) return {std::string(object_name), {}};
  const std::size_t slash = object_name.find('/');
  return {views_.find(object_name)->second,
          slash == std::string_view::npos ? std::string{} : std::string(object_name.substr(slash + 1))};
}

bool SchemaFacts::enum_has(std::string_view enum_name, std::string_view value) const {
  const auto found = enum_sets_.find(enum_name);
  return found == enum_sets_.end() || found->second.contains(std::string(value));
}

const std::vector<std::string>& SchemaFacts::enum_values(std::string_view enum_name) const {
  const auto found = enums_.find(enum_name);
  return found == enums_.end() ? kNoValues : found->second;
}

ir::Value SchemaFacts::blank(const Shape& shape, std::string_view variant_name, std::int64_t now) const {
  ir::Value out = ir::Value::map();
  const Struct* members = shape.single;
  if (shape.is_multi()) {
    const Variant* variant = variant_name.empty() ? &shape.variants.front() : shape.variant(variant_name);
    if (variant == nullptr) variant = &shape.variants.front();
    members = variant->members;
    out.set("@type", variant->name);
  }
  if (members == nullptr) return out;
  for (const Field& field : members->fields) {
    const ir::Value* given = members->defaults.members().find(field.name);
    out.set(field.name, blank_value(field.type, given, now));
  }
  return out;
}

ir::Value SchemaFacts::blank_value(const FieldType& type, const ir::Value* given, std::int64_t now) const {
  using Kind = FieldType::Kind;
  const bool has_default = given != nullptr && !given->is_null();
  switch (type.kind) {
    case Kind::object: {
      const Shape* inner = shape(type.name);
      if (inner == nullptr) return has_default ? *given : ir::Value::map();
      if (!has_default && type.is_nullable) return {};
      if (has_default && type.name == "x:Expression") return expression_of(*given);
      ir::Value out = blank(*inner, has_default ? (*given)["@type"].string_or("") : "", now);
      if (!has_default) return out;
      const Struct* members = inner->single;
      if (inner->is_multi()) {
        const Variant* variant = inner->variant(out["@type"].string_or(""));
        members = variant == nullptr ? nullptr : variant->members;
      }
      for (const auto& [name, value] : given->members()) {
        const Field* field = members == nullptr ? nullptr : members->field(name);
        if (field != nullptr) out.set(name, blank_value(field->type, &value, now));
      }
      return out;
    }
    case Kind::object_list: {
      ir::Value out = ir::Value::map();
      if (!has_default) return out;
      FieldType element = type;
      element.kind = Kind::object;
      element.is_nullable = false;
      const ir::Value items = given->is_list() ? list_to_map(*given) : *given;
      for (const auto& [position, value] : items.members()) out.set(position, blank_value(element, &value, now));
      return out;
    }
    case Kind::set: {
      ir::Value out = ir::Value::map();
      if (!has_default) return out;
      if (given->is_list()) {
        for (const ir::Value& item : given->items()) out.set(std::string(item.string_or("")), true);
        return out;
      }
      return *given;
    }
    case Kind::map: {
      ir::Value out = ir::Value::map();
      if (!has_default) return out;
      for (const auto& [name, value] : given->members())
        out.set(name, type.member ? blank_value(*type.member, &value, now) : value);
      return out;
    }
    case Kind::number:
      if (has_default) return type.format == "duration" ? duration_of(*given) : *given;
      return type.is_nullable ? ir::Value() : ir::Value(0);
    case Kind::boolean: return has_default ? *given : ir::Value(false);
    case Kind::date_time:
      if (has_default) return *given;
      return type.is_nullable ? ir::Value() : ir::Value(show_rfc3339(now));
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
