#include "compiler/schema/loader.h"

#include <algorithm>
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "compiler/ir/json.h"
#include "compiler/schema/errors.h"
#include "compiler/schema/limits.h"
#include "compiler/source/text.h"

namespace plan::schema {

Outcome Loader::take_name(std::string_view name) {
  if (name.empty() || name.size() > kNameBytesMax || first_invalid_utf8(name)) {
    return Error(errors::bad_schema, fmt::format("the schema has a name of {} bytes: `{}`",
                                                 name.size(), printable(name, 60)));
  }
  if (++names_ > kNamesMax) {
    return Error(errors::bad_schema,
                 fmt::format("the schema has more than {} names", show_count(kNamesMax)));
  }
  return {};
}

void Loader::warn(std::string text) {
  if (data_->warnings.size() < kWarningsMax) {
    data_->warnings.push_back(printable(text, 400));
  } else {
    ++warnings_left_out_;
  }
}

EnumType& Loader::add_enum(std::string_view name) {
  EnumType& type = data_->enums.emplace_back();
  type.name = std::string(name);
  data_->enums_by_name.emplace(type.name, &type);
  return type;
}

void Loader::add_value(EnumType& type, std::string_view value) {
  if (type.by_value.emplace(std::string(value), type.values.size()).second) {
    type.values.emplace_back(value);
  }
}

Struct& Loader::add_struct(std::string_view name) {
  Struct& structure = data_->structs.emplace_back();
  structure.name = std::string(name);
  data_->structs_by_name.emplace(structure.name, &structure);
  return structure;
}

ObjectType& Loader::add_object(std::string_view name) {
  ObjectType& object = data_->objects.emplace_back();
  object.name = std::string(name);
  data_->objects_by_name.emplace(object.name, &object);
  mutable_objects_.emplace(object.name, &object);
  return object;
}

Struct* Loader::find_struct(std::string_view name) {
  const auto found = data_->structs_by_name.find(std::string(name));
  return found == data_->structs_by_name.end() ? nullptr : found->second;
}

ObjectType* Loader::find_object(std::string_view name) {
  const auto found = mutable_objects_.find(std::string(name));
  return found == mutable_objects_.end() ? nullptr : found->second;
}

void Loader::warn_about_references(const std::string& owner, const Type& type) {
  switch (type.kind) {
    case TypeKind::enumeration:
      if (!data_->enums_by_name.contains(type.reference)) {
        warn(fmt::format("{}: enum `{}` is not in the document; any text is taken for it", owner,
                         type.reference));
      }
      break;
    case TypeKind::object:
    case TypeKind::object_list:
    case TypeKind::object_id:
      if (!data_->objects_by_name.contains(type.reference)) {
        warn(fmt::format("{}: type `{}` is not in the document", owner, type.reference));
      }
      break;
    default:
      break;
  }
  if (type.key) warn_about_references(owner, *type.key);
  if (type.value) warn_about_references(owner, *type.value);
}

Schema Loader::finish() {
  for (const Struct& structure : data_->structs) {
    for (const Property& property : structure.properties()) {
      // The standard type Principal names an enum that no document of 0.16 contains: known,
      // harmless, not ours.
      if (structure.name == "Principal") continue;
      warn_about_references(structure.name + "." + property.name, property.type);
    }
  }
  if (warnings_left_out_ > 0) {
    data_->warnings.push_back(fmt::format("and {} more", warnings_left_out_));
  }
  return Schema(data_);
}

void Loader::translate_defaults(Schema& schema) {
  auto data = std::const_pointer_cast<Schema::Data>(schema.data_);
  for (Struct& structure : data->structs) {
    for (Property& property : structure.properties_) {
      if (!property.default_value) continue;
      property.default_value = wire_default(schema, property.type, *property.default_value);
    }
  }
}

Validator hidden_validator(std::string_view structure, std::string_view property) {
  struct Hidden {
    std::string_view structure;
    std::string_view property;
    Validator validator;
  };
  static constexpr std::array kHidden = {
      Hidden{"x:Domain", "name", Validator::domain},
      // Not the server's: it keeps members of sets as they are, and never finds those of another
      // form.
      Hidden{"x:Domain", "aliases", Validator::domain},
      Hidden{"x:ReportSettings", "outboundReportDomain", Validator::domain},
      Hidden{"x:UserAccount", "name", Validator::local_part},
      Hidden{"x:GroupAccount", "name", Validator::local_part},
      Hidden{"x:MailingList", "name", Validator::local_part},
      Hidden{"x:EmailAlias", "name", Validator::local_part},
      Hidden{"x:SystemSettings", "defaultHostname", Validator::hostname},
      Hidden{"x:MailExchanger", "hostname", Validator::hostname},
      Hidden{"x:Service", "hostname", Validator::hostname},
      Hidden{"x:MtaConnectionStrategy", "ehloHostname", Validator::hostname},
      Hidden{"x:MtaConnectionIpHost", "ehloHostname", Validator::hostname},
  };
  for (const Hidden& hidden : kHidden) {
    if (hidden.structure == structure && hidden.property == property) return hidden.validator;
  }
  return Validator::none;
}

std::optional<std::int64_t> duration_ms(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number < 0 || number > 1'000'000'000'000) return std::nullopt;
  const std::string_view unit(end, static_cast<std::size_t>(text.data() + text.size() - end));
  if (unit == "ms") return number;
  if (unit == "s") return number * 1000;
  if (unit == "m") return number * 60'000;
  if (unit == "h") return number * 3'600'000;
  if (unit == "d") return number * 86'400'000;
  return std::nullopt;
}

