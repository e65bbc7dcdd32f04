#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "compiler/ir/step_graph.h"
#include "compiler/source/result.h"
#include "runtime/engine/journal.h"

namespace plan::engine {

/// A held account that a crash or an earlier run left behind.
struct HeldRow {
  ir::RowId row = {};
  std::int64_t held_ms = 0;  ///< for how long already
  bool is_prepared = false;  ///< the proxies have the new mapping
};

struct UndoingRow {
  ir::RowId row = {};
  std::int64_t held_ms = 0;  ///< for how long already; 0 when nobody knows
  std::string reason = {};   ///< for people: why it goes back
  std::vector<ir::StepId> newest_first = {};
};

/// What the journal says about the steps of a graph: where a run begins.
struct Recovered {
  std::vector<ir::StepId> done = {};
  std::vector<HeldRow> held = {};        ///< go on
  std::vector<UndoingRow> undoing = {};  ///< go back, then begin anew
  /// Holds in the journal that nothing stands behind any more: account, and whether it has moved.
  std::vector<std::pair<std::string, bool>> stale_holds = {};
  std::vector<std::string> notices = {};
};

struct RecoveryView {
  std::string graph_digest = {};  ///< of the graph that is to run
  std::int64_t wall_ms = 0;
  std::string boot_id = {};
  std::int64_t up_ms = 0;  ///< the machine's monotonic clock
};

/// Matches the journal with `graph`: done steps by id and digest. An account whose commit step is
/// done stays as it is, whatever the plan says now. An account that is held goes on when its commit
/// was begun, or its bound has not passed on this boot; else it goes back. Errors:
/// plan-changed-while-held, journal-damaged.
[[nodiscard]] Result<Recovered> recover(const ir::StepGraph& graph, Journal& journal,
                                        const RecoveryView& now);

}  // namespace plan::engine
