#include "runtime/rehearsal/registry_patch.h"

#include <algorithm>
#include <charconv>
#include <cmath>

#include "compiler/source/text.h"
#include "runtime/rehearsal/ids.h"
#include "runtime/rehearsal/message.h"
#include "runtime/rehearsal/text_rules.h"

namespace plan::rehearsal {
namespace {

using Kind = FieldType::Kind;
constexpr int kDepthMax = 24;

std::string unescape(std::string_view segment) {
  std::string out;
  for (std::size_t i = 0; i < segment.size(); ++i) {
    if (segment[i] == '~' && i + 1 < segment.size() &&
        (segment[i + 1] == '0' || segment[i + 1] == '1'))
      out += segment[++i] == '1' ? '/' : '~';
    else
      out += segment[i];
  }
  return out;
}

std::string joined(const std::vector<std::string>& segments) {
  std::string out;
  for (const std::string& segment : segments) {
    if (!out.empty()) out += '/';
    out += segment;
  }
  return out;
}

PatchError error(std::string path, std::string_view description) {
  return {std::move(path), std::string(description)};
}

std::optional<std::uint64_t> position_of(std::string_view text) {
  std::uint64_t number = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || code != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// The members of a list {"3": x, "0": y} in numeric order, renumbered from 0.
ir::Value renumbered(const ir::Value& list) {
  std::vector<std::pair<std::uint64_t, const ir::Value*>> items;
  for (const auto& [position, value] : list.members())
    items.emplace_back(position_of(position).value_or(0), &value);
  std::stable_sort(items.begin(), items.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  ir::Value out = ir::Value::map();
  std::size_t next = 0;
  for (const auto& [position, value] : items) out.set(std::to_string(next++), *value);
  return out;
}

const Struct* members_of(const Shape& shape, const ir::Value& object) {
  if (!shape.is_multi()) return shape.single;
  const Variant* variant = shape.variant(object["@type"].string_or(""));
  return variant == nullptr ? nullptr : variant->members;
}

// The validators that the schema does not show, by struct and property (reference 1.7).
std::optional<std::string> normal_text(const Field& field, std::string_view text,
                                       std::string_view& complaint) {
  if (field.type.format == "emailAddress" || field.validator == schema::Validator::email) {
    complaint = "Invalid email address";
    return normal_email(text);
  }
  if (field.type.format == "ipAddress") {
    complaint = "Invalid IP address";
    return normal_ip(text);
  }
  if (field.type.format == "ipNetwork") {
    complaint = "Invalid IP address or mask";
    return normal_network(text);
  }
  if (field.type.format == "socketAddress") {
    complaint = "Invalid socket address";
    return is_socket_address(text) ? std::optional(std::string(text)) : std::nullopt;
  }
  switch (field.validator) {
    case schema::Validator::domain:
      complaint = "Invalid domain name";
      return normal_domain(text);
    case schema::Validator::local_part:
      complaint = "Invalid email local part";
      return normal_local_part(text);
    case schema::Validator::hostname:
      complaint = "Invalid hostname or IP address";
      return normal_hostname(text);
    default:
      return std::string(text);
  }
}

// A member of a set or a key of a map: only parsed, not run through the hidden validators.
std::optional<std::string> normal_member(const SchemaFacts& facts, const FieldType& type,
                                         std::string_view text) {
  const std::string flat(trim(text));
  if (flat.empty()) return std::nullopt;
  if (type.kind == Kind::enumeration)
    return facts.enum_has(type.name, flat) ? std::optional(flat) : std::nullopt;
  if (type.kind == Kind::object_id) {
    const auto id = parse_id(flat);
    return id ? std::optional(encode_id(*id)) : std::nullopt;
  }
  if (type.format == "ipNetwork") return normal_network(flat);
  if (type.format == "socketAddress")
    return is_socket_address(flat) ? std::optional(flat) : std::nullopt;
  return flat;
}

}  // namespace

std::optional<PatchError> Patcher::write(const Struct& members, ir::Value& object,
                                         std::string_view pointer, const ir::Value& given) const {
  if (pointer.starts_with('/')) pointer.remove_prefix(1);
  Segments segments;
  for (const std::string_view segment : split(pointer, '/')) segments.push_back(unescape(segment));
  ir::Value copy = object;
  if (auto failed = write_field(members, copy, segments, 0, given)) return failed;
  object = std::move(copy);
  return std::nullopt;
}

std::optional<PatchError> Patcher::write_field(const Struct& members, ir::Value& object,
                                               const Segments& segments, std::size_t at,
                                               const ir::Value& given) const {
  const std::string path = joined(segments);
  if (segments[at] == "@type") return error(path, "Invalid JSON Pointer path");
  const Field* field = members.field(segments[at]);
  if (field == nullptr) return error(path, "Invalid property");
  if (field->update == Field::Update::server_set)
    return error(path, "Cannot modify server set property");
  if (field->update == Field::Update::immutable && !is_create_)
    return error(path, "Cannot modify read-only property");
  ir::Value* slot = object.as_map().find(field->name);
  if (slot == nullptr) {
    object.set(field->name, {});
    slot = object.as_map().find(field->name);
  }
  if (at + 1 < segments.size()) return write_at(field->type, *slot, segments, at + 1, given);
  if (field->type.kind == Kind::string && given.is_string()) {
    if (given.string_or("").empty()) return error(path, "Invalid value for property.");
    std::string_view complaint = "Invalid value for property.";
    auto normal = normal_text(*field, given.string_or(""), complaint);
    if (!normal) return error(path, complaint);
    *slot = std::move(*normal);
    return std::nullopt;
  }
  return write_whole(field->type, *slot, path, given, 0);
}

std::optional<PatchError> Patcher::write_at(const FieldType& type, ir::Value& slot,
                                            const Segments& segments, std::size_t at,
                                            const ir::Value& given) const {
  const std::string path = joined(segments);
  if (segments.size() > kDepthMax) return error(path, "Invalid JSON Pointer path");
  const bool is_last = at + 1 == segments.size();
  switch (type.kind) {
    case Kind::object: {
      const Shape* shape = facts_->shape(type.name);
      // A pointer into what is null makes it, and what it then lacks the validation says.
      if (shape != nullptr && slot.is_null() && !shape->is_multi())
        slot = facts_->blank(*shape, "", now_);
      if (shape == nullptr || !slot.is_map()) return error(path, "Invalid value for property.");
      const Struct* members = members_of(*shape, slot);
      if (segments[at] == "@type") return error(path, "Invalid JSON Pointer path");
      if (members == nullptr) return error(path, "Invalid property");
      return write_field(*members, slot, segments, at, given);
    }
    case Kind::object_list:
      return write_list_item(type, slot, segments, at, given);
    case Kind::set: {
      if (!is_last) return error(path, "Invalid value for object property");
      const auto member = normal_member(*facts_, *type.member, segments[at]);
      if (!member) return error(path, "Invalid key for object property");
      if (given.is_null() || (given.is_bool() && !given.bool_or(false))) {
        slot.as_map().erase(*member);
        return std::nullopt;
      }
      if (!given.is_bool()) return error(path, "Invalid value for object property");
      slot.set(*member, true);
      return std::nullopt;
    }
    case Kind::map: {
      const auto key = normal_member(*facts_, *type.key, segments[at]);
      if (!key) return error(path, "Invalid key for object property");
      if (is_last && given.is_null()) {
        slot.as_map().erase(*key);
        return std::nullopt;
      }
      ir::Value* value = slot.as_map().find(*key);
      if (value == nullptr) {
        if (!is_last) return error(path, "Invalid JSON Pointer path");
        slot.set(*key, facts_->blank_value(*type.member, nullptr, now_));
        value = slot.as_map().find(*key);
      }
      return is_last ? write_whole(*type.member, *value, path, given, 0)
                     : write_at(*type.member, *value, segments, at + 1, given);
    }
    default:
      return error(path, "Invalid value for property.");
  }
}

std::optional<PatchError> Patcher::write_list_item(const FieldType& type, ir::Value& list,
                                                   const Segments& segments, std::size_t at,
                                                   const ir::Value& given) const {
  const std::string path = joined(segments);
  const auto position = position_of(segments[at]);
  if (!position) return error(path, "Invalid key for object property");
  FieldType element = type;
  element.kind = Kind::object;
  element.is_nullable = false;
  const std::string key = std::to_string(std::min<std::uint64_t>(*position, list.size()));
  const bool is_there = *position < list.size();
  if (at + 1 < segments.size()) {
    if (!is_there) return error(path, "Invalid JSON Pointer path");
    return write_at(element, *list.as_map().find(key), segments, at + 1, given);
  }
  if (given.is_null()) {
    if (!is_there) return error(path, "Invalid value for property.");
    list.as_map().erase(key);
    list = renumbered(list);
    return std::nullopt;
  }
  ir::Value item = is_there ? list[key] : facts_->blank_value(element, nullptr, now_);
  if (auto failed = write_whole(element, item, path, given, 0)) return failed;
  list.set(key, std::move(item));
  return std::nullopt;
}

std::optional<PatchError> Patcher::write_object(const FieldType& type, ir::Value& slot,
                                                const std::string& path, const ir::Value& given,
                                                int depth) const {
  const Shape* shape = facts_->shape(type.name);
  if (!given.is_map() || shape == nullptr) return error(path, "Invalid value type for object");
  const Struct* members = nullptr;
  if (shape->is_multi()) {
    const Variant* variant = shape->variant(given["@type"].string_or(""));
    if (variant == nullptr) return error(path, "Missing or invalid '@type' property in object");
    slot = facts_->blank(*shape, variant->name, now_);
    members = variant->members;
  } else {
    if (!slot.is_map()) slot = facts_->blank(*shape, "", now_);
    members = shape->single;
  }
  for (const auto& [name, value] : given.members()) {
    if (name == "@type" && shape->is_multi()) continue;
    const std::string inner = path + "/" + name;
    const Field* field = members == nullptr ? nullptr : members->field(name);
    if (field == nullptr) return error(path, "Invalid key for object");
    if (field->update == Field::Update::server_set)
      return error(inner, "Cannot modify server set property");
    ir::Value* target = slot.as_map().find(name);
    if (target == nullptr) {
      slot.set(name, {});
      target = slot.as_map().find(name);
    }
    if (field->type.kind == Kind::string && value.is_string() && !value.string_or("").empty()) {
      std::string_view complaint = "Invalid value for property.";
      auto normal = normal_text(*field, value.string_or(""), complaint);
      if (!normal) return error(inner, complaint);
      *target = std::move(*normal);
      continue;
    }
    if (auto failed = write_whole(field->type, *target, inner, value, depth + 1)) return failed;
  }
  return std::nullopt;
}

std::optional<PatchError> Patcher::write_number(const FieldType& type, ir::Value& slot,
                                                const std::string& path,
                                                const ir::Value& given) const {
  if (type.format == "duration") {
    if (!given.is_number()) return error(path, "Invalid path for Duration");
    if (!given.is_integer() || given.integer_or(0) <= 0)
      return error(path, "Invalid duration value");
  } else if (type.format == "float") {
    if (!given.is_number() || !std::isfinite(given.number_or(0)))
      return error(path, "Invalid value for float property");
  } else if (type.format == "integer") {
    if (!given.is_integer()) return error(path, "Invalid value for integer property");
  } else if (!given.is_integer() || given.integer_or(0) < 0) {
    return error(path,
                 "Invalid value for unsigned integer property (expected non-negative integer)");
  }
  slot = given;
  return std::nullopt;
}

std::optional<PatchError> Patcher::write_whole(const FieldType& type, ir::Value& slot,
                                               const std::string& path, const ir::Value& given,
                                               int depth) const {
  if (depth > kDepthMax) return error(path, "Invalid value for property.");
  if (given.is_null()) {
    if (!type.is_nullable)
      return error(path, type.kind == Kind::object ? "Invalid value type for object"
                                                   : "Invalid value for property.");
    slot = {};
    return std::nullopt;
  }
  switch (type.kind) {
    case Kind::string:
      if (!given.is_string() || given.string_or("").empty())
        return error(path, "Invalid value for property.");
      slot = given;
      return std::nullopt;
    case Kind::number:
      return write_number(type, slot, path, given);
    case Kind::boolean:
      if (!given.is_bool()) return error(path, "Invalid value for boolean property");
      slot = given;
      return std::nullopt;
    case Kind::enumeration:
      if (!given.is_string() || !facts_->enum_has(type.name, given.string_or("")))
        return error(path, "Invalid value for enum property");
      slot = given;
      return std::nullopt;
    case Kind::date_time: {
      const auto seconds = parse_rfc3339(given.string_or(""));
      if (!seconds || *seconds < 0 || *seconds >= 32503680000)
        return error(path, "Invalid date value");
      slot = show_rfc3339(*seconds);
      return std::nullopt;
    }
    case Kind::blob_id:
      if (!given.is_string() || !decode_bytes(given.string_or("")))
        return error(path, "Invalid blob id");
      slot = given;
      return std::nullopt;
    case Kind::object_id: {
      const auto id = given.is_string() ? parse_id(given.string_or("")) : std::nullopt;
      if (!id) return error(path, "Failed to parse Id from string");
      slot = encode_id(*id);
      return std::nullopt;
    }
    case Kind::object:
      return write_object(type, slot, path, given, depth);
    case Kind::object_list: {
      if (!given.is_map()) return error(path, "Invalid value for object property");
      ir::Value list = ir::Value::map();
      FieldType element = type;
      element.kind = Kind::object;
      element.is_nullable = false;
      for (const auto& [position, value] : given.members()) {
        if (!position_of(position)) return error(path, "Invalid key for object property");
        ir::Value item = facts_->blank_value(element, nullptr, now_);
        if (auto failed = write_whole(element, item, path, value, depth + 1)) return failed;
        list.set(position, std::move(item));
      }
      slot = renumbered(list);
      return std::nullopt;
    }
    case Kind::set: {
      if (!given.is_map()) return error(path, "Invalid value for object property");
      ir::Value set = ir::Value::map();
      for (const auto& [member, value] : given.members()) {
        if (!value.is_bool()) return error(path, "Invalid value for object property");
        const auto normal = normal_member(*facts_, *type.member, member);
        if (!normal) return error(path, "Invalid key for object property");
        if (value.bool_or(false)) set.set(*normal, true);
      }
      slot = std::move(set);
      return std::nullopt;
    }
    case Kind::map: {
      if (!given.is_map()) return error(path, "Invalid value for object property");
      ir::Value map = ir::Value::map();
      for (const auto& [key, value] : given.members()) {
        const auto normal = normal_member(*facts_, *type.key, key);
        if (!normal) return error(path, "Invalid key for object property");
        ir::Value item = facts_->blank_value(*type.member, nullptr, now_);
        if (auto failed = write_whole(*type.member, item, path, value, depth + 1)) return failed;
        map.set(*normal, std::move(item));
      }
      slot = std::move(map);
      return std::nullopt;
    }
  }
  return error(path, "Invalid value for property.");
}

namespace {

ir::Value whole_number(double number) {
  return std::floor(number) == number ? ir::Value(static_cast<std::int64_t>(number))
                                      : ir::Value(number);
}

struct Validation {
  const SchemaFacts& facts;
  ir::Value errors = ir::Value::list();

  void add(std::string_view type, const std::string& property) {
    errors.push_back(ir::Value::map({{"type", type}, {"property", property}}));
  }
  void check(const FieldType& type, const std::string& property, const ir::Value& value,
             int depth) {
    if (depth > kDepthMax || (value.is_null() && type.is_nullable)) return;
    switch (type.kind) {
      case Kind::string:
        if (type.format == "ipAddress" && value.string_or("") == "0.0.0.0") {
          errors.push_back(
              ir::Value::map({{"type", "Invalid"}, {"property", property}, {"value", "0.0.0.0"}}));
        } else if (value.string_or("").empty()) {
          add("Required", property);
        } else if (type.max_length && value.string_or("").size() > *type.max_length) {
          errors.push_back(
              ir::Value::map({{"type", "MaxLength"},
                              {"property", property},
                              {"required", static_cast<std::int64_t>(*type.max_length)}}));
        }
        break;
      case Kind::enumeration:
      case Kind::blob_id:
        if (value.string_or("").empty()) add("Required", property);
        break;
      case Kind::object_id:
        if (value.string_or("") == kNoId) add("Required", property);
        break;
      case Kind::number:
        check_number(type, property, value);
        break;
      case Kind::object:
        if (const Shape* shape = facts.shape(type.name)) {
          if (type.name == "x:Expression" && value["else"].string_or("").empty() &&
              value["match"].size() == 0)
            break;
          object(*shape, value, depth + 1);
        }
        break;
      case Kind::object_list: {
        min_items(type, property, value);
        const Shape* shape = facts.shape(type.name);
        if (shape == nullptr) break;
        for (const auto& [position, item] : value.members()) object(*shape, item, depth + 1);
        break;
      }
      case Kind::set:
        min_items(type, property, value);
        break;
      case Kind::map:
        for (const auto& [key, item] : value.members())
          if (type.member) check(*type.member, property, item, depth + 1);
        break;
      default:
        break;
    }
  }
  void check_number(const FieldType& type, const std::string& property, const ir::Value& value) {
    const double number = value.number_or(0);
    if (type.format == "duration" && number == 0)
      errors.push_back(
          ir::Value::map({{"type", "Invalid"}, {"property", property}, {"value", "0"}}));
    if (type.min && number < *type.min)
      errors.push_back(ir::Value::map(
          {{"type", "MinValue"}, {"property", property}, {"required", whole_number(*type.min)}}));
    if (type.max && number > *type.max)
      errors.push_back(ir::Value::map(
          {{"type", "MaxValue"}, {"property", property}, {"required", whole_number(*type.max)}}));
  }
  void min_items(const FieldType& type, const std::string& property, const ir::Value& value) {
    if (type.min_items && value.size() < *type.min_items)
      errors.push_back(ir::Value::map({{"type", "MinLength"},
                                       {"property", property},
                                       {"required", static_cast<std::int64_t>(*type.min_items)}}));
  }
  void object(const Shape& shape, const ir::Value& value, int depth) {
    const Struct* members = members_of(shape, value);
    if (members == nullptr) return;
    for (const Field& field : members->fields)
      if (field.update != Field::Update::server_set)
        check(field.type, field.name, value[field.name], depth);
  }
};

using Visit =
    std::function<void(const FieldType& type, const std::string& property, ir::Value& value)>;

// Visits every value of a scalar or set type, and every expression as a whole.
void walk(const SchemaFacts& facts, const Shape& shape, ir::Value& object, const Visit& visit,
          int depth);

void walk_value(const SchemaFacts& facts, const FieldType& type, const std::string& property,
                ir::Value& value, const Visit& visit, int depth) {
  if (depth > kDepthMax || value.is_null()) return;
  if (type.kind == Kind::object || type.kind == Kind::object_list) {
    if (type.name == "x:Expression" && type.kind == Kind::object) visit(type, property, value);
    const Shape* shape = facts.shape(type.name);
    if (shape == nullptr || !value.is_map()) return;
    if (type.kind == Kind::object) return walk(facts, *shape, value, visit, depth + 1);
    for (auto& [position, item] : value.as_map()) walk(facts, *shape, item, visit, depth + 1);
    return;
  }
  visit(type, property, value);
  if (type.kind == Kind::map && type.member && value.is_map())
    for (auto& [key, item] : value.as_map())
      walk_value(facts, *type.member, property, item, visit, depth + 1);
}

void walk(const SchemaFacts& facts, const Shape& shape, ir::Value& object, const Visit& visit,
          int depth) {
  const Struct* members = members_of(shape, object);
  if (members == nullptr || !object.is_map()) return;
  for (const Field& field : members->fields)
    if (ir::Value* value = object.as_map().find(field.name))
      walk_value(facts, field.type, field.name, *value, visit, depth);
}

}  // namespace

ir::Value validate_object(const SchemaFacts& facts, const Shape& shape, const ir::Value& object) {
  Validation validation{facts};
  validation.object(shape, object, 0);
  return std::move(validation.errors);
}

std::vector<Reference> references_of(const SchemaFacts& facts, const Shape& shape,
                                     const ir::Value& object) {
  std::vector<Reference> out;
  ir::Value copy = object;
  walk(
      facts, shape, copy,
      [&out](const FieldType& type, const std::string&, ir::Value& value) {
        if (type.kind == Kind::object_id && value.is_string() && value.string_or("") != kNoId)
          out.push_back({type.name, std::string(value.string_or(""))});
        if (type.kind == Kind::set && type.member->kind == Kind::object_id)
          for (const auto& [member, is_in] : value.members())
            out.push_back({type.member->name, member});
        if (type.kind == Kind::map && type.key->kind == Kind::object_id)
          for (const auto& [key, item] : value.members()) out.push_back({type.key->name, key});
      },
      0);
  return out;
}

ir::Value masked(const SchemaFacts& facts, const Shape& shape, const ir::Value& object) {
  ir::Value copy = object;
  walk(
      facts, shape, copy,
      [](const FieldType& type, const std::string& property, ir::Value& value) {
        const bool is_secret =
            type.kind == Kind::string &&
            (type.format == "secret" || type.format == "secretText" || property == "otpAuth");
        if (is_secret && value.is_string() && !value.string_or("").empty()) value = "****";
      },
      0);
  return copy;
}

void for_each_expression(const SchemaFacts& facts, const Shape& shape, const ir::Value& object,
                         const std::function<void(const std::string&, const ir::Value&)>& visit) {
  ir::Value copy = object;
  walk(
      facts, shape, copy,
      [&visit](const FieldType& type, const std::string& property, ir::Value& value) {
        if (type.kind == Kind::object && type.name == "x:Expression") visit(property, value);
      },
      0);
}

}  // namespace plan::rehearsal
