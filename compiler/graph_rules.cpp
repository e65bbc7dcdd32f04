#include "compiler/graph_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <vector>

#include "compiler/schema/check_value.h"
#include "compiler/source/text.h"

namespace plan {
namespace {

using ir::StepKind;

// Steps of one shape differ in names only: this many of them are looked at.
constexpr std::size_t kStepsOfShapeMax = 200;
constexpr std::size_t kUnknownShownMax = 5;

// What the real schema documents call the members that hold secrets (a test compares).
constexpr std::array<std::string_view, 5> kSecretNames = {"secret", "currentSecret", "accountKey",
                                                          "eabHmacKey", "otpCode"};

/// Name of a member with a secret that is not called like one, or empty.
std::string misplaced_secret(const ir::Value& value, std::string_view name) {
  if (value.is_secret())
    return std::find(kSecretNames.begin(), kSecretNames.end(), name) != kSecretNames.end()
               ? std::string()
               : std::string(name);
  for (const ir::Value& item : value.items()) {
    if (std::string found = misplaced_secret(item, name); !found.empty()) return found;
  }
  for (const auto& [key, member] : value.members()) {
    if (std::string found = misplaced_secret(member, key); !found.empty()) return found;
  }
  return {};
}

}  // namespace

std::span<const std::string_view> secret_names() { return kSecretNames; }

void check_secret_names(const ir::StepGraph& graph, Sink& sink) {
  std::vector<std::size_t> seen(graph.shapes().size());
  std::set<const ir::StepShape*> said;
  for (std::size_t i = 0; i < graph.size(); ++i) {
    const auto step = static_cast<ir::StepId>(i);
    const StepKind kind = graph.kind(step);
    if (kind != StepKind::admin_upsert && kind != StepKind::admin_update) continue;
    const ir::StepShape* shape = &graph.shape(step);
    if (seen[static_cast<std::size_t>(shape - graph.shapes().data())]++ >= kStepsOfShapeMax)
      continue;
    const std::string name = misplaced_secret(graph.argument(step, "set"), "set");
    if (name.empty() || !said.insert(shape).second) continue;
    sink.report(Kind::expression_type, graph.origin(step),
                fmt::format("a secret cannot become `{}` of {}", printable(name, 60),
                            printable(graph.argument(step, "object").string_or(""), 60)))
        .label("without the target's schema only the names of members say which of them are secret")
        .help("`plan fetch` brings the schema; a secret goes into a member called `secret`");
  }
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
                         const check::Plan& plan, Sink& sink) {
  std::vector<std::size_t> seen(graph.shapes().size());
  std::set<std::string> said;
  for (std::size_t i = 0; i < graph.size(); ++i) {
    const auto step = static_cast<ir::StepId>(i);
    const StepKind kind = graph.kind(step);
    if (kind != StepKind::admin_upsert && kind != StepKind::admin_update) continue;
    const auto shape = static_cast<std::size_t>(&graph.shape(step) - graph.shapes().data());
    if (seen[shape]++ >= kStepsOfShapeMax) continue;
    const ir::Value arguments = graph.arguments(step);
    ir::Value value = ir::Value::map();
    schema::CheckOptions options;
    options.path = "set";
    if (kind == StepKind::admin_upsert) {
      for (const auto& [name, member] : arguments["match"].members()) value.set(name, member);
    } else {
      options.use = schema::Use::update;
    }
    for (const auto& [name, member] : arguments["set"].members()) value.set(name, member);
    const std::string_view object = arguments["object"].string_or("");
    for (const schema::Problem& problem : schema::check_value(schema, object, value, options)) {
      const std::string words = fmt::format("{} `{}`: {}", object, problem.path, problem.message);
      if (!said.insert(words).second) continue;
      const Span row =
          graph.row(step) == ir::RowId::none ? Span{} : graph.row_origin(graph.row(step));
      auto report =
          sink.report(Kind::schema_value, row.is_known() ? row : plan.place("target"), words);
      report.label("the target would refuse or misunderstand it")
          .note(graph.origin(step), fmt::format("step `{}` writes it", graph.id(step)));
      if (!problem.nearest.empty()) report.help(fmt::format("did you mean `{}`?", problem.nearest));
    }
  }
}

}  // namespace plan
