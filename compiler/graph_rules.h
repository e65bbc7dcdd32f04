#pragma once
#include "compiler/check/plan.h"
#include "compiler/ir/step_graph.h"
#include "compiler/schema/schema.h"

namespace plan {

/// Every value that a step would write to an object of the target, against the server's schema.
void check_target_values(const ir::StepGraph& graph, const schema::Schema& schema,
                         const check::Plan& plan, Sink& sink);

}  // namespace plan
