#include "compiler/editor_schema.h"

#include <fmt/format.h>

#include <algorithm>

namespace plan {
namespace {

/// The type whose properties stand in the block at the cursor: that of the step's `object`, or one
/// inside it. Null: the cursor is in no `match` and no `set`.
const schema::ObjectType* type_at(const EditorCursor& cursor, const schema::Schema& schema) {
  const std::vector<std::string> path = cursor.blocks();
  const auto part = std::find_if(path.begin(), path.end(), [](const std::string& key) {
    return key == "set" || key == "match";
  });
  if (part == path.end() || !cursor.is_module()) return nullptr;
  const schema::ObjectType* type = schema.resolved(cursor.object_of_step());
  for (auto key = part + 1; key != path.end() && type != nullptr; ++key) {
    const schema::ObjectType* inner = nullptr;
    for (const schema::Variant& variant : type->variants) {
      const schema::Property* property =
          variant.fields == nullptr ? nullptr : variant.fields->find(*key);
      if (property != nullptr && inner == nullptr)
        inner = schema.resolved(property->type.reference);
    }
    type = inner;
  }
  return type;
}

/// The names and types of all properties; of a union each variant says which are its own.
std::vector<Completion> properties_of(const schema::ObjectType& type) {
  std::vector<Completion> found;
  for (const schema::Variant& variant : type.variants) {
    if (variant.fields == nullptr) continue;
    for (const schema::Property& property : variant.fields->properties()) {
      const auto known = std::find_if(found.begin(), found.end(), [&](const Completion& one) {
        return one.label == property.name;
      });
      if (known != found.end()) {
        known->detail += ", " + variant.name;
        continue;
      }
      std::string detail = property.type.notation();
      if (property.update == schema::Update::server_set) detail += ", set by the server";
      if (property.update == schema::Update::immutable) detail += ", fixed at creation";
      if (type.is_multiple) detail += fmt::format("; of {}", variant.name);
      found.push_back({property.name, std::move(detail), property.name});
    }
  }
  return found;
}

/// The words that the value of `key` may be.
std::vector<std::string> words_of(const schema::ObjectType& type, std::string_view key,
                                  const schema::Schema& schema) {
  std::vector<std::string> words;
  for (const schema::Variant& variant : type.variants) {
    if (key == "@type") words.push_back(variant.name);
    const schema::Property* property =
        variant.fields == nullptr ? nullptr : variant.fields->find(key);
    if (property == nullptr || !words.empty()) continue;
    const schema::EnumType* values = property->type.kind == schema::TypeKind::enumeration
                                         ? schema.enumeration(property->type.reference)
                                         : nullptr;
    if (values != nullptr) words = values->values;
  }
  return words;
}

void add_words(const EditorCursor& cursor, const std::vector<std::string>& words,
               std::string_view detail, std::vector<Completion>& into) {
  const bool needs_quotes = cursor.is_language() && !cursor.is_quoted();
  for (const std::string& word : words)
    into.push_back({word, std::string(detail), needs_quotes ? "\"" + word + "\"" : word});
}

}  // namespace

bool add_from_schema(const EditorCursor& cursor, const schema::Schema& schema,
                     std::vector<Completion>& into) {
  const std::string key = cursor.key_on_line();
  if (const schema::ObjectType* type = type_at(cursor, schema)) {
    if (key.empty()) {
      for (Completion& property : properties_of(*type)) {
        property.insert += cursor.is_language() ? " = " : ": ";
        into.push_back(std::move(property));
      }
      return true;
    }
    add_words(cursor, words_of(*type, key, schema), "", into);
    return !into.empty();
  }
  if (!cursor.is_module()) return false;
  if (key == "object") {
    for (const schema::ObjectType& type : schema.objects()) {
      if (type.kind != schema::ObjectKind::collection && type.kind != schema::ObjectKind::singleton)
        continue;
      const std::string name = type.name.starts_with("x:") ? type.name.substr(2) : type.name;
      if (schema.object(name) == &type) add_words(cursor, {name}, to_string(type.kind), into);
    }
    return true;
  }
  if (key != "action") return false;
  if (const schema::ObjectType* actions = schema.object("Action")) {
    for (const schema::Variant& action : actions->variants)
      if (action.fields == nullptr) add_words(cursor, {action.name}, "action", into);
  }
  return true;
}

std::optional<std::string> hover_from_schema(const EditorCursor& cursor,
                                             const schema::Schema& schema) {
  const std::string word(cursor.word());
  if (word.empty() || !cursor.is_module()) return std::nullopt;
  if (cursor.key_on_line() == "object") {
    const schema::ObjectType* type = schema.resolved(word);
    if (type == nullptr) return std::nullopt;
    std::string page = fmt::format("`{}` of the target ({})\n", word, to_string(type->kind));
    for (const Completion& property : properties_of(*type))
      page += fmt::format("\n- `{}`: `{}`", property.label, property.detail);
    return page;
  }
  const schema::ObjectType* type = type_at(cursor, schema);
  if (type == nullptr || !cursor.key_on_line().empty()) return std::nullopt;
  for (const Completion& property : properties_of(*type)) {
    if (property.label != word) continue;
    std::string page = fmt::format("`{}`: `{}`", word, property.detail);
    const std::vector<std::string> words = words_of(*type, word, schema);
    if (!words.empty()) page += fmt::format("\n\none of `{}`", fmt::join(words, "`, `"));
    return page;
  }
  return std::nullopt;
}

}  // namespace plan
