// Prevents: a stage that moves mail or traffic and cannot be gone back over, because the author did
// not say where to.
#include <fmt/format.h>

#include <array>

#include "compiler/check/graph_view.h"

namespace plan::check::rules {
namespace {

using ir::StepEffect;

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

void step_without_rollback_point(const GraphView& view, Sink& sink) {
  const Plan& plan = view.plan();
  for (const StageRule& rule : plan.is_of_store ? kStageRulesOfStore : kStageRules) {
    if (plan.has_point(rule.points[0]) ||
        (!rule.points[1].empty() && plan.has_point(rule.points[1])))
      continue;
    for (const ir::StepShape& shape : view.graph().shapes()) {
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

}  // namespace plan::check::rules
