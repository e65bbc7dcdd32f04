#include <fmt/format.h>

#include "compiler/ir/json.h"
#include "compiler/source/text.h"
#include "runtime/command/commands.h"
#include "runtime/command/console.h"
#include "runtime/command/errors.h"
#include "runtime/command/project.h"
#include "runtime/command/session.h"

namespace plan::command {
namespace {

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

void describe_fields(std::string& out, const schema::Struct& fields) {
  for (const schema::Property& property : fields.properties()) {
    std::string remarks = word_of(property.update);
    if (property.default_value) {
      remarks += fmt::format("{}default {}", remarks.empty() ? "" : "; ",
                             printable(ir::write_json(*property.default_value), 80));
    }
    if (property.is_enterprise)
      remarks += fmt::format("{}needs a licence", remarks.empty() ? "" : "; ");
    out += fmt::format("    {:<32} {:<36} {}\n", property.name, property.type.notation(), remarks);
  }
}

std::string describe(const schema::ObjectType& type) {
  std::string out = fmt::format("{} ({}{})\n", type.name, to_string(type.kind),
                                type.is_enterprise ? ", needs a licence" : "");
  const schema::Schema::NaturalKey key = schema::Schema::natural_key(type.name);
  if (!key.properties.empty()) {
    out +=
        fmt::format("  identified by {}{}\n", fmt::join(key.properties, ", "),
                    key.is_checked_by_server ? "" : " (the server itself would take duplicates)");
  }
  for (const schema::Variant& variant : type.variants) {
    if (!variant.name.empty()) out += fmt::format("  @type {}\n", variant.name);
    if (variant.fields != nullptr) describe_fields(out, *variant.fields);
  }
  return out;
}

ir::Value document_of(const schema::ObjectType& type) {
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

}  // namespace

ExitCode run_admin_describe(const Invocation& invocation) {
  const std::string format = invocation.value("--format");
  auto project = load_project(invocation.value("--plan"), {}, {.needs_schema = true});
  if (!project) return print_error(project.error(), format);
  if (!project->schema) {
    return print_error(Error(errors::not_fetched, "there is no schema in the cache"), format);
  }
  const std::string name = invocation.value("type");
  const schema::ObjectType* type = project->schema->resolved(name);
  if (type == nullptr) {
    const std::string near(project->schema->nearest_object(name));
    return print_error(
        Error(errors::nothing_of_that_name,
              fmt::format("the target's schema has no type `{}`{}", printable(name),
                          near.empty() ? "" : fmt::format("; did you mean `{}`?", near))),
        format);
  }
  if (format == "json") {
    print_document(document_of(*type), format);
  } else {
    print_result(describe(*type));
  }
  return ExitCode::done;
}

ExitCode run_admin_get(const Invocation& invocation) {
  ExitCode exit_code = ExitCode::done;
  const std::string format = invocation.value("--format");
  const auto project =
      load_sound_project(invocation.value("--plan"), format, &exit_code, {.needs_schema = true});
  if (!project) return exit_code;
  std::string name = invocation.value("type");
  const schema::ObjectType* type = project->schema ? project->schema->resolved(name) : nullptr;
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
