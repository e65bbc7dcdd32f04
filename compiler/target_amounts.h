#pragma once
#include "compiler/ir/step_kind.h"
#include "compiler/ir/value.h"

namespace plan::schema {
class Schema;
}

namespace plan {

/// The arguments of a step that writes objects of the target, with durations and sizes as the
/// target takes them: where its schema has a duration, a size or a whole number, a text that reads
/// as a duration or a size (`7d`, `50MiB`) becomes the number of milliseconds or bytes. All else
/// stays, also what the schema refuses.
[[nodiscard]] ir::Value with_target_amounts(const schema::Schema& schema, ir::StepKind kind,
                                            ir::Value arguments);

}  // namespace plan
