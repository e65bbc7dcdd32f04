#pragma once
#include <optional>

#include "compiler/source/diagnostic.h"
#include "compiler/source/source_set.h"
#include "compiler/syntax/tree.h"

namespace plan {

/// A plan of stalwart-cli (NDJSON, reference/stalwart-admin.md 7.1) as a module: a step of the
/// stage `prepare` for each object, in the order in which stalwart-cli runs them: destroys first,
/// the last one first, then the rest. `server/LINE/NAME` is the id of a step, NAME the client id of
/// its object; `#NAME` becomes the id that the step gives.
///
/// What cannot be run again or undone is refused (`procedure-broken`, at its line): `create` of
/// anything but an Action, `reconcile`, a destroy without a filter, an update of a literal id.
/// Nothing then.
[[nodiscard]] std::optional<syntax::Node> read_admin_plan(const SourceSet& sources, FileId file,
                                                          Sink& sink);

}  // namespace plan
