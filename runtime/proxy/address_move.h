#pragma once
#include <memory>

#include "runtime/step/step_driver.h"

namespace plan::proxy {

/// address.move: a command of the plan moves the public address, or the operator does while the
/// step waits. Either way the step is done when the public name, looked up and connected to from
/// here, answers with a token that only our proxies have (in their greetings).
[[nodiscard]] std::shared_ptr<step::StepDriver> make_address_move_driver();

/// address.finalize: the same at the end, to the target: done when the public name greets on port
/// 25, IMAP and submission with the target's own words. Waits without a thread.
[[nodiscard]] std::shared_ptr<step::StepDriver> make_address_finalize_driver();

}  // namespace plan::proxy
