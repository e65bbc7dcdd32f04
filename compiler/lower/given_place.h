#pragma once
#include <vector>

#include "compiler/lower/lower.h"
#include "compiler/source/source_set.h"

namespace plan::lower {

// A step of std writes what the operator gives its module: he mends it where he gives it.

/// Where the operator gave what stands in a value of this module; unknown where he gave nothing of
/// it, or more than one thing.
[[nodiscard]] Span given_place_in(const syntax::Node& value, const ModuleInstance& module,
                                  const SourceSet& sources);

/// The module in whose text this place is: each use of a module has a text of its own. nullptr:
/// none.
[[nodiscard]] const ModuleInstance* module_at(const std::vector<ModuleInstance>& modules,
                                              Span place);

/// The entry of the module's `steps` whose id stands there; nullptr: none.
[[nodiscard]] const syntax::Node* step_at(const ModuleInstance& module, Span id);

}  // namespace plan::lower
