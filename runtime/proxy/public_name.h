#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/step/step_driver.h"

namespace plan::proxy {

/// A port of the public name that must be answered by a certain server.
struct Door {
  std::string protocol = {};
  std::uint16_t port = 0;
  bool is_tls = false;
  friend auto operator<=>(const Door&, const Door&) = default;
};

/// What this machine's resolver finds, at most 16 addresses; empty when the name has none.
[[nodiscard]] std::vector<std::string> addresses_of(const std::string& name);

/// First line that a server says there, or why it did not. Waits 5 s at most.
[[nodiscard]] Result<std::string> greeting_at(const std::string& address, const Door& door);

/// Runs the command in the step's argument `which` on this machine; an absent one is the operator's
/// to do. Error address-not-moved, with what it printed, when it ends with another code than 0.
[[nodiscard]] Outcome run_command_of(step::StepContext& context, const char* which);

}  // namespace plan::proxy
