#pragma once
#include "compiler/check/plan.h"
#include "compiler/ir/step_graph.h"
#include "compiler/schema/schema.h"

namespace plan {

/// Rules that need the steps themselves: what has no rollback point in front of it.
void check_rollback_points(const ir::StepGraph& graph, const check::Plan& plan, Sink& sink);

/// Every value that a step would write to an object of the target, against the server's schema.
void check_target_values(const ir::StepGraph& graph, const schema::Schema& schema,
                         const check::Plan& plan, Sink& sink);

}  // namespace plan
