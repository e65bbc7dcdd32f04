#pragma once
#include <span>
#include <string_view>
#include <vector>

#include "compiler/check/plan.h"
#include "compiler/ir/step_graph.h"
#include "compiler/lower/lower.h"
#include "compiler/object_inputs.h"
#include "compiler/schema/schema.h"

namespace plan {

/// Every value that a step would write to an object of the target or look for it by, and every
/// action, against the server's schema. `modules`: whose steps they are. What stands at one of the
/// places in `said` is not told again.
void check_target_values(const ir::StepGraph& graph, const schema::Schema& schema,
                         const check::Plan& plan, const std::vector<lower::ModuleInstance>& modules,
                         const SourceSet& sources, const SaidPlaces& said, Sink& sink);

/// What a later server's schema has that this program does not know: said, because values there are
/// not checked.
void report_unknown_constructs(const schema::Schema& schema, Span place, Sink& sink);

/// Where there is no schema: secrets may flow only into members that are called as the server calls
/// its secrets.
void check_secret_names(const ir::StepGraph& graph, Sink& sink);
[[nodiscard]] std::span<const std::string_view> secret_names();

/// No step may write a secret to the target that stands in clear in a module or an NDJSON file.
/// `modules`: whose steps they are.
void check_clear_secrets(const ir::StepGraph& graph,
                         const std::vector<lower::ModuleInstance>& modules,
                         const SourceSet& sources, Sink& sink);

}  // namespace plan
