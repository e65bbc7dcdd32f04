// Prevents: a stage that moves mail or traffic and cannot be gone back over, because the author did
// not say where to. And a move whose steps the engine does not know for one: what holds an account
// is undone by itself only when its role says that it belongs to the move (design.md section 6).
#include <fmt/format.h>

#include <array>
#include <set>

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

/// What somebody notices while an account moves.
constexpr std::array kOfMove = {
    ir::StepKind::proxy_hold,      ir::StepKind::postfix_hold,   ir::StepKind::source_hold,
    ir::StepKind::dovecot_deny,    ir::StepKind::source_freeze,  ir::StepKind::admin_keys,
    ir::StepKind::postfix_forward, ir::StepKind::source_forward, ir::StepKind::admin_account_open,
};

void look_at_roles(const GraphView& view, Sink& sink) {
  using ir::StepKind;
  const ir::StepGraph& graph = view.graph();
  std::set<const ir::StepShape*> seen;
  const ir::StepShape* last = nullptr;  // of a hundred thousand accounts nearly all have one
  const auto is_new = [&](ir::StepId step) {
    const ir::StepShape* shape = &graph.shape(step);
    if (shape == last) return false;
    last = shape;
    return seen.insert(shape).second;
  };
  for (const StepKind kind : kOfMove) {
    for (const ir::StepId step : view.of_kind(kind)) {
      if (!is_new(step) || !view.has_in_row(step, StepKind::proxy_release)) continue;
      if (graph.role(step) != ir::TransactionRole::none ||
          view.follows_in_row(step, StepKind::proxy_release))
        continue;
      report_step(view, step, Kind::step_without_rollback_point,
                  "is not undone when the account's move fails", sink)
          .label("only what has the role of a move is: this would stay as it is")
          .help("write `role = held`");
    }
  }
  for (const ir::StepId step : view.of_kind(StepKind::proxy_release)) {
    if (!is_new(step) || !view.has_in_row(step, StepKind::admin_account) ||
        graph.role(step) == ir::TransactionRole::commit)
      continue;
    report_step(view, step, Kind::step_without_rollback_point,
                "lets clients through, and nothing says that the account has moved by it", sink)
        .label(
            "a failure behind it would take back keys and forward, and the user is at the target")
        .help("write `role = commit`");
  }
}

/// Who has a command for the way there counts on one for the way back.
void look_at_undo(const Plan& plan, Sink& sink) {
  if (plan.cutover["run"].is_null() || !plan.cutover["undo"].is_null()) return;
  sink.report(Kind::step_without_rollback_point, plan.place("cutover", "address"),
              "a command moves the public name, and none brings it back")
      .severity(Severity::warning)
      .label("`plan rollback` would wait for somebody who does it by hand, for an hour at most")
      .help(
          "name it: `undo: [...]`; if it is somebody's task, silence this with that as the reason");
}

}  // namespace

void step_without_rollback_point(const GraphView& view, Sink& sink) {
  look_at_roles(view, sink);
  const Plan& plan = view.plan();
  look_at_undo(plan, sink);
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
