#include "compiler/graph_rules.h"

#include <fmt/format.h>

#include <array>
#include <set>
#include <vector>

#include "compiler/schema/check_value.h"
#include "compiler/source/text.h"

namespace plan {
namespace {

using ir::StepEffect;
using ir::StepKind;

// Steps of one shape differ in names only: this many of them are looked at.
constexpr std::size_t kStepsOfShapeMax = 200;

bool needs_way_back(StepEffect effect) {
  return effect == StepEffect::destroy || effect == StepEffect::move_mail ||
         effect == StepEffect::move_traffic || effect == StepEffect::stop_service;
}

struct StageRule {
  ir::Stage stage = {};
  std::array<std::string_view, 2> points = {};
};

std::string_view doing(StepEffect effect) {
  switch (effect) {
    case StepEffect::destroy:
      return "takes something away";
    case StepEffect::stop_service:
      return "stops a service";
    default:
      return to_string(effect);
  }
}

constexpr std::array kStageRules = {
    StageRule{ir::Stage::cutover, {"before-cutover", ""}},
    StageRule{ir::Stage::waves, {"each-account", "before-cutover"}},
    StageRule{ir::Stage::finalize, {"before-finalize", ""}},
};

constexpr std::array kStageRulesOfStore = {
    StageRule{ir::Stage::cutover, {"before-stop", ""}},
    StageRule{ir::Stage::waves, {"before-stop", ""}},
    StageRule{ir::Stage::finalize, {"before-start", ""}},
};

}  // namespace

void check_rollback_points(const ir::StepGraph& graph, const check::Plan& plan, Sink& sink) {
  for (const StageRule& rule : plan.is_of_store ? kStageRulesOfStore : kStageRules) {
    if (plan.has_point(rule.points[0]) ||
        (!rule.points[1].empty() && plan.has_point(rule.points[1])))
      continue;
    for (const ir::StepShape& shape : graph.shapes()) {
      if (shape.stage != rule.stage || !needs_way_back(info(shape.kind).effect)) continue;
      sink.report(Kind::step_without_rollback_point, plan.rollback_span,
                  fmt::format("stage {} {} and has no rollback point", to_string(rule.stage),
                              doing(info(shape.kind).effect)))
          .note(shape.origin,
                fmt::format("step `{}`: {}", shape.id_pattern, info(shape.kind).summary))
          .help(fmt::format("add `{}` to `rollback_points`", rule.points[0]));
      break;
    }
  }
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
