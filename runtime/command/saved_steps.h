#pragma once
#include <string>
#include <string_view>

#include "compiler/ir/plan_file.h"
#include "compiler/source/result.h"

namespace plan::command {

/// This program, as a saved plan names it (SavedPlan::made_by): version and build.
[[nodiscard]] std::string program_name();

/// SavedPlan::made_from of the texts that are in it.
[[nodiscard]] std::string made_from(const ir::SavedPlan& saved);

/// Compiles the texts in a saved plan again and compares the steps. A digest can be made anew by
/// whoever changes the steps; that they follow from the texts that were reviewed cannot be made up.
/// No file and no server is asked; in time linear in the plan. Errors: steps-not-of-sources, with
/// the first step that is another one, or the text that is no part of the plan.
[[nodiscard]] Outcome check_saved_steps(const ir::SavedPlan& saved);

}  // namespace plan::command
