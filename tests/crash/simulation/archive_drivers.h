#pragma once
#include "tests/crash/simulation/drivers.h"

namespace plan::simulation {

/// One pass from the source to the target; `only_new`: stragglers, the target is the authority.
[[nodiscard]] Outcome carry_over(Machine& machine, std::size_t account, bool only_new);
/// One pass from the target back to the source.
[[nodiscard]] Outcome carry_back(Machine& machine, std::size_t account);
[[nodiscard]] Result<bool> are_equal(Machine& machine, std::size_t account);
/// Twice nothing, a minute apart, while no queue names the account.
[[nodiscard]] Result<ir::Value> sweep(Machine& machine, std::size_t account,
                                      step::StepContext& context);

}  // namespace plan::simulation
