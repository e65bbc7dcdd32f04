#pragma once
#include "compiler/ir/step_kind.h"
#include "compiler/ir/value.h"

namespace plan::schema {
class Schema;
}

namespace plan {

/// The arguments of a step that writes objects of the target, as the target takes them. Where its
/// schema has a duration, a size or a whole number, a text that reads as a duration or a size
/// (`7d`, `50MiB`) becomes the number of milliseconds or bytes. Members of a set of addresses or
/// domains get the form in which the target looks for them: it brings a single value into that form
/// and keeps the members of a set as they are (`X.Test`, `bücher.test` match no mail). All else
/// stays, also what the schema refuses.
[[nodiscard]] ir::Value with_target_amounts(const schema::Schema& schema, ir::StepKind kind,
                                            ir::Value arguments);

}  // namespace plan
