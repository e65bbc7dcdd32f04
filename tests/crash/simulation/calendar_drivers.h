#pragma once
#include "tests/crash/simulation/drivers.h"

namespace plan::simulation {

/// One pass over the calendars from the source to the target; how much it changed there.
[[nodiscard]] Result<std::uint64_t> carry_events_over(Machine& machine, std::size_t account,
                                                      bool is_source_authority);
/// The way back of the calendars.
[[nodiscard]] Outcome carry_events_back(Machine& machine, std::size_t account);

}  // namespace plan::simulation
