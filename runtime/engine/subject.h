#pragma once
#include <string>

#include "compiler/ir/step_graph.h"

namespace plan::engine {

/// The account that a row of the graph is about, else the row's name; empty without a row.
[[nodiscard]] std::string account_of(const ir::StepGraph& graph, ir::RowId row);
/// The same of a step's row; empty for steps that are about something else: a domain, a throttle.
[[nodiscard]] std::string account_of(const ir::StepGraph& graph, ir::StepId step);

/// What `plan approve` names for a step of kind approval: "wave:rest", "stage:finalize".
[[nodiscard]] std::string approval_subject(const ir::Value& arguments);

/// Where the plan names what the step is about (an account or its wave, a domain, ...); the place
/// in the procedure when the plan names nothing of the kind.
[[nodiscard]] Span cause_of(const ir::StepGraph& graph, ir::StepId step);

}  // namespace plan::engine
