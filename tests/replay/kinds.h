#pragma once
// Which recorded exchanges plan itself sends: all of these have to agree, of the others a share.
#include "compiler/ir/value.h"
#include "compiler/schema/schema.h"

namespace plan::replay {

/// Is the request of a recorded exchange one that the driver of the target
/// (runtime/server/stalwart, runtime/server/queue) or the exporter (runtime/archive) sends: its
/// methods, its arguments, and values that the compiler's own check lets through? Bodies that are
/// no requests, logins that are wrong on purpose and values that plan refuses before it sends them
/// are not.
[[nodiscard]] bool is_sent_by_plan(const schema::Schema& schema, const ir::Value& record);

}  // namespace plan::replay
