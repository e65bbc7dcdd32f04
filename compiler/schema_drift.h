#pragma once
#include <string>
#include <vector>

#include "compiler/ir/step_graph.h"
#include "compiler/schema/schema.h"

namespace plan {

/// What the target's new schema document means for a plan that was made for another one.
struct SchemaDrift {
  std::vector<std::string> types = {};          ///< that the plan writes, by name
  std::vector<std::string> touched_types = {};  ///< those of them that are touched
  /// One line for the steps whose objects are touched in the same way: "MtaRoute (step
  /// `target/route`): `port` was `number:unsignedInteger`, is `string:string`". Only what a step
  /// gives counts: its variant, its properties down to the members of its values, and what it would
  /// have to give now. Changes of what the plan does not write are none.
  std::vector<std::string> touched = {};
};
/// Names of the types that a plan writes, sorted.
[[nodiscard]] std::vector<std::string> types_written(const ir::StepGraph& graph);
[[nodiscard]] SchemaDrift schema_drift(const schema::Schema& before, const schema::Schema& after,
                                       const ir::StepGraph& graph);

}  // namespace plan
