#include "compiler/graph_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "compiler/check/graph_view.h"
#include "compiler/ir/shape_sample.h"
#include "compiler/lower/given_place.h"
#include "compiler/lower/written_place.h"
#include "compiler/schema/check_value.h"
#include "compiler/source/command_secrets.h"
#include "compiler/source/source_set.h"
#include "compiler/source/std_place.h"
#include "compiler/source/text.h"

namespace plan {
namespace {

using ir::StepKind;

constexpr std::size_t kUnknownShownMax = 5;

// What the real schema documents call the members that hold secrets (a test compares).
constexpr std::array<std::string_view, 5> kSecretNames = {"secret", "currentSecret", "accountKey",
                                                          "eabHmacKey", "otpCode"};

bool is_server_secret(std::string_view name) {
  return std::find(kSecretNames.begin(), kSecretNames.end(), name) != kSecretNames.end();
}

/// Name of the first member, at any depth, of which `is_it(value, name)` says so; empty: none.
template <class IsIt>
std::string member_where(const ir::Value& value, std::string_view name, const IsIt& is_it) {
  if (is_it(value, name)) return std::string(name);
  for (const ir::Value& item : value.items()) {
    if (std::string found = member_where(item, name, is_it); !found.empty()) return found;
  }
  for (const auto& [key, member] : value.members()) {
    if (std::string found = member_where(member, key, is_it); !found.empty()) return found;
  }
  return {};
}

/// A secret in a member that is not called like one.
bool is_misplaced_secret(const ir::Value& value, std::string_view name) {
  return value.is_secret() && !is_server_secret(name);
}

/// A secret that is written out. The mask that a server shows in a secret's place is none.
bool is_clear_secret(const ir::Value& value, std::string_view name) {
  return value.is_string() && value.as_string().find_first_not_of('*') != std::string::npos &&
         is_server_secret(name);
}

/// Calls `report(step, member)` for each shape that writes a member of which `is_it` says so.
template <class IsIt, class Report>
void look_at_writes(const ir::StepGraph& graph, const IsIt& is_it, const Report& report) {
  ir::ShapeSample sample(graph);
  std::set<const ir::StepShape*> said;
  for (std::size_t i = 0; i < graph.size(); ++i) {
    const auto step = static_cast<ir::StepId>(i);
    const StepKind kind = graph.kind(step);
    if (kind != StepKind::admin_upsert && kind != StepKind::admin_update) continue;
    if (!sample.takes(step)) continue;
    const std::string name = member_where(graph.argument(step, "set"), "set", is_it);
    if (!name.empty() && said.insert(&graph.shape(step)).second) report(step, name);
  }
}

/// "Role", "Account/Group": what the step that the output is of writes; empty for other outputs.
std::string object_made_by(const ir::StepGraph& graph, const ir::OutputRef& output) {
  const auto step = graph.find(output.step);
  if (!step || output.field != "id") return {};
  const StepKind kind = graph.kind(*step);
  if (kind != StepKind::admin_upsert && kind != StepKind::admin_update) return {};
  const ir::Value arguments = graph.arguments(*step);
  std::string object(check::object_type(arguments["object"].string_or("")));
  const ir::Value& variant = arguments["set"]["@type"].is_string() ? arguments["set"]["@type"]
                                                                   : arguments["match"]["@type"];
  if (variant.is_string() && object.find('/') == std::string::npos)
    object += "/" + variant.as_string();
  return object;
}

using ObjectOf = std::function<std::string(const ir::OutputRef&)>;

bool asks_the_schema(StepKind kind) {
  return kind == StepKind::admin_upsert || kind == StepKind::admin_update ||
         kind == StepKind::admin_destroy || kind == StepKind::admin_action ||
         kind == StepKind::admin_account;
}

/// What the step writes as it is; all else of the account the driver makes itself.
std::vector<schema::Problem> problems_of_account(const ir::Value& roles,
                                                 const schema::Schema& schema,
                                                 const ObjectOf& object_of) {
  if (!roles.is_map()) return {};
  schema::CheckOptions options;
  options.use = schema::Use::update;
  options.object_of = object_of;
  const ir::Value value = ir::Value::map({{"@type", "User"}, {"roles", roles}});
  return schema::check_value(schema, "Account", value, options);
}

/// An action is a variant of the schema's `Action`; a step gives nothing but its name.
std::vector<schema::Problem> problems_of_action(const ir::Value& action,
                                                const schema::Schema& schema) {
  const schema::ObjectType* type = schema.object("Action");
  if (type == nullptr || !action.is_string()) return {};
  const std::string& name = action.as_string();
  const schema::Variant* variant = type->variant(name);
  if (variant != nullptr && variant->fields == nullptr) return {};
  schema::Problem problem;
  problem.path = "action";
  if (variant != nullptr) {
    problem.code = schema::ProblemCode::missing_property;
    problem.message = fmt::format("`{}` needs values of its own, which a step does not give",
                                  printable(name, 60));
    return {std::move(problem)};
  }
  std::vector<std::string_view> names;
  for (const schema::Variant& known : type->variants) names.push_back(known.name);
  problem.code = schema::ProblemCode::unknown_variant;
  problem.message = fmt::format("the target has no action `{}`", printable(name, 60));
  problem.nearest = std::string(nearest(name, names).value_or(""));
  return {std::move(problem)};
}

/// What an object is found by: a property that does not exist finds nothing, and a step that
/// destroys would call that done.
std::vector<schema::Problem> problems_of_match(std::string_view object, const ir::Value& match,
                                               const schema::Schema& schema) {
  std::vector<schema::Problem> problems;
  schema::CheckOptions options;
  options.path = "match";
  for (const auto& [name, value] : match.members()) {
    for (schema::Problem& problem : schema::check_property(schema, object, name, value, options))
      problems.push_back(std::move(problem));
  }
  return problems;
}

std::vector<schema::Problem> problems_of(StepKind kind, const ir::Value& arguments,
                                         const schema::Schema& schema, const ObjectOf& object_of) {
  if (kind == StepKind::admin_action) return problems_of_action(arguments["action"], schema);
  if (kind == StepKind::admin_account)
    return problems_of_account(arguments["roles"], schema, object_of);
  const std::string_view object = arguments["object"].string_or("");
  const ir::Value& match = arguments["match"];
  if (kind == StepKind::admin_destroy) return problems_of_match(object, match, schema);
  ir::Value value = ir::Value::map();
  schema::CheckOptions options;
  options.path = "set";
  options.object_of = object_of;
  if (kind == StepKind::admin_upsert) {
    for (const auto& [name, member] : match.members()) value.set(name, member);
  } else {
    options.use = schema::Use::update;
  }
  for (const auto& [name, member] : arguments["set"].members()) value.set(name, member);
  std::vector<schema::Problem> problems = schema::check_value(schema, object, value, options);
  if (kind != StepKind::admin_update) return problems;
  const schema::ObjectType* type = schema.object(object);
  if (type != nullptr && type->kind == schema::ObjectKind::collection && match.size() == 0) {
    schema::Problem problem;
    problem.path = "match";
    problem.code = schema::ProblemCode::missing_property;
    problem.message = fmt::format("there may be many of them; it does not say which {} it writes",
                                  printable(object, 60));
    problems.push_back(std::move(problem));
  }
  if (problems.empty()) return problems_of_match(object, match, schema);
  return problems;
}

/// The part of the arguments that a problem is about.
std::string_view path_of(const schema::Problem& problem) {
  if (problem.code == schema::ProblemCode::unknown_type) return "object";
  return problem.path;
}

/// Is it about the name of a member, whatever its value is?
bool is_about_name(const schema::Problem& problem) {
  return problem.code == schema::ProblemCode::unknown_property ||
         problem.code == schema::ProblemCode::server_set ||
         problem.code == schema::ProblemCode::immutable;
}

/// Where the author of the plan can mend it: the value in his own module or the row that it comes
/// from, what he gives a module of std, else the plan's target.
Span place_of_value(const ir::StepGraph& graph, ir::StepId step, const schema::Problem& problem,
                    const check::Plan& plan, lower::WrittenPlaces& places,
                    const SourceSet& sources) {
  const Span row = graph.row(step) == ir::RowId::none ? Span{} : graph.row_origin(graph.row(step));
  const Span origin = graph.origin(step);
  if (origin.is_known() && !is_of_std(sources, origin)) {
    const Span written =
        places.written(graph.id(step), origin, path_of(problem), is_about_name(problem));
    if (written.is_known()) return written;
    return row.is_known() ? row : origin;
  }
  if (row.is_known()) return row;
  const Span given = places.given(graph.id(step), origin, path_of(problem));
  return given.is_known() ? given : plan.place("target");
}

/// The first scalar of this name.
const syntax::Node* scalar_called(const syntax::Node& node, std::string_view name) {
  for (const syntax::Entry& entry : node.entries) {
    if (entry.key == name && entry.value.is_scalar()) return &entry.value;
    if (const auto* found = scalar_called(entry.value, name); found != nullptr) return found;
  }
  for (const syntax::Node& item : node.items) {
    if (const auto* found = scalar_called(item, name); found != nullptr) return found;
  }
  return nullptr;
}

/// What is told is masked wherever it is shown: that is the secret, and not the step's id. A line
/// of NDJSON has no places of its own.
Span place_of_secret(const ir::StepGraph& graph, ir::StepId step, std::string_view name,
                     const std::vector<lower::ModuleInstance>& modules, const SourceSet& sources) {
  const Span origin = graph.origin(step);
  const lower::ModuleInstance* module = lower::module_at(modules, origin);
  if (module == nullptr || sources.name(origin.file).ends_with(".ndjson")) return origin;
  const syntax::Node* written = lower::step_at(*module, origin);
  const syntax::Node* secret = written == nullptr ? nullptr : scalar_called(*written, name);
  if (secret == nullptr || !secret->span.is_known()) return origin;
  const Span given = lower::given_place_in(*secret, *module, sources);
  return given.is_known() ? given : secret->span;
}

/// Commands of steps of the author's own; those of the plan were looked at when it was read.
void check_commands(const ir::StepGraph& graph, Sink& sink) {
  std::set<const ir::StepShape*> said;
  for (std::size_t i = 0; i < graph.size(); ++i) {
    const auto step = static_cast<ir::StepId>(i);
    const StepKind kind = graph.kind(step);
    if (kind != StepKind::address_move && kind != StepKind::address_finalize) continue;
    if (!said.insert(&graph.shape(step)).second) continue;
    for (const std::string_view name : {"run", "undo"}) {
      CommandWords command;
      const ir::Value words = graph.argument(step, name);
      for (const ir::Value& word : words.items()) {
        const auto secrets = command.take(word.string_or(""));
        if (secrets.empty()) continue;
        sink.report(Kind::secret_in_clear, graph.origin(step),
                    fmt::format("`{}` has a secret behind `{}`", name,
                                printable(secrets.front().behind, 40)))
            .argument("step", graph.id(step))
            .label("a plan goes into git")
            .help(
                "run a script that reads the secret from a file, and change the secret: it was "
                "written down");
        break;
      }
    }
  }
}

}  // namespace

std::span<const std::string_view> secret_names() { return kSecretNames; }

void check_secret_names(const ir::StepGraph& graph, Sink& sink) {
  look_at_writes(graph, is_misplaced_secret, [&](ir::StepId step, const std::string& name) {
    sink.report(Kind::expression_type, graph.origin(step),
                fmt::format("a secret cannot become `{}` of {}", printable(name, 60),
                            printable(graph.argument(step, "object").string_or(""), 60)))
        .label("without the target's schema only the names of members say which of them are secret")
        .help("`plan fetch` brings the schema; a secret goes into a member called `secret`");
  });
}

void check_clear_secrets(const ir::StepGraph& graph,
                         const std::vector<lower::ModuleInstance>& modules,
                         const SourceSet& sources, Sink& sink) {
  look_at_writes(graph, is_clear_secret, [&](ir::StepId step, const std::string& name) {
    sink.report(Kind::secret_in_clear, place_of_secret(graph, step, name, modules, sources),
                fmt::format("`{}` of {} stands here in clear text", name,
                            printable(graph.argument(step, "object").string_or(""), 60)))
        .argument("step", graph.id(step))
        .label("a plan goes into git")
        .help(
            "name it in a module, `let NAME = secret \"file:secrets/NAME\"`, and write that name "
            "in its place, or write what lets the server read it (`EnvironmentVariable`, `File`); "
            "and change the secret: it was written down");
  });
  check_commands(graph, sink);
}

void report_unknown_constructs(const schema::Schema& schema, Span place, Sink& sink) {
  const std::vector<std::string>& unknown = schema.warnings();
  if (unknown.empty()) return;
  auto report = sink.report(
      Kind::schema_missing, place,
      fmt::format("the target's schema has {} {} that this version of plan does not know",
                  show_count(unknown.size()), unknown.size() == 1 ? "construct" : "constructs"));
  report.label("values there are taken as they are");
  for (std::size_t i = 0; i < std::min(unknown.size(), kUnknownShownMax); ++i)
    report.note({}, printable(unknown[i], 200));
  if (unknown.size() > kUnknownShownMax)
    report.note({}, fmt::format("and {} more", show_count(unknown.size() - kUnknownShownMax)));
  report.help("try the plan with `plan rehearse`, and look for a newer plan");
}

void check_target_values(const ir::StepGraph& graph, const schema::Schema& schema,
                         const check::Plan& plan, const std::vector<lower::ModuleInstance>& modules,
                         const SourceSet& sources, const SaidPlaces& said_places, Sink& sink) {
  ir::ShapeSample sample(graph);
  lower::WrittenPlaces places(modules, sources);
  std::set<std::string> said;
  const auto object_of = [&graph](const ir::OutputRef& output) {
    return object_made_by(graph, output);
  };
  for (std::size_t i = 0; i < graph.size(); ++i) {
    const auto step = static_cast<ir::StepId>(i);
    const StepKind kind = graph.kind(step);
    if (!asks_the_schema(kind)) continue;
    // Most accounts have the role that the driver gives them.
    if (kind == StepKind::admin_account && graph.shape(step).arguments["roles"].is_null()) continue;
    if (!sample.takes(step)) continue;
    const ir::Value arguments = graph.arguments(step);
    std::string_view object = arguments["object"].string_or("");
    if (kind == StepKind::admin_action) object = "Action";
    if (kind == StepKind::admin_account) object = "Account";
    for (const schema::Problem& problem : problems_of(kind, arguments, schema, object_of)) {
      const std::string words = fmt::format("{} `{}`: {}", object, problem.path, problem.message);
      if (!said.insert(words).second) continue;
      const Span place = place_of_value(graph, step, problem, plan, places, sources);
      if (said_places.contains(std::tuple(place.file, place.begin, place.end))) continue;
      auto report = sink.report(Kind::schema_value, place, words);
      report.label("the target would refuse or misunderstand it");
      // In the same text it stands in its step.
      if (const Span origin = graph.origin(step); origin.file != place.file)
        report.note(origin, fmt::format("step `{}` writes it", graph.id(step)));
      if (!problem.nearest.empty()) report.help(fmt::format("did you mean `{}`?", problem.nearest));
    }
  }
}

}  // namespace plan