ir::Value wire_default(const Schema& schema, const Type& type, const ir::Value& shown, int depth) {
  if (depth > static_cast<int>(kValueDepthMax)) return shown;
  switch (type.kind) {
    case TypeKind::number:
      if (shown.is_string()) {
        if (const auto ms = duration_ms(shown.as_string())) return *ms;
      }
      if (type.number_format == NumberFormat::floating && shown.is_integer()) {
        return static_cast<double>(shown.as_integer());
      }
      return shown;
    case TypeKind::object: {
      if (!shown.is_map()) return shown;
      if (type.reference == "x:Expression" && shown.as_map().contains("default")) {
        return ir::Value::map({{"match", ir::Value::map()}, {"else", shown["default"]}});
      }
      const ObjectType* object = schema.resolved(type.reference);
      const Struct* fields =
          object == nullptr ? nullptr : object->fields(shown["@type"].string_or(""));
      if (fields == nullptr) return shown;
      ir::Value wire = ir::Value::map();
      for (const auto& [name, value] : shown.members()) {
        const Property* property = fields->find(name);
        wire.set(name, property == nullptr
                           ? value
                           : wire_default(schema, property->type, value, depth + 1));
      }
      if (type.reference == "x:Expression" && !wire["match"].is_map()) {
        wire.set("match", ir::Value::map());
      }
      return wire;
    }
    case TypeKind::object_list: {
      Type element = type;
      element.kind = TypeKind::object;
      ir::Value wire = ir::Value::map();
      std::size_t next = 0;
      if (shown.is_list()) {
        for (const ir::Value& item : shown.items()) {
          wire.set(std::to_string(next++), wire_default(schema, element, item, depth + 1));
        }
        return wire;
      }
      for (const auto& [key, value] : shown.members()) {
        wire.set(key, wire_default(schema, element, value, depth + 1));
      }
      return wire;
    }
    case TypeKind::map: {
      if (!shown.is_map() || !type.value) return shown;
      ir::Value wire = ir::Value::map();
      for (const auto& [key, value] : shown.members()) {
        wire.set(key, wire_default(schema, *type.value, value, depth + 1));
      }
      return wire;
    }
    case TypeKind::set: {
      if (!shown.is_list()) return shown;
      ir::Value wire = ir::Value::map();
      for (const ir::Value& item : shown.items()) {
        wire.set(std::string(item.string_or("")), true);
      }
      return wire;
    }
    default:
      return shown;
  }
}

const ObjectType* Schema::object(std::string_view name) const {
  const auto exact = data_->objects_by_name.find(std::string(name));
  if (exact != data_->objects_by_name.end()) return exact->second;
  const auto prefixed = data_->objects_by_name.find("x:" + std::string(name));
  return prefixed == data_->objects_by_name.end() ? nullptr : prefixed->second;
}

const ObjectType* Schema::resolved(std::string_view name) const {
  const ObjectType* found = object(name);
  // A view of a view does not occur; a hostile one must not make us walk in a circle.
  if (found != nullptr && found->kind == ObjectKind::view) {
    found = object(found->view_of);
    if (found != nullptr && found->kind == ObjectKind::view) return nullptr;
  }
  return found;
}

const EnumType* Schema::enumeration(std::string_view name) const {
  const auto found = data_->enums_by_name.find(std::string(name));
  return found == data_->enums_by_name.end() ? nullptr : found->second;
}

