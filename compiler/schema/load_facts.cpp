// Reads the facts-only layout that scripts/schema-facts.py writes (docs/formats/schema-facts.md):
//   {"planSchemaFacts": 1, "version": "0.16.15",
//    "objects": {"x:Domain": {"kind": "collection", "permission": "sysDomain", "label": "name",
//    "struct": "x:Domain"},
//                "x:MtaRoute": {..., "variants": [["Mx", "x:MtaRouteMx"], ["Marker", null]]},
//                "x:Account/User": {"kind": "view", "of": "x:Account", "variant": "User"}},
//    "structs": {"x:Domain": [{"name": "string:string", "createdAt": "server-set date"},
//    {"isEnabled": true}]}, "enums": {"Locale": ["de_DE", "en_US"]}}
// A type is written as Type::notation() does, after the words `immutable`, `server-set`,
// `enterprise`.
#include <array>
#include <charconv>

#include <fmt/format.h>

#include "compiler/ir/json.h"
#include "compiler/schema/errors.h"
#include "compiler/schema/limits.h"
#include "compiler/schema/loader.h"
#include "compiler/source/text.h"

namespace plan::schema {
namespace {

/// One pass over a type's notation. `is_good` falls and stays false at the first thing that does
/// not fit.
class NotationReader {
 public:
  explicit NotationReader(std::string_view text) : rest_(text) {}

  [[nodiscard]] Type read(int depth = 0) {
    Type type;
    if (depth > 8) {
      is_good_ = false;
      return type;
    }
    const std::string_view word = take_word();
    static constexpr std::array kKinds = {
        TypeKind::string,      TypeKind::number,  TypeKind::boolean,   TypeKind::enumeration,
        TypeKind::date,        TypeKind::blob_id, TypeKind::object_id, TypeKind::object,
        TypeKind::object_list, TypeKind::set,     TypeKind::map,       TypeKind::unknown};
    bool is_known = false;
    for (const TypeKind kind : kKinds) {
      if (to_string(kind) == word) {
        type.kind = kind;
        is_known = true;
      }
    }
    is_good_ = is_good_ && is_known;
    switch (type.kind) {
      case TypeKind::string:
        type.string_format = take_string_format();
        break;
      case TypeKind::number:
        type.number_format = take_number_format();
        break;
      case TypeKind::enumeration:
      case TypeKind::object_id:
      case TypeKind::object:
      case TypeKind::object_list:
        take(':');
        type.reference = std::string(take_reference());
        break;
      case TypeKind::set:
        take('(');
        type.value = std::make_shared<Type>(read(depth + 1));
        take(')');
        break;
      case TypeKind::map:
        take('(');
        type.key = std::make_shared<Type>(read(depth + 1));
        take(',');
        type.value = std::make_shared<Type>(read(depth + 1));
        take(')');
        break;
      case TypeKind::boolean:
      case TypeKind::date:
      case TypeKind::blob_id:
      case TypeKind::unknown:
        break;
    }
    type.is_nullable = skip('?');
    if (skip('[')) {
      type.minimum = take_number();
      take('.');
      take('.');
      type.maximum = take_number();
      take(']');
    }
    if (skip('{')) {
      const auto low = take_number();
      take('.');
      take('.');
      const auto high = take_number();
      take('}');
      const auto count = [](const std::optional<double>& number) -> std::optional<std::uint64_t> {
        if (!number || *number < 0 || *number > 1e15) return std::nullopt;
        return static_cast<std::uint64_t>(*number);
      };
      (type.kind == TypeKind::string ? type.length_min : type.items_min) = count(low);
      (type.kind == TypeKind::string ? type.length_max : type.items_max) = count(high);
    }
    if (depth == 0) is_good_ = is_good_ && rest_.empty();
    return type;
  }

  [[nodiscard]] bool is_good() const { return is_good_; }

 private:
  [[nodiscard]] bool skip(char c) {
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  void take(char c) { is_good_ = skip(c) && is_good_; }
  std::string_view take_word() {
    std::size_t size = 0;
    while (size < rest_.size() && ((rest_[size] >= 'a' && rest_[size] <= 'z') ||
                                   (rest_[size] >= 'A' && rest_[size] <= 'Z'))) {
      ++size;
    }
    const std::string_view word = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return word;
  }
  std::string_view take_reference() {
    const std::size_t size = std::min(rest_.find_first_of("?[{,)"), rest_.size());
    const std::string_view name = rest_.substr(0, size);
    is_good_ = is_good_ && !name.empty();
    rest_.remove_prefix(size);
    return name;
  }
  StringFormat take_string_format() {
    take(':');
    const std::string_view word = take_word();
    for (int i = 0; i < static_cast<int>(StringFormat::other); ++i) {
      if (to_string(static_cast<StringFormat>(i)) == word) return static_cast<StringFormat>(i);
    }
    is_good_ = is_good_ && word == "other";
    return StringFormat::other;
  }
  NumberFormat take_number_format() {
    take(':');
    const std::string_view word = take_word();
    for (int i = 0; i < static_cast<int>(NumberFormat::other); ++i) {
      if (to_string(static_cast<NumberFormat>(i)) == word) return static_cast<NumberFormat>(i);
    }
    is_good_ = is_good_ && word == "other";
    return NumberFormat::other;
  }
  [[nodiscard]] std::optional<double> take_number() {
    // `1..5`: a point that is followed by another one is the range's, not the number's.
    std::size_t size = 0;
    while (size < rest_.size() && rest_[size] != ']' && rest_[size] != '}' &&
           rest_.substr(size, 2) != "..") {
      ++size;
    }
    if (size == 0) return std::nullopt;
    double number = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + size, number);
    is_good_ = is_good_ && error == std::errc{} && end == rest_.data() + size;
    rest_.remove_prefix(size);
    return number;
  }

