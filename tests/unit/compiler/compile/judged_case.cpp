#include "tests/unit/compiler/compile/judged_case.h"

#include "compiler/check/rules.h"

namespace plan::test {

const std::vector<Rule>& all_rules() {
  static const std::vector<Rule> kRules = {
#define PLAN_RULE(function, needs_lock, plans) \
  {#function, needs_lock, Plans::plans, &check::rules::function, nullptr},
#include "compiler/check/rules.def"
#undef PLAN_RULE
#define PLAN_GRAPH_RULE(function) {#function, true, Plans::steps, nullptr, &check::rules::function},
#include "compiler/check/graph_rules.def"
#undef PLAN_GRAPH_RULE
  };
  return kRules;
}

JudgedCase::JudgedCase(const std::filesystem::path& folder)
    : case_(read_golden_case(folder)), judged_(judged_plan(case_->input)) {}

std::optional<std::vector<Diagnostic>> JudgedCase::said_by(const Rule& rule) const {
  if (!runs(rule)) return std::nullopt;
  Sink sink;
  if (rule.of_plan != nullptr) {
    rule.of_plan(judged_->migration, sink);
  } else {
    rule.of_steps(check::GraphView(judged_->migration, *judged_->steps, case_->input.schema), sink);
  }
  return sink.sorted();
}

bool JudgedCase::runs(const Rule& rule) const {
  if (!judged_ || (rule.needs_lock && judged_->migration.lock == nullptr)) return false;
  const check::Plan& plan = judged_->migration.plan;
  switch (rule.plans) {
    case Plans::accounts:
      return !plan.is_of_store;
    case Plans::store:
      return plan.is_of_store;
    case Plans::listeners:
      return !plan.is_of_store && (judged_->steps.has_value() || !plan.use.text.starts_with("./"));
    case Plans::steps:
      return judged_->steps.has_value();
  }
  return false;
}

}  // namespace plan::test
