#pragma once
#include <memory>

#include "runtime/server/probe/hold_probes.h"
#include "runtime/server/source/source.h"
#include "runtime/step/step_driver.h"

namespace plan::server::source {

/// Adds the drivers of dovecot.door, dovecot.deny, postfix.hook, postfix.listener, postfix.hold and
/// postfix.forward. `open_mailbox`: where probes of a hold are looked for that were not held.
void add_drivers(step::DriverTable& table, std::shared_ptr<SourcePool> sources,
                 probe::OpenMailbox open_mailbox);

}  // namespace plan::server::source
