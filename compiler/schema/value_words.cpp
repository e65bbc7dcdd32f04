#include "compiler/schema/value_words.h"

#include <fmt/format.h>

#include "compiler/schema/check_value.h"
#include "compiler/source/text.h"

namespace plan::schema {

std::string_view to_string(ProblemCode code) {
  switch (code) {
    case ProblemCode::unknown_type:
      return "unknown-type";
    case ProblemCode::unknown_property:
      return "unknown-property";
    case ProblemCode::unknown_variant:
      return "unknown-variant";
    case ProblemCode::missing_variant:
      return "missing-variant";
    case ProblemCode::missing_property:
      return "missing-property";
    case ProblemCode::server_set:
      return "server-set";
    case ProblemCode::immutable:
      return "immutable";
    case ProblemCode::wrong_type:
      return "wrong-type";
    case ProblemCode::not_nullable:
      return "not-nullable";
    case ProblemCode::empty_text:
      return "empty-text";
    case ProblemCode::unknown_enum_value:
      return "unknown-enum-value";
    case ProblemCode::below_minimum:
      return "below-minimum";
    case ProblemCode::above_maximum:
      return "above-maximum";
    case ProblemCode::too_few:
      return "too-few";
    case ProblemCode::too_many:
      return "too-many";
    case ProblemCode::bad_format:
      return "bad-format";
    case ProblemCode::bad_pointer:
      return "bad-pointer";
    case ProblemCode::bad_key:
      return "bad-key";
    case ProblemCode::bad_expression:
      return "bad-expression";
    case ProblemCode::masked_secret:
      return "masked-secret";
    case ProblemCode::too_deep:
      return "too-deep";
  }
  return "unknown-type";
}

std::string shown(const ir::Value& value) {
  switch (value.type()) {
    case ir::Value::Type::null:
      return "null";
    case ir::Value::Type::boolean:
      return value.bool_or(false) ? "true" : "false";
    case ir::Value::Type::integer:
      return std::to_string(value.as_integer());
    case ir::Value::Type::number:
      return fmt::format("{}", value.number_or(0));
    case ir::Value::Type::string:
      return "`" + printable(value.as_string(), 60) + "`";
    case ir::Value::Type::list:
      return "a list";
    case ir::Value::Type::map:
      return "an object";
    case ir::Value::Type::secret:
      return "a secret";
    case ir::Value::Type::output:
      return "an output of another step";
  }
  return "";
}

std::string plain_name(std::string_view name) {
  return std::string(name.starts_with("x:") ? name.substr(2) : name);
}

std::string wanted_words(const Type& wanted) {
  switch (wanted.kind) {
    case TypeKind::string:
      return "a text";
    case TypeKind::number:
      return wanted.number_format == NumberFormat::duration ? "a number of milliseconds"
             : wanted.number_format == NumberFormat::size   ? "a number of bytes"
                                                            : "a number";
    case TypeKind::boolean:
      return "true or false";
    case TypeKind::enumeration:
      return fmt::format("one of the values of {}", wanted.reference);
    case TypeKind::date:
      return "a date such as 2026-01-31T10:00:00Z";
    case TypeKind::blob_id:
      return "the id of a blob";
    case TypeKind::object_id:
      return fmt::format("the id of a {}", plain_name(wanted.reference));
    case TypeKind::object:
      return fmt::format("an object of type {}", plain_name(wanted.reference));
    case TypeKind::object_list:
      return R"(a list as an object, {"0": {…}, "1": {…}})";
    case TypeKind::set:
      return R"(a set as an object, {"member": true})";
    case TypeKind::map:
      return "an object of keys and values";
    case TypeKind::unknown:
      return "something";
  }
  return "something";
}

}  // namespace plan::schema
