#pragma once
#include <string>
#include <variant>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/journal.h"

namespace plan::engine {

// What `plan rollback` names.
struct ToPoint {
  std::string point = {};  ///< name of a mark.rollback-point step
};
struct OfAccount {
  std::string account = {};
};
struct OfWave {
  std::string wave = {};
};
using RollbackGoal = std::variant<ToPoint, OfAccount, OfWave>;

/// One step that would be undone.
struct RollbackStep {
  std::string step = {};
  std::string account = {};
  ir::StepKind kind = {};
  ir::UndoPolicy undo = ir::UndoPolicy::nothing_to_undo;
  std::int64_t sequence = 0;
  bool was_satisfied = false;  ///< plan changed nothing there: skipped
};

struct RollbackPlan {
  std::vector<RollbackStep> steps = {};  ///< newest first
  /// Steps that cannot be undone (irreversible); not empty: the rollback is refused.
  std::vector<RollbackStep> barred = {};
};

/// What a rollback would do, from the journal alone. An account goes back as a whole: its held and
/// commit steps and all that came after; the steps before its hold (account, copy) are kept, so
/// that moving it again is quick, unless the point lies before them. Errors: point-unknown,
/// nothing-to-roll-back.
[[nodiscard]] Result<RollbackPlan> plan_rollback(Journal& journal, const ir::StepGraph& graph,
                                                 const RollbackGoal& goal);

/// Undoes newest first through the drivers, each undo announced and recorded. Before an account's
/// first undo the drivers of its carry-back steps are asked (observe with `is_rollback`): an error
/// there, such as mail that arrived at the target meanwhile, leaves that account untouched. Once an
/// account's undo has begun it is finished before the run ends. Resumable by the same call. Errors:
/// undo-barred (nothing was done), else as `run`.
[[nodiscard]] Result<RunResult> roll_back(const EngineParts& parts, const EngineOptions& options,
                                          const RollbackGoal& goal);

}  // namespace plan::engine
