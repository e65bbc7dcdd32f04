#pragma once
#include "compiler/facts/lock.h"
#include "compiler/ir/step_graph.h"
#include "compiler/ir/value.h"
#include "compiler/source/diagnostic.h"

namespace plan::flow {

/// Reports (`mail-flow`) how the target would slow down or shut out the source, which hands on all
/// mail of accounts that have moved: a throttle that counts it, a session that takes few messages,
/// an address that may be banned (reference/split-delivery.md section 5), and what steps make it
/// refuse for sure: messages that the source takes, all that came there by another server, all that
/// fails SPF because the source hands it on. Nothing does where a step that every step that
/// forwards (`postfix.forward`, `source.forward`) waits for changes it, with a reload behind it.
/// What the lock did not measure is not judged.
///
/// `source_ips`: addresses that the target sees the source at, a list of texts. `fallback` is the
/// place for steps that the plan does not make.
void report_handed_on(const ir::StepGraph& graph, const facts::Lock& lock,
                      const ir::Value& source_ips, Span fallback, Sink& sink);

}  // namespace plan::flow
