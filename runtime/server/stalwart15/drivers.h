#pragma once
#include <memory>
#include <string>

#include "runtime/server/probe/hold_probes.h"
#include "runtime/server/stalwart15/old_source.h"
#include "runtime/step/step_driver.h"

namespace plan::server::stalwart15 {

/// source.settings: settings of a Stalwart 0.13 to 0.15 that is the source. The old state of every
/// key that it writes is its prior state.
[[nodiscard]] std::shared_ptr<step::StepDriver> make_settings_driver();
/// source.listener: looks for the listener that its operator has made for the proxies.
[[nodiscard]] std::shared_ptr<step::StepDriver> make_listener_driver(
    std::shared_ptr<OldSources> sources);
/// source.hold: the account's mail waits in the old server's queue; apply returns when nothing that
/// came before is in delivery any more.
[[nodiscard]] std::shared_ptr<step::StepDriver> make_hold_driver(
    std::shared_ptr<OldSources> sources, probe::OpenMailbox open_mailbox);
/// source.forward: the account's mail goes to the target.
[[nodiscard]] std::shared_ptr<step::StepDriver> make_forward_driver(
    std::shared_ptr<OldSources> sources);
/// source.freeze: the account can be read and not written, by whoever asks.
[[nodiscard]] std::shared_ptr<step::StepDriver> make_freeze_driver(
    std::shared_ptr<OldSources> sources);

/// Adds the drivers of all `source.*` step kinds. `open_mailbox`: where probes of a hold are looked
/// for that were not held.
void add_drivers(step::DriverTable& table, const std::shared_ptr<OldSources>& sources,
                 probe::OpenMailbox open_mailbox);

/// Sends the probe `id` to `account` through the old server's port 25, sees it wait in the queue
/// because the port of the hold refused it, and takes it out again. Returns when it was made, by
/// the server's clock: routing is by the list from then on. The header `X-Plan-Probe` marks it.
/// Errors: hold-does-not-hold, with what became of it.
[[nodiscard]] Result<std::int64_t> probe_hold(OldSource& source, const std::string& account,
                                              const std::string& id, net::Clock& clock);
/// Takes probes for `account` that a run which died left in the queue out of it.
[[nodiscard]] Outcome remove_probes(OldSource& source, const std::string& account);

}  // namespace plan::server::stalwart15
