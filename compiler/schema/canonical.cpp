// What the server makes of a value: normalised texts, defaults filled in, patches merged
// (reference/stalwart-admin.md 1.5, 1.7, 2.1, 2.2).
#include <algorithm>
#include <map>

#include <fmt/format.h>

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

/// Patches one stored object, key by key.
class Patcher {
 public:
  Patcher(const Schema& schema, Completer& completer) : schema_(schema), completer_(completer) {}

  /// False: the key leads nowhere in what is stored.
  bool apply(const ObjectType& object, ir::Value& stored, const std::vector<std::string>& path,
             std::size_t at, const ir::Value& value) {
    if (at > kValueDepthMax || !stored.is_map()) return false;
    const Struct* fields = object.fields(stored["@type"].string_or(""));
    const Property* property = fields == nullptr ? nullptr : fields->find(path[at]);
    if (property == nullptr) return false;
    if (at + 1 == path.size()) {
      const ir::Value* old = stored.members().find(path[at]);
      stored.set(path[at], merged(*property, old == nullptr ? ir::Value() : *old, value));
      return true;
    }
    ir::Value* inner = stored.as_map().find(path[at]);
    return inner != nullptr && into(property->type, *inner, path, at + 1, value);
  }

 private:
  ir::Value merged(const Property& property, const ir::Value& old, const ir::Value& value) {
    const Type& type = property.type;
    if (type.kind == TypeKind::object && value.is_map()) {
      const ObjectType* object = schema_.resolved(type.reference);
      if (object != nullptr && !object->is_multiple && old.is_map())
        return merge_struct(*object, old, value, 0);
    }
    return completer_.complete(property, &value, 0);
  }

  /// A single struct inside an object: members not named keep their value.
  ir::Value merge_struct(const ObjectType& object, const ir::Value& old, const ir::Value& value,
                         int depth) {
    ir::Value out = old;
    const Struct* fields = object.fields();
    if (fields == nullptr || depth > static_cast<int>(kValueDepthMax)) return out;
    for (const auto& [name, member] : value.members()) {
      if (const Property* property = fields->find(name))
        out.set(name, merged(*property, old[name], member));
    }
    return out;
  }

  bool into(const Type& type, ir::Value& stored, const std::vector<std::string>& path,
            std::size_t at, const ir::Value& value) {
    if (at > kValueDepthMax) return false;
    const bool is_last = at + 1 == path.size();
    switch (type.kind) {
      case TypeKind::object: {
        const ObjectType* object = schema_.resolved(type.reference);
        return object != nullptr && apply(*object, stored, path, at, value);
      }
      case TypeKind::object_list: {
        const ObjectType* object = schema_.resolved(type.reference);
        const auto index = index_of(path[at]);
        if (object == nullptr || !index || !stored.is_map()) return false;
        std::vector<ir::Value> items;
        for (const auto& [key, member] : stored.members()) items.push_back(member);
        if (!is_last) {
          return *index < items.size() &&
                 apply_item(*object, stored, items, *index, path, at + 1, value);
        }
        if (value.is_null()) {
          if (*index >= items.size()) return false;
          items.erase(items.begin() + static_cast<std::ptrdiff_t>(*index));
        } else if (*index < items.size()) {
          items[*index] =
              object->is_multiple
                  ? completer_.complete_object(
                        *object, completer_.canonical_object(*object, value, 0), 0, false)
                  : merge_struct(*object, items[*index], value, 0);
        } else {
          items.push_back(completer_.complete_object(
              *object, completer_.canonical_object(*object, value, 0), 0, false));
        }
        stored = numbered(items);
        return true;
      }
      case TypeKind::set:
        if (!is_last || !stored.is_map()) return false;
        if (value.bool_or(false)) {
          stored.set(path[at], true);
        } else {
          stored.as_map().erase(path[at]);
        }
        return true;
      case TypeKind::map: {
        if (!stored.is_map() || !type.value) return false;
        if (!is_last) {
          ir::Value* inner = stored.as_map().find(path[at]);
          return inner != nullptr && into(*type.value, *inner, path, at + 1, value);
        }
        if (value.is_null()) {
          stored.as_map().erase(path[at]);
        } else {
          Property property;
          property.type = *type.value;
          stored.set(path[at], completer_.complete(property, &value, 0));
        }
        return true;
      }
      default:
        return false;
    }
  }

  bool apply_item(const ObjectType& object, ir::Value& stored, std::vector<ir::Value>& items,
                  std::size_t index, const std::vector<std::string>& path, std::size_t at,
                  const ir::Value& value) {
    if (!apply(object, items[index], path, at, value)) return false;
    stored = numbered(items);
    return true;
  }

  [[nodiscard]] static ir::Value numbered(std::vector<ir::Value>& items) {
    ir::Value out = ir::Value::map();
    for (std::size_t i = 0; i < items.size(); ++i) out.set(std::to_string(i), std::move(items[i]));
    return out;
  }

  const Schema& schema_;
  Completer& completer_;
};

[[nodiscard]] std::vector<std::string> pointer_parts(std::string_view key) {
  if (key.starts_with('/')) key.remove_prefix(1);
  std::vector<std::string> parts;
  for (const std::string_view part : split(key, '/')) {
    std::string text;
    for (std::size_t i = 0; i < part.size(); ++i) {
      if (part[i] == '~' && i + 1 < part.size() && (part[i + 1] == '0' || part[i + 1] == '1')) {
        text += part[++i] == '0' ? '~' : '/';
      } else {
        text += part[i];
      }
    }
    parts.push_back(std::move(text));
  }
  return parts;
}

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

ir::Value default_value(const Schema& schema, const Property& property) {
  return Completer(schema).complete(property, nullptr, 0);
}

Patched apply_patch(const Schema& schema, std::string_view type, const ir::Value& stored,
                    const ir::Value& patch) {
  CheckOptions options;
  options.use = Use::update;
  options.is_plan_value = false;
  // Without `@type` of its own the patch is about the variant that is stored.
  ir::Value checked = patch;
  const ir::Value& stored_tag = stored["@type"];
  if (checked.is_map() && stored_tag.is_string() && !checked.members().contains("@type")) {
    checked.set("@type", stored_tag);
  }
  Patched result;
  const ObjectType* object = schema.resolved(type);
  const ir::Value& tag = patch["@type"];
  const bool is_other_variant =
      object != nullptr && object->is_multiple && tag.is_string() && !(tag == stored_tag);
  if (is_other_variant)
    options.use = Use::create;  // rebuilt in place: even immutable properties are written anew
  result.problems = check_value(schema, type, checked, options);
  std::erase_if(result.problems,
                [](const Problem& problem) { return problem.refusal == Refusal::accepted; });
  result.object = stored;
  if (!result.problems.empty() || object == nullptr) return result;
  if (is_other_variant) {
    result.object = complete_value(schema, type, patch);
    return result;
  }
  Completer completer(schema);
  Patcher patcher(schema, completer);
  ir::Value next = stored;
  for (const auto& [key, value] : patch.members()) {
    if (key == "@type") continue;
    if (patcher.apply(*object, next, pointer_parts(key), 0, value)) continue;
    Problem& problem = result.problems.emplace_back();
    problem.code = ProblemCode::bad_pointer;
    problem.path = key;
    problem.property = key;
    problem.message = fmt::format("`{}` leads nowhere in the stored object", printable(key, 80));
  }
  if (result.problems.empty()) result.object = std::move(next);
  return result;
}

}  // namespace plan::schema
