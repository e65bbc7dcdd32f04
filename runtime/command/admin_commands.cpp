#include <fmt/format.h>

#include <algorithm>

#include "compiler/ir/json.h"
#include "compiler/schema/required.h"
#include "compiler/source/text.h"
#include "runtime/command/commands.h"
#include "runtime/command/console.h"
#include "runtime/command/errors.h"
#include "runtime/command/project.h"
#include "runtime/command/session.h"

namespace plan::command {
namespace {

constexpr std::size_t kWordsMax = 20;
constexpr std::size_t kInnerTypesMax = 24;

std::string word_of(schema::Update update) {
  switch (update) {
    case schema::Update::can_change:
      return "";
    case schema::Update::immutable:
      return "fixed at creation";
    case schema::Update::server_set:
      return "set by the server";
  }
  return "";
}

/// The words of an enumeration, of a property or of what a set or a map of them holds; empty: it is
/// none.
const std::vector<std::string>& words_of(const schema::Type& type, const schema::Schema& schema) {
  static const std::vector<std::string> kNone;
  const bool holds_others =
      type.kind == schema::TypeKind::set || type.kind == schema::TypeKind::map;
  if (holds_others && type.value) return words_of(*type.value, schema);
  const schema::EnumType* values =
      type.kind == schema::TypeKind::enumeration ? schema.enumeration(type.reference) : nullptr;
  return values == nullptr ? kNone : values->values;
}

/// The words that the keys of a map may be; empty: it is none, or its keys are no enumeration.
const std::vector<std::string>& key_words_of(const schema::Type& type,
                                             const schema::Schema& schema) {
  static const std::vector<std::string> kNone;
  return type.kind == schema::TypeKind::map && type.key ? words_of(*type.key, schema) : kNone;
}

ir::List texts_of(const std::vector<std::string>& words) {
  ir::List list;
  for (const std::string& word : words) list.emplace_back(word);
  return list;
}

std::string list_of(const std::vector<std::string>& words) {
  const std::size_t shown = std::min(words.size(), kWordsMax);
  std::string list = fmt::format(
      "{}", fmt::join(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(shown), ", "));
  if (shown < words.size())
    list += fmt::format(" and {} more (--format json has all)", words.size() - shown);
  return list;
}

class Description {
 public:
  explicit Description(const schema::Schema& schema) : schema_(schema), required_(schema) {}

  /// The type, and behind it the types that exist only inside it.
  std::string of(const schema::ObjectType& type) {
    out_ = fmt::format("{} ({}{})\n", type.name, to_string(type.kind),
                       type.is_enterprise ? ", needs a licence" : "");
    const schema::Schema::NaturalKey key = schema::Schema::natural_key(type.name);
    if (!key.properties.empty()) {
      out_ +=
          fmt::format("  identified by {}{}\n", fmt::join(key.properties, ", "),
                      key.is_checked_by_server ? "" : " (the server itself would take duplicates)");
    }
    known_ = {&type};
    add_variants(type);
    for (std::size_t i = 1; i < known_.size(); ++i) {
      out_ += fmt::format("\n{} (inside others)\n", known_[i]->name);
      add_variants(*known_[i]);
    }
    if (are_more_)
      out_ += "\nMore types stand inside these: plan admin describe shows each by its name.\n";
    return std::move(out_);
  }

 private:
  void add_variants(const schema::ObjectType& type) {
    for (const schema::Variant& variant : type.variants) {
      if (!variant.name.empty()) out_ += fmt::format("  @type {}\n", variant.name);
      if (variant.fields == nullptr) continue;
      for (const schema::Property& property : variant.fields->properties()) add(property);
    }
  }

  void add(const schema::Property& property) {
    std::vector<std::string> remarks;
    if (required_.is_required(property, 0)) remarks.emplace_back("has to be given");
    if (std::string word = word_of(property.update); !word.empty()) remarks.push_back(word);
    if (property.default_value)
      remarks.push_back("default " + printable(ir::write_json(*property.default_value), 80));
    if (property.is_enterprise) remarks.emplace_back("needs a licence");
    std::string line = fmt::format("    {:<32} {:<36} {}", property.name, property.type.notation(),
                                   fmt::join(remarks, "; "));
    line.erase(line.find_last_not_of(' ') + 1);
    out_ += line + "\n";
    const bool is_map = property.type.kind == schema::TypeKind::map;
    if (const auto& keys = key_words_of(property.type, schema_); !keys.empty())
      out_ += fmt::format("      keys: one of {}\n", list_of(keys));
    if (const auto& words = words_of(property.type, schema_); !words.empty())
      out_ += fmt::format("      {}one of {}\n", is_map ? "values: " : "", list_of(words));
    const schema::Type& held = property.type.kind == schema::TypeKind::map && property.type.value
                                   ? *property.type.value
                                   : property.type;
    const bool is_inner =
        held.kind == schema::TypeKind::object || held.kind == schema::TypeKind::object_list;
    const schema::ObjectType* inner = is_inner ? schema_.resolved(held.reference) : nullptr;
    if (inner == nullptr || inner->kind != schema::ObjectKind::embedded ||
        std::find(known_.begin(), known_.end(), inner) != known_.end())
      return;
    if (known_.size() < kInnerTypesMax)
      known_.push_back(inner);
    else
      are_more_ = true;
  }

