#include "compiler/check/misspelt_match.h"

#include <algorithm>
#include <string>

#include "compiler/schema/schema.h"

namespace plan::check {

bool is_misspelt_match(const schema::Schema* schema, std::string_view object,
                       const ir::Value& match) {
  const schema::ObjectType* type = schema == nullptr ? nullptr : schema->resolved(object);
  if (type == nullptr) return false;
  const auto has = [&](const std::string& member) {
    if (member == "@type" || member == "id" || member == "emailAddress") return true;
    const schema::Struct* fields = type->fields(match["@type"].string_or(""));
    if (fields != nullptr && fields->find(member) != nullptr) return true;
    return std::any_of(type->variants.begin(), type->variants.end(),
                       [&](const schema::Variant& variant) {
                         const schema::Struct* of_variant = type->fields(variant.name);
                         return of_variant != nullptr && of_variant->find(member) != nullptr;
                       });
  };
  return std::any_of(match.members().begin(), match.members().end(),
                     [&](const auto& member) { return !has(member.first); });
}

}  // namespace plan::check
