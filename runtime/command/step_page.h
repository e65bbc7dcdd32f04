#pragma once
#include <string>

namespace plan::command {

/// `plan docs steps`: docs/steps.md, every kind of step with what it takes and what it gives.
[[nodiscard]] std::string steps_page();

}  // namespace plan::command