const Struct* Schema::structure(std::string_view name) const {
  const auto found = data_->structs_by_name.find(std::string(name));
  return found == data_->structs_by_name.end() ? nullptr : found->second;
}

std::string Schema::nearest_object(std::string_view word) const {
  std::vector<std::string_view> names;
  for (const ObjectType& object : data_->objects) {
    if (object.kind != ObjectKind::collection && object.kind != ObjectKind::singleton) continue;
    std::string_view name = object.name;
    if (name.starts_with("x:") && !word.starts_with("x:")) name.remove_prefix(2);
    names.push_back(name);
  }
  return std::string(nearest(word, names).value_or(""));
}

ir::Sha256 Schema::facts_digest() const {
  std::vector<std::string> lines;
  for (const ObjectType& object : data_->objects) {
    std::string line = fmt::format(
        "object {} {} {} {} {} {} {}", object.name, to_string(object.kind), object.is_enterprise,
        object.permission_prefix, object.view_of, object.view_variant, object.label_property);
    for (const Variant& variant : object.variants) {
      line += fmt::format(" {}={}", variant.name,
                          variant.fields == nullptr ? "" : variant.fields->name);
    }
    lines.push_back(std::move(line));
  }
  for (const Struct& structure : data_->structs) {
    for (const Property& property : structure.properties()) {
      lines.push_back(fmt::format(
          "property {}.{} {} {} {} {}", structure.name, property.name, property.type.notation(),
          static_cast<int>(property.update), property.is_enterprise,
          property.default_value ? ir::canonical_json(*property.default_value) : ""));
    }
  }
  for (const EnumType& type : data_->enums) {
    std::string line = "enum " + type.name;
    for (const std::string& value : type.values) line += " " + value;
    lines.push_back(std::move(line));
  }
  std::sort(lines.begin(), lines.end());
  ir::Sha256Stream digest;
  for (const std::string& line : lines) {
    digest.update(line);
    digest.update("\n");
  }
  return digest.finish();
}

Schema::NaturalKey Schema::natural_key(std::string_view object) {
  if (object.starts_with("x:")) object.remove_prefix(2);
  struct Entry {
    std::string_view object;
    NaturalKey key;
  };
  // reference/stalwart-admin.md 5.1: first what the server keeps unique, then what we choose.
  static const std::vector<Entry> kKeys = {
      {"Domain", {{"name"}, true}},
      {"Account", {{"name", "domainId"}, true}},
      {"MailingList", {{"name", "domainId"}, true}},
      {"AllowedIp", {{"address"}, true}},
      {"BlockedIp", {{"address"}, true}},
      {"MtaRoute", {{"name"}, true}},
      {"MtaConnectionStrategy", {{"name"}, true}},
      {"MtaTlsStrategy", {{"name"}, true}},
      {"MtaVirtualQueue", {{"name"}, true}},
      {"MtaDeliverySchedule", {{"name"}, true}},
      {"NetworkListener", {{"name"}, true}},
      {"ClusterRole", {{"name"}, true}},
      {"SieveSystemScript", {{"name"}, true}},
      {"SieveUserScript", {{"name"}, true}},
      {"SpamRule", {{"name"}, true}},
      {"SpamDnsblServer", {{"name"}, true}},
      {"OAuthClient", {{"clientId"}, true}},
      {"MemoryLookupKey", {{"namespace", "key"}, true}},
      {"MemoryLookupKeyValue", {{"namespace", "key"}, true}},
      {"StoreLookup", {{"namespace"}, true}},
      {"HttpLookup", {{"namespace"}, true}},
      {"EventTracingLevel", {{"event"}, true}},
      {"SpamTag", {{"tag"}, true}},
      {"SpamFileExtension", {{"extension"}, true}},
      {"Tenant", {{"name"}, false}},
      {"Role", {{"description", "memberTenantId"}, false}},
      {"DkimSignature", {{"@type", "domainId", "selector"}, false}},
      {"Directory", {{"description"}, false}},
      {"DnsServer", {{"description"}, false}},
      {"MtaMilter", {{"hostname", "port"}, false}},
      {"MtaInboundThrottle", {{"description"}, false}},
      {"MtaOutboundThrottle", {{"description"}, false}},
      {"MtaQueueQuota", {{"description"}, false}},
  };
  for (const Entry& entry : kKeys) {
    if (entry.object == object) return entry.key;
  }
  return {};
}

}  // namespace plan::schema
