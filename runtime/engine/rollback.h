#pragma once
#include <cstdint>
#include <optional>
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

/// The error undo-barred, with the step that bars the way, when there is one.
[[nodiscard]] Outcome check_not_barred(const RollbackPlan& plan, const RollbackGoal& goal);

/// What the way back of one account would carry, seen now.
struct RollbackLook {
  std::string account = {};
  std::string text = {};
  bool is_refused = false;  ///< it could not: why
  std::optional<std::uint64_t> messages = {};
  std::optional<std::uint64_t> bytes = {};
  /// How long it will be held; nothing where a step could not be looked at.
  std::optional<std::uint64_t> hold_ms = {};
  struct Share {
    std::string step = {};
    std::uint64_t ms = 0;
    std::string basis = {};  ///< what was measured and counted
  };
  std::vector<Share> hold = {};  ///< in the order of undoing; those of less than a millisecond too
};

/// Looks at every step that would be undone, of at most `accounts_max` accounts. Reads only. The
/// hold is predicted from what the looks took, from what the drivers say that they wait for, and
/// from what one durable write takes here.
[[nodiscard]] Result<std::vector<RollbackLook>> look_before_rollback(const EngineParts& parts,
                                                                     const EngineOptions& options,
                                                                     const RollbackGoal& goal,
                                                                     std::size_t accounts_max,
                                                                     double durable_write_ms = 0);

/// Undoes newest first through the drivers, each undo announced and recorded. Before an account's
/// first undo the drivers of its carry-back steps are asked (observe with `is_rollback`), then do
/// what needs no hold (before_undo): an error there leaves that account untouched. Once an
/// account's undo has begun it is finished before the run ends. Resumable by the same call. Errors:
/// undo-barred (nothing was done), else as `run`.
[[nodiscard]] Result<RunResult> roll_back(const EngineParts& parts, const EngineOptions& options,
                                          const RollbackGoal& goal);

}  // namespace plan::engine
