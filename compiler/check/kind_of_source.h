#pragma once
#include <string_view>

#include "compiler/check/plan.h"
#include "compiler/source/diagnostic.h"

namespace plan::check {

inline constexpr std::string_view kDovecotPostfix = "std/dovecot-postfix";
/// Reads and checks the accounts of a Stalwart 0.13 to 0.15; report_unmoved says what
/// it does not do.
inline constexpr std::string_view kOldStalwart = "std/stalwart-0.15";
/// How such a source is named, for plans that lack it.
inline constexpr std::string_view kOldStalwartHelp =
    "`stalwart: {url: https://old.example.org, login: {user: admin, password: !secret "
    "file:secrets/old}}` in `source`, and `plan init --from stalwart-15` writes a whole plan";

/// The source is a Stalwart 0.13 to 0.15, not Dovecot and Postfix.
[[nodiscard]] inline bool is_from_stalwart(const Plan& plan) {
  return plan.source["stalwart"].is_map();
}

/// Prevents half a migration: accounts of such a source are read into the lock and every rule looks
/// at them, but no step holds one account's mail and clients there, so nothing is lowered. Before
/// there is a lock it is a warning: `plan fetch` has to go on.
void report_unmoved(const Migration& migration, Sink& sink);

/// Whether `source` and `use` speak of the same kind of source. A Stalwart has no files of Dovecot
/// and Postfix, and its master user is let in as `ACCOUNT%MASTER`, which is filled in.
void check_kind_of_source(Plan& plan, Sink& sink);

}  // namespace plan::check
