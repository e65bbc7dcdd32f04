#pragma once
#include <string_view>

#include "compiler/check/plan.h"
#include "compiler/ir/step_kind.h"
#include "compiler/source/diagnostic.h"

namespace plan::check {

inline constexpr std::string_view kDovecotPostfix = "std/dovecot-postfix";
/// The procedure for a Stalwart 0.13 to 0.15.
inline constexpr std::string_view kOldStalwart = "std/stalwart-0.15";
/// How such a source is named, for plans that lack it.
inline constexpr std::string_view kOldStalwartHelp =
    "`stalwart: {url: https://old.example.org, login: {user: admin, password: !secret "
    "file:secrets/old}}` in `source`, and `plan init --from stalwart-15` writes a whole plan";

/// The source is a Stalwart 0.13 to 0.15, not Dovecot and Postfix.
[[nodiscard]] inline bool is_from_stalwart(const Plan& plan) {
  return plan.source["stalwart"].is_map();
}

/// The kinds of the steps that hold one account's mail, hand it on, and close the account's own
/// door, at the plan's source.
struct SourceSteps {
  ir::StepKind hold = ir::StepKind::postfix_hold;
  ir::StepKind forward = ir::StepKind::postfix_forward;
  ir::StepKind door = ir::StepKind::dovecot_deny;
};
[[nodiscard]] inline SourceSteps steps_of_source(const Plan& plan) {
  if (!is_from_stalwart(plan)) return {};
  return {ir::StepKind::source_hold, ir::StepKind::source_forward, ir::StepKind::source_freeze};
}

/// Whether `source` and `use` speak of the same kind of source. A Stalwart has no files of Dovecot
/// and Postfix, and its master user is let in as `ACCOUNT%MASTER`, which is filled in. Of every
/// source: whether its services are reached as their ports are used, and the master password goes
/// under TLS.
void check_kind_of_source(Plan& plan, Sink& sink);

/// What an old Stalwart has to know by an IP address (the target and the proxies, which it may not
/// ban) and by a host name (the target, because a relay to an IP address bounces everything): the
/// name is filled in from `target.url` where `source.stalwart.target_name` does not say one.
/// Neither may be that of the old server itself.
void check_names_for_stalwart(Plan& plan, Sink& sink);

}  // namespace plan::check
