// Says which settings of the source do something for the accounts that nothing carries over
// (reference/sources.md 3 and 4: facts that migrations forget).
#include <fmt/format.h>

#include <array>

#include "compiler/check/kind_of_source.h"
#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {
namespace {

struct Lost {
  const char* name = nullptr;  ///< in the lock
  std::string_view what = {};
};

constexpr std::array kLost = {
    Lost{"source.always_bcc", "a copy of all mail"},
    Lost{"source.sender_bcc_maps", "copies of what users send"},
    Lost{"source.recipient_bcc_maps", "copies of what users get"},
    Lost{"source.canonical_maps", "rewritten addresses"},
    Lost{"source.sender_canonical_maps", "rewritten senders"},
    Lost{"source.recipient_canonical_maps", "rewritten recipients"},
    Lost{"source.relocated_maps", "answers for users who have gone"},
    Lost{"source.transport_maps", "ways of their own for some addresses"},
    Lost{"source.smtpd_sender_login_maps", "who may send with which address"},
    Lost{"source.sieve_before", "scripts of the site in front of the users'"},
    Lost{"source.sieve_after", "scripts of the site behind the users'"},
    // Of a Stalwart 0.15 (reference/stalwart-v015-api.md 5).
    Lost{"source.groups", "groups, their mailboxes and who is in them"},
    Lost{"source.app_passwords", "app passwords"},
    Lost{"source.one_time_codes", "one-time codes as a second factor"},
    Lost{"source.unusable_passwords", "passwords that nobody can log in with"},
    Lost{"source.closed_mailboxes", "mailboxes that receive nothing"},
    Lost{"source.roles", "roles of their own"},
    Lost{"source.permissions", "permissions of their own"},
    Lost{"source.lists_without_address", "lists without an address"},
    Lost{"source.system_scripts", "scripts of the site"},
    Lost{"source.address_rules", "rules of its own for catch-alls or sub-addresses"},
    Lost{"source.routes", "conditions for the way of outgoing mail"},
    Lost{"source.port_rules",
         "rules of its own, in place of which a fresh server's hold until finalize"},
};

/// Without the map of the migration itself, which std/source-preparation adds.
std::string without_own_map(std::string_view value, std::string_view own) {
  std::string rest;
  for (const std::string_view word : split(value, ' ')) {
    const std::string_view map = trim(word.substr(0, word.find_last_not_of(',') + 1));
    if (map.empty() || (!own.empty() && map.ends_with(":" + std::string(own)))) continue;
    rest += fmt::format("{}{}", rest.empty() ? "" : " ", map);
  }
  return rest;
}

}  // namespace

void source_setting_lost(const Migration& migration, Sink& sink) {
  std::string words;
  const std::string_view own = migration.plan.source["postfix"]["transport_map"].string_or("");
  for (const Lost& lost : kLost) {
    const std::string_view said = setting(migration, lost.name).string_or("");
    const std::string value =
        is_from_stalwart(migration.plan) ? std::string(said) : without_own_map(said, own);
    if (value.empty()) continue;
    words += fmt::format("{}`{}` ({})", words.empty() ? "" : ", ",
                         std::string_view(lost.name).substr(7), lost.what);
    if (is_from_stalwart(migration.plan)) words += fmt::format(": {}", printable(value, 400));
  }
  if (words.empty()) return;
  sink.report(Kind::source_setting_lost, migration.plan.place("source"),
              fmt::format("settings of the source that are not carried over: {}", words))
      .label("accounts that have moved do without them")
      .help(
          "decide for each whether the target needs it: a system script (SieveSystemScript), an "
          "alias, or nothing");
}

}  // namespace plan::check::rules
