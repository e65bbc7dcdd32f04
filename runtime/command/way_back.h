#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/engine/engine.h"

namespace plan::command {

/// What is not as it was before the first account moved, one line each (ScratchWorld::left_behind).
using LeftBehind = std::function<std::vector<std::string>(bool is_before_cutover)>;

/// Everybody goes back in a rehearsal, and its books are looked at: `rehearsal-failed` where
/// somebody could not go back, or something is left behind. With `smtp_port` each account gets a
/// message at the target before, and what would be carried is shown.
[[nodiscard]] Result<engine::RunResult> go_back(const engine::EngineParts& parts,
                                                const engine::EngineOptions& options,
                                                const LeftBehind& left_behind,
                                                std::optional<std::uint16_t> smtp_port);

}  // namespace plan::command
