#pragma once
#include "runtime/command/command_table.h"
#include "runtime/engine/engine.h"
#include "runtime/report/run_record.h"

namespace plan::command {

/// Says how a run ended, what failed with its place in the plan and its remedy, and how to go on.
ExitCode show_ending(const engine::RunResult& result);
/// The exit code that belongs to the state of a recorded run.
[[nodiscard]] ExitCode exit_code_of(const report::RunRecord& run);

}  // namespace plan::command
