#pragma once
#include <memory>

#include "runtime/step/step_driver.h"

namespace plan::server::stalwart15 {

/// source.settings: settings of a Stalwart 0.13 to 0.15 that is the source. The old state of every
/// key that it writes is its prior state.
[[nodiscard]] std::shared_ptr<step::StepDriver> make_settings_driver();

}  // namespace plan::server::stalwart15
