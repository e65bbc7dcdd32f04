#pragma once
#include <string>

#include "compiler/ir/step_kind.h"

namespace plan::command {

/// `plan docs steps`: docs/steps.md, every kind of step with what it takes and what it gives.
[[nodiscard]] std::string steps_page();
/// Its part of that page: what a kind of step does, what it takes and gives, how it is undone.
[[nodiscard]] std::string step_kind_page(const ir::StepKindInfo& kind);

}  // namespace plan::command
