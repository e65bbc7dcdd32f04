#pragma once
#include <optional>
#include <string>

namespace plan::command {

/// Hex digest of the build ids of this program and of every library it runs with: another build of
/// any of them gives another one. Nothing when one of them has no build id.
[[nodiscard]] std::optional<std::string> program_digest();

}  // namespace plan::command
