#pragma once
#include "runtime/command/command_table.h"
#include "runtime/engine/engine.h"

namespace plan::command {

/// Says how a run ended, what failed with its place in the plan and its remedy, and how to go on.
ExitCode show_ending(const engine::RunResult& result);

}  // namespace plan::command
