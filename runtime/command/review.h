#pragma once
#include <string>
#include <vector>

#include "compiler/diff/change.h"
#include "compiler/ir/plan_file.h"
#include "compiler/source/result.h"
#include "compiler/source/source_set.h"
#include "runtime/command/observe.h"
#include "runtime/command/project.h"
#include "runtime/command/session.h"

namespace plan::command {

/// A plan together with what was seen of the world: what diff shows, what -o saves, what apply
/// runs.
struct Review {
  ir::SavedPlan saved = {};
  ir::Value connections = {};  ///< for a session
  std::string digest = {};     ///< of the saved plan's file; empty: made just now
};

/// Is this a file that begins as saved plans do? Only looks at its first bytes.
[[nodiscard]] bool is_saved_plan_file(const std::string& file);

/// Looks at the world for a compiled project.
[[nodiscard]] Review review_project(Project project, Session& session,
                                    const step::StopSignal& stop);
/// A saved plan as it was reviewed. Errors: those of read_text_file and read_saved_plan;
/// bad-saved-plan, when the file is named by the digest of another one, or its digests are not
/// those of its texts.
[[nodiscard]] Result<Review> read_review(const std::string& file);

/// The change set to show, with places in the plan.
[[nodiscard]] diff::ChangeSet changes_of(const Review& review,
                                         diff::Detail detail = diff::Detail::all);

/// What has changed in the world since the review, as lines for a person: by fingerprint, step by
/// step and member by member; a step that was seen then and cannot be seen now is one of them.
/// Steps whose fingerprint was not known are not compared. `*steps` counts the others.
[[nodiscard]] std::vector<std::string> drift_since(const Review& review, const Observations& now,
                                                   std::size_t* steps);

/// The lines of a migration.lock that are not those that were reviewed; empty: it is the same lock.
[[nodiscard]] std::vector<std::string> lock_drift(const ir::SavedPlan& saved,
                                                  const std::string& lock_text);

/// What the target's schema of today means for a reviewed plan.
struct SchemaChange {
  std::vector<std::string> drift = {};    ///< what the plan writes and is touched
  std::vector<std::string> remarks = {};  ///< that it is another document, and nothing is touched
};
/// `document` is the text that the target serves.
[[nodiscard]] SchemaChange schema_change(const ir::SavedPlan& saved, const std::string& document);

/// What the spans of a saved graph point into.
[[nodiscard]] SourceSet sources_of(const ir::SavedPlan& saved);

}  // namespace plan::command
