// Prevents: a canary that proves nothing because it has no account.
#include <fmt/format.h>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void wave_empty(const Migration& migration, Sink& sink) {
  if (migration.plan.is_partial || migration.plan.are_waves_partial) return;
  if (migration.accounts.empty()) return;
  std::vector<bool> is_used(migration.plan.waves.size());
  for (const Account& account : migration.accounts) {
    if (account.wave < is_used.size()) is_used[account.wave] = true;
  }
  bool has_rest = false;
  for (std::size_t w = 0; w < is_used.size(); ++w) {
    const PlanWave& wave = migration.plan.waves[w];
    const bool is_second_rest = wave.is_rest && has_rest;
    has_rest = has_rest || wave.is_rest;
    // Names that are no accounts were reported already, and so was a second wave for all others.
    if (is_used[w] || wave.is_broken || !wave.accounts.empty() || is_second_rest) continue;
    sink.report(Kind::wave_empty, wave.span,
                fmt::format("wave `{}` moves nobody", printable(wave.name, 60)))
        .help(wave.is_rest ? "all accounts are in other waves: leave this one out"
                           : "name its accounts, or leave it out");
  }
}

}  // namespace plan::check::rules
