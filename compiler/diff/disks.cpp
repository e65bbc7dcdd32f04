#include <fmt/format.h>

#include "compiler/diff/change.h"
#include "compiler/diff/words.h"

namespace plan::diff {

bool DiskChange::fits() const {
  return !needed_bytes || !disk.free_bytes || *needed_bytes <= *disk.free_bytes;
}

void add_disks(ChangeSet& changes, std::vector<DiskChange> disks) {
  Cost all;
  std::size_t accounts = 0;
  for (const StageChange& stage : changes.stages) {
    for (const WaveChange& wave : stage.waves) {
      all.add(wave.cost);
      for (const AccountChange& account : wave.accounts) accounts += account.cost.bytes ? 1U : 0U;
    }
  }
  for (DiskChange& disk : disks) {
    if (!disk.basis.empty()) {
      changes.disks.push_back(std::move(disk));
      continue;
    }
    if (!all.bytes && all.not_measured == 0) continue;  // nothing is copied any more
    if (disk.disk.machine == "source") {
      disk.needed_bytes = 0;
      disk.basis = "nothing is copied there; what arrives during a hold waits in its queue";
    } else {
      disk.needed_bytes = all.bytes;
      disk.is_at_least = all.not_measured > 0;
      disk.basis = disk.disk.machine == "operator"
                       ? fmt::format("an archive for each of {}, as large as its mail",
                                     count_of(accounts, "account"))
                       : fmt::format("the mail of {}, as the source counts it",
                                     count_of(accounts, "account"));
      if (disk.is_at_least)
        disk.basis += fmt::format("; {} not measured", count_of(all.not_measured, "account"));
    }
    changes.disks.push_back(std::move(disk));
  }
}

}  // namespace plan::diff
