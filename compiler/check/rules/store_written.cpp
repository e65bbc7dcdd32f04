// Prevents: a server that loses sight of its mail. Another data or blob store is used from the next
// start on, and nothing of the old one is moved (reference/stalwart-admin.md 5.18).
#include <fmt/format.h>

#include "compiler/check/graph_view.h"

namespace plan::check::rules {

void store_written(const GraphView& view, Sink& sink) {
  for (const TargetWrite& write : view.writes()) {
    if (write.object != "DataStore" && write.object != "BlobStore") continue;
    report_write(view, write, Kind::data_destroyed,
                 fmt::format("gives the target another {}", write.object), sink)
        .label("what is in the old one is not moved, and not seen any more after a start")
        .help("std/store-move brings a server's data to another store, and back");
  }
}

}  // namespace plan::check::rules