  std::string_view rest_;
  bool is_good_ = true;
};

class FactsReader {
 public:
  [[nodiscard]] Result<Schema> read(const ir::Value& document) {
    if (document["planSchemaFacts"].integer_or(0) != 1) {
      return Error(errors::bad_schema,
                   "the schema facts are of a format that this plan does not know, it knows 1");
    }
    for (const char* part : {"objects", "structs", "enums"}) {
      if (!document[part].is_map()) {
        return Error(errors::bad_schema, fmt::format("the schema facts have no `{}`", part));
      }
    }
    loader_.set_version(printable(document["version"].string_or(""), 40));
    for (const auto& [name, values] : document["enums"].members()) {
      PLAN_TRY_VOID(loader_.take_name(name));
      EnumType& type = loader_.add_enum(name);
      for (const ir::Value& value : values.items()) {
        PLAN_TRY_VOID(loader_.take_name(value.string_or("")));
        Loader::add_value(type, value.string_or(""));
      }
    }
    for (const auto& [name, body] : document["structs"].members()) {
      PLAN_TRY_VOID(read_struct(name, body));
    }
    for (const auto& [name, shape] : document["objects"].members()) {
      PLAN_TRY_VOID(read_object(name, shape));
    }
    return loader_.finish();
  }

 private:
  Outcome read_struct(const std::string& name, const ir::Value& body) {
    PLAN_TRY_VOID(loader_.take_name(name));
    Struct& structure = loader_.add_struct(name);
    for (const auto& [property_name, shape] : body.item(0).members()) {
      PLAN_TRY_VOID(loader_.take_name(property_name));
      Property property;
      property.name = property_name;
      property.validator = hidden_validator(name, property_name);
      std::string_view notation = shape.string_or("");
      for (bool has_word = true; has_word;) {
        has_word = false;
        const auto word = [&](std::string_view text) {
          if (!notation.starts_with(text)) return false;
          notation.remove_prefix(text.size());
          has_word = true;
          return true;
        };
        if (word("immutable ")) property.update = Update::immutable;
        if (word("server-set ")) property.update = Update::server_set;
        if (word("enterprise ")) property.is_enterprise = true;
      }
      NotationReader reader(notation);
      property.type = reader.read();
      if (!reader.is_good()) {
        return Error(errors::bad_schema, fmt::format("{}.{} has the type `{}`", name, property_name,
                                                     printable(notation, 80)));
      }
      if (const ir::Value* shown = body.item(1).members().find(property_name)) {
        property.default_value = *shown;
      }
      structure.add(std::move(property));
    }
    return {};
  }

  Outcome read_object(const std::string& name, const ir::Value& shape) {
    PLAN_TRY_VOID(loader_.take_name(name));
    ObjectType& object = loader_.add_object(name);
    const std::string_view kind = shape["kind"].string_or("embedded");
    if (kind == "collection") {
      object.kind = ObjectKind::collection;
    } else if (kind == "singleton") {
      object.kind = ObjectKind::singleton;
    } else if (kind == "view") {
      object.kind = ObjectKind::view;
    } else if (kind != "embedded") {
      return Error(errors::bad_schema, fmt::format("{} is of kind `{}`", name, kind));
    }
    object.is_enterprise = shape["enterprise"].bool_or(false);
    object.permission_prefix = std::string(shape["permission"].string_or(""));
    object.label_property = std::string(shape["label"].string_or(""));
    object.view_of = std::string(shape["of"].string_or(""));
    object.view_variant = std::string(shape["variant"].string_or(""));
    const auto structure_of = [&](const ir::Value& structure) {
      return structure.is_string() ? loader_.find_struct(structure.as_string()) : nullptr;
    };
    if (shape["struct"].is_string()) {
      object.variants.push_back({"", structure_of(shape["struct"])});
    }
    if (shape["variants"].is_list()) {
      object.is_multiple = true;
      for (const ir::Value& variant : shape["variants"].items()) {
        PLAN_TRY_VOID(loader_.take_name(variant.item(0).string_or("")));
        object.variants.push_back(
            {std::string(variant.item(0).string_or("")), structure_of(variant.item(1))});
      }
    }
    return {};
  }

  Loader loader_;
};

}  // namespace

Result<Schema> Schema::load_facts(const ir::Value& document) {
  PLAN_TRY(schema, FactsReader().read(document));
  Loader::translate_defaults(schema);
  return schema;
}

}  // namespace plan::schema
