#pragma once
#include "compiler/check/plan.h"
#include "compiler/lower/lower.h"

namespace plan {

/// What modules are expanded with: the names that a plan gives to their expressions, and the rows.
/// `migration` and `sources` must outlive the result.
[[nodiscard]] lower::LowerInput lowering_of(const check::Migration& migration,
                                            const SourceSet& sources, Sink& sink);

/// `source`, `target`, `proxies`, `hosts`, `addresses`: what drivers get.
[[nodiscard]] ir::Value connections_of(const check::Plan& plan);

}  // namespace plan
