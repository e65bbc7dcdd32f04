#pragma once
#include "runtime/command/command_table.h"

namespace plan::command {

// Options that mean the same in every command that has them.
inline const OptionSpec kFormat{"--format", "FORMAT", "text", "`text` or `json`"};
inline const OptionSpec kYes{"--yes", "", "", "go on without asking"};

}  // namespace plan::command
