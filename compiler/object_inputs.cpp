#include "compiler/object_inputs.h"

#include <fmt/format.h>

#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "compiler/lower/written_place.h"
#include "compiler/schema/check_value.h"
#include "compiler/source/text.h"
#include "compiler/syntax/value_type.h"
#include "compiler/target_amounts.h"

namespace plan {
namespace {

using syntax::Node;
using syntax::ValueType;

bool has_object(const ValueType& type) {
  return type.is(ValueType::Kind::object) || (!type.of.empty() && has_object(type.of.front()));
}

/// As a step would write it. What an object needs, and which of the variants it is, a step may add.
std::vector<schema::Problem> problems_of(const schema::Schema& schema, const std::string& type,
                                         const ir::Value& given) {
  const ir::Value value =
      with_target_amounts(schema, ir::StepKind::admin_update,
                          ir::Value::map({{"object", type}, {"set", given}}))["set"];
  const schema::ObjectType* const object = schema.object(type);
  schema::CheckOptions options;
  const bool is_of_any_variant =
      object != nullptr && object->is_multiple && value["@type"].is_null();
  if (is_of_any_variant) options.use = schema::Use::update;
  std::vector<schema::Problem> problems = schema::check_value(schema, type, value, options);
  std::erase_if(problems, [&](const schema::Problem& problem) {
    const bool is_of_object = problem.path.find('.') == std::string::npos;
    return (problem.code == schema::ProblemCode::missing_property && is_of_object) ||
           (problem.code == schema::ProblemCode::immutable && is_of_any_variant);
  });
  return problems;
}

class Judge {
 public:
  Judge(const schema::Schema& schema, const std::vector<lower::ModuleInstance>& modules,
        const SourceSet& sources, Sink& sink)
      : schema_(schema), places_(modules, sources), sink_(sink) {}

  SaidPlaces said;

  void judge(const lower::ModuleInstance& module) {
    const Node* inputs = module.tree == nullptr ? nullptr : module.tree->find("inputs");
    if (inputs == nullptr) return;
    for (const syntax::Entry& input : inputs->entries) {
      const Node* written = input.value.is_mapping() ? input.value.find("type") : &input.value;
      if (written == nullptr || !written->is_scalar()) continue;
      const auto type = syntax::parse_type(written->text);
      if (!type || !has_object(*type) || !is_known(*type, written->span)) continue;
      const ir::Value* value = module.scope.find(input.key);
      if (value == nullptr || module.unknown.contains(input.key)) continue;
      input_ = &input;
      type_at_ = written->span;
      value_at_ = places_.value_of(module, input.key);
      judge_value(*type, *value, {});
    }
  }

 private:
  /// Of the types that objects are written under; told where it is none.
  bool is_known(const ValueType& type, Span place) {
    if (!type.is(ValueType::Kind::object)) return is_known(type.of.front(), place);
    const schema::ObjectType* object = schema_.object(type.object);
    const bool is_written = object != nullptr && (object->kind == schema::ObjectKind::collection ||
                                                  object->kind == schema::ObjectKind::singleton);
    if (is_written) return true;
    if (!said.emplace(place.file, place.begin, place.end).second) return false;
    const std::string near = schema_.nearest_object(type.object);
    auto report = sink_.report(
        Kind::schema_value, place,
        object == nullptr
            ? fmt::format("the server has no object type `{}`", printable(type.object, 60))
            : fmt::format("`{}` is no type that objects are written under",
                          printable(type.object, 60)));
    if (!near.empty() && near != type.object) report.help(fmt::format("did you mean `{}`?", near));
    return false;
  }

  void judge_value(const ValueType& type, const ir::Value& value, const std::string& path) {
    if (type.is(ValueType::Kind::object)) {
      if (!value.is_map()) return;  // missing; all else was told when it was given
      for (const schema::Problem& problem : problems_of(schema_, type.object, value))
        tell(type, problem, path);
      return;
    }
    if (type.of.empty()) return;
    const auto below = [&](std::string_view name) {
      return path.empty() ? std::string(name) : fmt::format("{}.{}", path, name);
    };
    for (std::size_t i = 0; i < value.items().size(); ++i)
      judge_value(type.of.front(), value.item(i), below(std::to_string(i)));
    for (const auto& [name, member] : value.members())
      judge_value(type.of.front(), member, below(name));
  }

  void tell(const ValueType& type, const schema::Problem& problem, const std::string& path) {
    const std::string whole =
        path.empty() || problem.path.empty() ? path + problem.path : path + "." + problem.path;
    const bool is_name = problem.code == schema::ProblemCode::unknown_property ||
                         problem.code == schema::ProblemCode::server_set;
    const Span place =
        value_at_.is_known() ? places_.in_value(value_at_, whole, is_name) : input_->key_span;
    const std::tuple at(place.file, place.begin, place.end);
    if (!told_.emplace(at, problem.path + problem.message).second) return;
    said.insert(at);
    auto report = sink_.report(Kind::schema_value, place,
                               fmt::format("input `{}`: {} `{}`: {}", printable(input_->key, 60),
                                           type.object, printable(whole, 200), problem.message));
    report.label("the target would refuse or misunderstand it");
    report.note(type_at_, "its type");
    if (!problem.nearest.empty()) report.help(fmt::format("did you mean `{}`?", problem.nearest));
  }

  const schema::Schema& schema_;
  lower::WrittenPlaces places_;
  Sink& sink_;
  std::set<std::pair<SaidPlaces::value_type, std::string>> told_;
  const syntax::Entry* input_ = nullptr;  // that is judged
  Span type_at_ = {};
  Span value_at_ = {};
};

}  // namespace

SaidPlaces check_object_inputs(const schema::Schema& schema,
                               const std::vector<lower::ModuleInstance>& modules,
                               const SourceSet& sources, Sink& sink) {
  Judge judge(schema, modules, sources, sink);
  for (const lower::ModuleInstance& module : modules) judge.judge(module);
  return std::move(judge.said);
}

}  // namespace plan
