#pragma once
#include <string>

#include "runtime/net/clock.h"

namespace plan::step {

/// What it takes to make one small write durable in a folder, in milliseconds: measured with a few
/// that are written, synced and removed. 0 when the folder cannot be written.
[[nodiscard]] double durable_write_ms(const std::string& folder, net::Clock& clock);

}  // namespace plan::step
