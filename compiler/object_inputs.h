#pragma once
#include <cstdint>
#include <set>
#include <tuple>
#include <vector>

#include "compiler/lower/lower.h"
#include "compiler/schema/schema.h"
#include "compiler/source/source_set.h"

namespace plan {

/// Places where something was said about a value: file, begin, end.
using SaidPlaces = std::set<std::tuple<FileId, std::uint32_t, std::uint32_t>>;

/// What inputs of the type `object(TYPE)` have, against that type of the server's schema, whether a
/// step writes it or not. Members that every object needs may come from the step. Gives back where
/// something was said.
[[nodiscard]] SaidPlaces check_object_inputs(const schema::Schema& schema,
                                             const std::vector<lower::ModuleInstance>& modules,
                                             const SourceSet& sources, Sink& sink);

}  // namespace plan
