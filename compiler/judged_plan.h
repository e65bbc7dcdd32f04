#pragma once
#include <memory>
#include <optional>

#include "compiler/check/plan.h"
#include "compiler/compile.h"
#include "compiler/ir/step_graph.h"
#include "compiler/source/source_set.h"

namespace plan {

/// What the rules of compiler/check look at while a plan is compiled.
struct JudgedPlan {
  std::shared_ptr<SourceSet> sources = {};
  check::Migration migration = {};
  std::optional<ir::StepGraph> steps = {};  ///< nothing: there are none to judge
};

/// Of a plan that can be read: for whoever runs one rule of them alone.
[[nodiscard]] std::optional<JudgedPlan> judged_plan(CompileInput input);

}  // namespace plan
