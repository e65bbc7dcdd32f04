// Prevents: a morning on which nobody's mail program works. A moved account has new UIDs, so every
// client loads its mail again; a wave may say how much of that its network bears.
#include <fmt/format.h>

#include <vector>

#include "compiler/check/rules.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void download_too_large(const Migration& migration, Sink& sink) {
  if (migration.facts == nullptr) return;
  const std::vector<PlanWave>& waves = migration.plan.waves;
  std::vector<std::uint64_t> bytes(waves.size());
  for (const Account& account : migration.accounts) {
    if (account.wave >= bytes.size() || waves[account.wave].client_bytes_per_s == 0) continue;
    bytes[account.wave] +=
        migration.facts->count(fmt::format("account/{}/bytes", account.lock->address)).value_or(0);
  }
  for (std::size_t i = 0; i < waves.size(); ++i) {
    const PlanWave& wave = waves[i];
    if (wave.client_bytes_per_s == 0) continue;
    const std::uint64_t seconds = bytes[i] / wave.client_bytes_per_s;
    if (seconds * 1000 <= wave.client_within_ms) continue;
    sink.report(Kind::download_too_large, wave.clients_span,
                fmt::format("the clients of wave `{}` load {} again, which takes {} at {} a second",
                            printable(wave.name, 60), show_bytes(bytes[i]),
                            show_duration_ms(seconds * 1000), show_bytes(wave.client_bytes_per_s)))
        .label(fmt::format("it is to be over within {}", show_duration_ms(wave.client_within_ms)))
        .help("split the wave, or give it more time (`within`)");
  }
}

}  // namespace plan::check::rules
