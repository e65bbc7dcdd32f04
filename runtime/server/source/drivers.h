#pragma once
#include <memory>

#include "runtime/server/source/source.h"
#include "runtime/step/step_driver.h"

namespace plan::server::source {

/// Adds the drivers of dovecot.door, dovecot.deny, postfix.hook, postfix.listener, postfix.hold and
/// postfix.forward.
void add_drivers(step::DriverTable& table, std::shared_ptr<SourcePool> sources);

}  // namespace plan::server::source
