#pragma once
#include <memory>

#include "runtime/step/step_driver.h"

namespace plan::proxy {

/// address.move: a command of the plan moves the public address, or the operator does while the
/// step waits. Either way the step is done when the public name, looked up and connected to from
/// here, answers with a token that only our proxies have (in their greetings).
[[nodiscard]] std::shared_ptr<step::StepDriver> make_address_move_driver();

}  // namespace plan::proxy
