// Says which settings of the source do something for the accounts that nothing carries over
// (reference/sources.md 3 and 4: facts that migrations forget).
#include <fmt/format.h>

#include <array>

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
    Lost{"source.sieve_before", "scripts of the site in front of the users'"},
    Lost{"source.sieve_after", "scripts of the site behind the users'"},
};

}  // namespace

void source_setting_lost(const Migration& migration, Sink& sink) {
  std::string words;
  for (const Lost& lost : kLost) {
    const std::string_view value = setting(migration, lost.name).string_or("");
    if (value.empty()) continue;
    words += fmt::format("{}`{}` ({})", words.empty() ? "" : ", ",
                         std::string_view(lost.name).substr(7), lost.what);
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
