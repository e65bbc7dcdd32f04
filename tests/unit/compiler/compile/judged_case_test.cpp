#include "tests/unit/compiler/compile/judged_case.h"

#include "compiler/check/account_list.h"
#include "compiler/check/listeners.h"
#include "compiler/check/rules.h"
#include "compiler/facts/lock.h"
#include "compiler/facts/measurement.h"
#include "compiler/lowering.h"
#include "compiler/modules.h"
#include "compiler/syntax/sound_part.h"
#include "compiler/target_amounts.h"
#include "embedded/stdlib_modules.h"

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

JudgedCase::JudgedCase(const std::filesystem::path& folder) : case_(read_golden_case(folder)) {
  const CompileInput& input = case_->input;
  const FileId file = sources_.add(input.plan_name, input.plan_text);
  auto part = syntax::read_sound_part(sources_, file, sink_,
                                      syntax::TreeLimits::with_bytes(input.plan_bytes_max));
  if (!part.tree) return;
  check::Plan plan =
      check::read_plan(std::make_shared<syntax::Node>(std::move(*part.tree)), sources_, sink_);
  read_accounts(plan);
  std::shared_ptr<const facts::Lock> lock;
  std::shared_ptr<const facts::Measurements> facts;
  if (input.lock_text) {
    const FileId of_lock = sources_.add(input.lock_name, *input.lock_text);
    if (auto read = facts::read_lock(sources_, of_lock, sink_))
      lock = std::make_shared<const facts::Lock>(std::move(*read));
  }
  if (input.facts_text) {
    const FileId of_facts = sources_.add(input.facts_name, *input.facts_text);
    facts = std::make_shared<const facts::Measurements>(
        facts::read_measurements(sources_, of_facts, sink_));
  }
  if (!plan.is_sound) {
    lock = nullptr;
    facts = nullptr;
  }
  migration_ = check::resolve(std::move(plan), lock, facts, sink_);
  is_read_ = true;
  check::check_rules(migration_, sink_);
  if (migration_.lock != nullptr && !sink_.has_errors()) expand();
}

std::optional<std::vector<Diagnostic>> JudgedCase::said_by(const Rule& rule) const {
  if (!runs(rule)) return std::nullopt;
  Sink sink;
  if (rule.of_plan != nullptr) {
    rule.of_plan(migration_, sink);
  } else {
    rule.of_steps(check::GraphView(migration_, *graph_, case_->input.schema), sink);
  }
  return sink.sorted();
}

void JudgedCase::read_accounts(check::Plan& plan) {
  const CompileInput& input = case_->input;
  if (!plan.account_file_span.is_known()) return;
  const std::string path(plan.accounts_from["csv"].string_or(""));
  if (input.file_text) {
    if (auto text = input.file_text(path)) {
      const FileId file = sources_.add(path, std::move(*text));
      check::read_account_file(plan, sources_, file, sink_);
      return;
    }
  }
  plan.has_account_list = true;
  plan.is_partial = true;
  sink_.report(Kind::accounts_file, plan.account_file_span, "the accounts cannot be read");
}

void JudgedCase::expand() {
  const CompileInput& input = case_->input;
  lower::LowerInput lowering = lowering_of(migration_, sources_, sink_);
  if (input.schema != nullptr) {
    lowering.with_target_amounts = [schema = input.schema](ir::StepKind kind, ir::Value arguments) {
      return with_target_amounts(*schema, kind, std::move(arguments));
    };
  }
  if (sink_.has_errors()) return;
  const ModuleSource source{input.stdlib.empty() ? embedded::stdlib_modules() : input.stdlib,
                            input.file_text};
  const auto linked =
      link_modules(migration_.plan, source, lowering.scope, lowering.rows, {}, sources_, sink_);
  if (linked == nullptr || !linked->is_whole) return;
  lowering.modules = std::move(linked->instances);
  lowering.module = lowering.modules.back().tree;
  graph_ = lower::lower(lowering, sink_);
  if (!graph_) return;
  migration_.now_ms = case_->input.now_ms;
  migration_.made_listeners = check::made_listeners(*graph_);
  migration_.spared_networks = check::spared_networks(*graph_);
}

bool JudgedCase::runs(const Rule& rule) const {
  if (!is_read_ || (rule.needs_lock && migration_.lock == nullptr)) return false;
  const check::Plan& plan = migration_.plan;
  switch (rule.plans) {
    case Plans::accounts:
      return !plan.is_of_store;
    case Plans::store:
      return plan.is_of_store;
    case Plans::listeners:
      return !plan.is_of_store && (graph_.has_value() || !plan.use.text.starts_with("./"));
    case Plans::steps:
      return graph_.has_value();
  }
  return false;
}

}  // namespace plan::test
