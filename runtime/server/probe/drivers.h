#pragma once
#include <memory>

#include "runtime/server/source/live_source.h"
#include "runtime/server/stalwart/target.h"
#include "runtime/step/step_driver.h"

namespace plan::server::probe {

/// probe.login: at the target, a JMAP session as `USER%ADMIN` (possible only once the account is
/// open, and it asks for the user's own permission `authenticate`:
/// reference/split-delivery.md 9.6); at the source, IMAP as the master user. probe.mail: a message
/// of our own to each port 25, found in the mailbox of `at` and destroyed. Both observe nothing
/// (they prove a moment), may be repeated, and have nothing to undo. Errors: probe-login-failed,
/// probe-refused, probe-not-found, stopped, those of the clients.
void add_drivers(step::DriverTable& table, std::shared_ptr<source::LiveSources> sources,
                 std::shared_ptr<stalwart::TargetPool> targets);

}  // namespace plan::server::probe
