#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/command/command_table.h"
#include "runtime/dump/verify.h"

namespace plan::command {

/// Progress of a dump command on a terminal: one line that is written over, at most five times a
/// second; nothing when stderr is no terminal.
[[nodiscard]] dump::OnProgress dump_progress();
void end_dump_progress();

/// A text of a result for a person's terminal: names of files are whatever somebody called them.
[[nodiscard]] std::string shown(const ir::Value& text);

/// A result as JSON, or as the lines that `to_text` makes of it; an error with its code.
[[nodiscard]] ExitCode show_dump(const Result<ir::Value>& result, std::string_view format,
                                 std::string (*to_text)(const ir::Value&),
                                 ExitCode code = ExitCode::done);

/// `data,blob` and repeated options alike. An empty name stays, for an error: it is not everything.
[[nodiscard]] std::vector<std::string> listed(const std::vector<std::string>& values);

/// `sqlite:FILE` and its like, in the place of a dump.
[[nodiscard]] bool names_store(std::string_view text);
/// `plan dump inspect STORE`.
[[nodiscard]] ExitCode inspect_store(const Invocation& invocation);

}  // namespace plan::command
