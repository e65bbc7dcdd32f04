#pragma once
#include <string>
#include <vector>

#include "compiler/facts/lock.h"
#include "compiler/ir/plan_file.h"
#include "compiler/source/result.h"

namespace plan::command {

class Session;

/// How the names of the source (accounts, aliases, lists) differ from those of the lock that a plan
/// was compiled with; lines for a person.
struct NameChanges {
  /// What the plan moves is not there any more, or has other names: reviewed against another world.
  std::vector<std::string> drift = {};
  /// What is new at the source and stays there: the plan says nothing of it.
  std::vector<std::string> remarks = {};
};

/// Compares `lock` with `now` (`accounts` and `lists` as in compiler/facts/survey.md) for what the
/// plan still has to do: an account or list that is over is not compared. At most 20 lines of each
/// kind, then their number.
[[nodiscard]] NameChanges compare_names(const ir::SavedPlan& plan, const facts::Lock& lock,
                                        const ir::Value& now);

/// Asks the source for its names and compares them with the lock among the plan's sources. Nothing
/// of a plan about a store. Errors: those of survey_names.
[[nodiscard]] Result<NameChanges> look_at_names(const ir::SavedPlan& plan, Session& session);

/// The lines of `now` that were not among the notes when the plan was reviewed.
[[nodiscard]] NameChanges since_review(const ir::SavedPlan& plan, NameChanges now);

}  // namespace plan::command
