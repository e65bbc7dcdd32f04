// Says that a module makes the target empty Trash and Junk by the time a message came there, which
// for all imported mail is the time of the import (reference/stalwart-admin.md 5.13).
#include <fmt/format.h>

#include "compiler/check/graph_view.h"
#include "compiler/source/text.h"

namespace plan::check::rules {

void retention_written(const GraphView& view, Sink& sink) {
  for (const TargetWrite& write : view.writes()) {
    if (write.object != "DataRetention") continue;
    const ir::Value& after = write.set["expungeTrashAfter"];
    if (!after.is_integer() || after.as_integer() <= 0) continue;
    report_write(view, write, Kind::trash_expires,
                 fmt::format("makes the target delete what lies in Trash and Junk for {}",
                             show_duration_ms(static_cast<std::uint64_t>(after.as_integer()))),
                 sink)
        .label("imported mail counts from the day of the import, whatever its date")
        .help("write what the source does, or null, which keeps everything");
  }
}

}  // namespace plan::check::rules