  const schema::Schema& schema_;
  schema::RequiredProperties required_;
  std::string out_;
  std::vector<const schema::ObjectType*> known_;
  bool are_more_ = false;
};

ir::Value document_of(const schema::ObjectType& type, const schema::Schema& schema) {
  schema::RequiredProperties required(schema);
  const schema::Schema::NaturalKey key = schema::Schema::natural_key(type.name);
  ir::List identified;
  for (const std::string_view property : key.properties) identified.emplace_back(property);
  ir::List variants;
  for (const schema::Variant& variant : type.variants) {
    ir::List properties;
    if (variant.fields != nullptr) {
      for (const schema::Property& property : variant.fields->properties()) {
        properties.push_back(ir::Value::map(
            {{"name", property.name},
             {"type", property.type.notation()},
             {"required", required.is_required(property, 0)},
             {"keys", texts_of(key_words_of(property.type, schema))},
             {"values", texts_of(words_of(property.type, schema))},
             {"update", word_of(property.update)},
             {"default", property.default_value ? *property.default_value : ir::Value()},
             {"needs_licence", property.is_enterprise}}));
      }
    }
    variants.push_back(
        ir::Value::map({{"@type", variant.name}, {"properties", std::move(properties)}}));
  }
  return ir::Value::map({{"format", 1},
                         {"type", type.name},
                         {"kind", to_string(type.kind)},
                         {"needs_licence", type.is_enterprise},
                         {"identified_by", std::move(identified)},
                         {"variants", std::move(variants)}});
}

/// The types that a step can write, or that have one object: those inside others are shown with
/// them.
ExitCode list_types(const schema::Schema& schema, const std::string& format) {
  std::vector<std::pair<std::string, const schema::ObjectType*>> types;
  for (const schema::ObjectType& type : schema.objects()) {
    if (type.kind != schema::ObjectKind::collection && type.kind != schema::ObjectKind::singleton)
      continue;
    std::string name = type.name.starts_with("x:") ? type.name.substr(2) : type.name;
    if (schema.object(name) == &type) types.emplace_back(std::move(name), &type);
  }
  std::sort(types.begin(), types.end());
  if (format == "json") {
    ir::List list;
    for (const auto& [name, type] : types)
      list.push_back(ir::Value::map({{"type", name},
                                     {"kind", to_string(type->kind)},
                                     {"needs_licence", type->is_enterprise}}));
    print_document(ir::Value::map({{"format", 1}, {"types", std::move(list)}}), format);
    return ExitCode::done;
  }
  std::string text;
  for (const auto& [name, type] : types) {
    text += fmt::format("{:<32} {}{}\n", name, to_string(type->kind),
                        type->is_enterprise ? ", needs a licence" : "");
  }
  print_result(text);
  return ExitCode::done;
}

Error no_schema(const ProjectFolder& folder) {
  return Error(errors::not_fetched,
               fmt::format("{} has no schema document of the target", folder.schema_directory));
}

}  // namespace

ExitCode run_admin_describe(const Invocation& invocation) {
  const std::string format = invocation.value("--format");
  auto project = load_project(invocation.value("--plan"), {}, {.needs_schema = true});
  if (!project) return print_error(project.error(), format);
  if (!project->schema) return print_error(no_schema(project->folder), format);
  const std::string name = invocation.value("type");
  if (name.empty()) return list_types(*project->schema, format);
  const schema::ObjectType* type = project->schema->resolved(name);
  if (const schema::EnumType* values = project->schema->enumeration(name);
      type == nullptr && values != nullptr) {
    print_document(
        ir::Value::map({{"format", 1}, {"type", name}, {"values", texts_of(values->values)}}),
        format);
    return ExitCode::done;
  }
  if (type == nullptr) {
    const std::string near(project->schema->nearest_object(name));
    return print_error(
        Error(errors::nothing_of_that_name,
              fmt::format("the target's schema has no type `{}`{}", printable(name),
                          near.empty() ? "" : fmt::format("; did you mean `{}`?", near))),
        format);
  }
  if (format == "json") {
    print_document(document_of(*type, *project->schema), format);
  } else {
    print_result(Description(*project->schema).of(*type));
  }
  return ExitCode::done;
}

ExitCode run_admin_get(const Invocation& invocation) {
  ExitCode exit_code = ExitCode::done;
  const std::string format = invocation.value("--format");
  const auto project =
      load_sound_project(invocation.value("--plan"), format, &exit_code, {.needs_schema = true});
  if (!project) return exit_code;
  if (!project->schema) return print_error(no_schema(project->folder), format);
  std::string name = invocation.value("type");
  const schema::ObjectType* type = project->schema->resolved(name);
  if (type == nullptr) {
    return print_error(Error(errors::nothing_of_that_name,
                             fmt::format("the target's schema has no type `{}`", printable(name))),
                       format);
  }
  Session session(project->folder, project->compiled.plan->connections);
  auto objects = session.read_objects(type->name, type->kind == schema::ObjectKind::singleton);
  if (!objects) return print_error(objects.error(), format);
  print_document(*objects, format);
  return ExitCode::done;
}

}  // namespace plan::command
