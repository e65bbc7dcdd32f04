#pragma once
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/observation_table.h"
#include "compiler/ir/reviewed.h"
#include "compiler/ir/step_graph.h"
#include "compiler/source/result.h"

namespace plan::ir {

/// A reviewed plan (design.md section 2, promise 3): self-contained, content-addressed, single-use.
/// It names its steps' wishes, the state of the world they were reviewed against, and the texts
/// they came from. No secret is in it.
struct SavedPlan {
  std::string plan_name = {};
  std::string made_at = {};  ///< RFC 3339, UTC
  StepGraph graph = {};
  std::string plan_digest = {};  ///< SHA-256 of the plan's text, hex
  std::string lock_digest = {};
  std::string schema_digest = {};
  std::vector<std::pair<std::string, std::string>> sources =
      {};  ///< name and text, in the order of their FileIds
  ObservationTable observations = {};
  std::vector<ReviewedFinding> findings = {};
  std::vector<MachineDisk> disks = {};
  std::vector<std::string> notes = {};
  /// Digest of every text that the plan was compiled from (plan, lists, modules, lock) without the
  /// measurements: another one means that a review is stale. Hex; empty: not known.
  std::string made_from = {};
  /// The program that made it: another one may make other steps of the same texts. Empty: not
  /// known.
  std::string made_by = {};
  /// Of the target's schema what the plan writes (docs/formats/schema-facts.md), so that a later
  /// document can be compared where the earlier one is not at hand. Null: not known.
  Value schema_parts = {};
};

/// A saved plan of 100,000 accounts stays below this.
inline constexpr std::size_t kSavedPlanBytesMax = std::size_t{4} << 30U;
/// What the notes of a plan have together, and one byte for each: they are lines for a person.
inline constexpr std::size_t kNotesBytesMax = std::size_t{1} << 20U;

/// The text of a saved plan (docs/formats/saved-plan.md): a first line `plan-saved 1 <sha256 of the
/// rest>`, then canonical JSON.
/// `*digest` is that digest: the plan's name.
[[nodiscard]] std::string write_saved_plan(const SavedPlan& plan, std::string* digest);

/// Reads one, in time linear in its size. What is read is written again with the same bytes: what
/// write_saved_plan would not have written is refused with its place, not left out. Errors:
/// bad-saved-plan (not one, another format, damaged: the digest differs, refers to what is not
/// there, is not spelled as write_saved_plan does), bad-json, json-too-large.
[[nodiscard]] Result<SavedPlan> read_saved_plan(std::string_view text, std::string* digest);

/// How every saved plan begins, of whatever version of the format.
inline constexpr std::string_view kSavedPlanBegin = "plan-saved ";
/// Does `text` look like a saved plan (its first word)?
[[nodiscard]] bool is_saved_plan(std::string_view text);

/// Digest of what a step's driver said it reads of the world; empty when it said nothing.
[[nodiscard]] std::string fingerprint_of(const Observation& observation);

}  // namespace plan::ir
