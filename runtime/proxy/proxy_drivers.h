#pragma once
#include "runtime/step/step_driver.h"

namespace plan::proxy {

/// The drivers of proxy.ready, proxy.hold, proxy.prepare, proxy.release and address.move.
void add_proxy_drivers(step::DriverTable& table);

}  // namespace plan::proxy
