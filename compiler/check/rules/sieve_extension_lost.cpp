// Says which Sieve extensions the source offers and the target does not have. The target takes a
// script that requires one without a word, and the script does nothing (reference/sources.md 1.3,
// stalwart-admin.md 8.4).
#include <fmt/format.h>

#include "compiler/check/kind_of_source.h"
#include "compiler/check/rules.h"
#include "compiler/check/sieve_extensions.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void sieve_extension_lost(const Migration& migration, Sink& sink) {
  const auto found = migration.lock->capabilities.find("source.sieve");
  if (found == migration.lock->capabilities.end()) return;
  Examples examples;
  for (const std::string& name : found->second) {
    if (!is_extension_of_target(name)) examples.add(name, {});
  }
  if (examples.count == 0) return;
  sink.report(Kind::sieve_extension_lost, migration.plan.place("source"),
              fmt::format("the source has {} that the target does not know: {}",
                          counted(examples.count, "Sieve extension", "Sieve extensions"),
                          examples.text()))
      .label("a script that requires one moves, and does nothing on the target")
      .help(
          fmt::format("look for them in the users' scripts{}, and rewrite those before their wave",
                      is_from_stalwart(migration.plan) ? "" : " (`doveadm sieve get`)"));
}

}  // namespace plan::check::rules
