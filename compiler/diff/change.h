#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "compiler/ir/observation.h"
#include "compiler/ir/step_graph.h"

namespace plan::diff {

/// One step of a diff: what it wants, how the world stands to it, what it costs. A value; renderers
/// decide the words.
struct StepChange {
  std::string id = {};
  ir::StepKind kind = {};
  ir::TransactionRole role = ir::TransactionRole::none;
  ir::Standing standing = ir::Standing::unknowable;
  std::vector<ir::Difference> differences = {};
  std::string remark = {};
  std::string place = {};  ///< "migration.yaml:33:5"; empty when unknown
};

/// Figures of an account or a wave; absent = not measured, never 0.
struct Cost {
  std::optional<std::uint64_t> messages = {};
  std::optional<std::uint64_t> bytes = {};
  std::optional<std::uint64_t> duration_ms = {};
  std::optional<std::uint64_t> hold_ms = {};
  std::vector<ir::Counted> beside = {};       ///< what is carried besides messages
  std::vector<ir::Counted> not_carried = {};  ///< by name, as beside

  /// Sums; durations of a wave are divided by its parallelism by the caller, holds are the longest.
  void add(const Cost& other);
};

/// A part of the time that an account's clients wait: one step of the longest chain of them.
struct HoldShare {
  std::string step = {};
  std::uint64_t ms = 0;
  std::string basis = {};  ///< what was measured and counted
};

struct AccountChange {
  std::string account = {};
  std::vector<StepChange> steps = {};
  Cost cost = {};
  std::vector<HoldShare> hold = {};  ///< in order; their sum is cost.hold_ms
  /// Nothing is left to do for it.
  [[nodiscard]] bool is_satisfied() const;
};

struct WaveChange {
  std::string name = {};
  std::uint32_t parallel = 1;
  bool is_held_for_approval = false;
  std::vector<StepChange> steps = {};  ///< those of no account
  std::vector<AccountChange> accounts = {};
  Cost cost = {};
};

struct StageChange {
  ir::Stage stage = ir::Stage::prepare;
  std::vector<StepChange> steps = {};
  std::vector<WaveChange> waves = {};
};

/// What would change, as a tree: stage, wave, account, step (design.md section 6 names the stages).
struct ChangeSet {
  std::string plan_name = {};
  std::string digest =
      {};  ///< of the saved plan, when there is one: a review names what it reviewed
  std::vector<StageChange> stages = {};
  std::vector<std::string> notes =
      {};  ///< what the reviewer should know: untested versions, steps not looked at

  /// Kinds of the steps that would do something and can leave something to undo, in the order of
  /// the table of step kinds: what `plan rollback` could do about each is said before anything
  /// runs.
  [[nodiscard]] std::vector<ir::StepKind> kinds_to_undo() const;
  /// Steps whose standing is not `satisfied`, without those that only read.
  [[nodiscard]] std::size_t change_count() const;
};

using Places = std::unordered_map<std::uint32_t, std::string>;

/// Puts a graph and what the drivers saw (key: index of the step) together. A step without
/// observation is unknowable.
[[nodiscard]] ChangeSet compare(
    const ir::StepGraph& graph,
    const std::unordered_map<std::uint32_t, ir::Observation>& observations, const Places& places,
    std::string plan_name);

struct RenderOptions {
  bool has_colour = false;
  std::size_t width_columns = 120;
  std::size_t accounts_max = 20;  ///< of a wave that are listed; more are counted
  bool is_folded = true;  ///< what is alike is shown once; false: every step of every account
  /// Accounts whose steps are all shown, whatever is folded.
  std::vector<std::string> accounts = {};
};

[[nodiscard]] std::string render_text(const ChangeSet& changes, const RenderOptions& options);
/// For a pull request: begins with the digest, so that a stale review is seen.
[[nodiscard]] std::string render_markdown(const ChangeSet& changes, const RenderOptions& options);
/// `{"format":1,"plan":…,"stages":[…]}`; every member always present.
[[nodiscard]] ir::Value to_document(const ChangeSet& changes);
/// One self-contained page.
[[nodiscard]] std::string render_html(const ChangeSet& changes, const RenderOptions& options);

/// A value on one line: secrets as `(secret)`, outputs of earlier steps as `(known after STEP)`,
/// long texts cut.
[[nodiscard]] std::string show_value(const ir::Value& value, std::size_t bytes_max = 80);

}  // namespace plan::diff
