#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "runtime/server/probe/hold_probes.h"
#include "runtime/server/source/source.h"
#include "runtime/step/step_driver.h"

namespace plan::server::postfix {

/// The transport that accepts everything and keeps it in the queue: a port where nobody listens
/// (reference/split-delivery.md 9.1).
inline constexpr std::string_view kHoldTransport = "smtp:[127.0.0.1]:1";

/// postfix.hook: plan's transport map in front of `transport_maps`.
[[nodiscard]] std::shared_ptr<step::StepDriver> make_hook_driver(
    std::shared_ptr<source::SourcePool> sources);
/// postfix.listener: the smtpd that takes the PROXY header and trusts nobody for it.
[[nodiscard]] std::shared_ptr<step::StepDriver> make_listener_driver(
    std::shared_ptr<source::SourcePool> sources);
/// postfix.hold: the account's mail waits in the source's queue; apply returns when nothing is in
/// delivery any more.
[[nodiscard]] std::shared_ptr<step::StepDriver> make_hold_driver(
    std::shared_ptr<source::SourcePool> sources, probe::OpenMailbox open_mailbox);
/// postfix.forward: the account's mail goes to the target.
[[nodiscard]] std::shared_ptr<step::StepDriver> make_forward_driver(
    std::shared_ptr<source::SourcePool> sources);

/// Sends the probe `id` to `account` through the source's port 25, sees it held in the queue and
/// takes it out again. The header `X-Plan-Probe` marks it. Errors: hold-does-not-hold, with what
/// became of it.
[[nodiscard]] Outcome probe_hold(source::Source& source, const std::string& account,
                                 const std::string& id);
/// Takes probes for `account` that a run which died left in the queue out of it.
[[nodiscard]] Outcome remove_probes(source::Source& source, const std::string& account);

/// The `transport_maps` value with `reference` as its first entry, and whether it is so already.
[[nodiscard]] std::string with_map_in_front(std::string_view value, std::string_view reference);
[[nodiscard]] bool is_map_in_front(std::string_view value, std::string_view reference);

/// The master.cf line of the listener, made from the line of the public smtpd ("smtp inet n - y - -
/// smtpd -o ..."; behind postscreen "smtpd pass ..."), with its options taken over. A plain one
/// when that line is of another program.
[[nodiscard]] std::string listener_line(std::string_view public_line, std::string_view name);

}  // namespace plan::server::postfix
