#pragma once
#include <string>
#include <vector>

#include "compiler/ir/step_graph.h"
#include "compiler/schema/schema.h"

namespace plan {

/// What the target's new schema document means for a plan that was made for another one.
struct SchemaDrift {
  std::vector<std::string> types = {};  ///< that the plan writes, by name
  /// One line for each of them that is touched: "MtaRoute (step `target/route`): `port` was
  /// `number:unsignedInteger`, is `string`". Changes of what the plan does not write are none.
  std::vector<std::string> touched = {};
};
[[nodiscard]] SchemaDrift schema_drift(const schema::Schema& before, const schema::Schema& after,
                                       const ir::StepGraph& graph);

}  // namespace plan
