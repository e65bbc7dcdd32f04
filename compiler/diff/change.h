#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/observation_table.h"
#include "compiler/ir/reviewed.h"
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
  bool is_unseen =
      false;  ///< could not be looked at: no change that is known, and no "nothing to do"
  std::string unseen_because = {};  ///< why it could not be
};

/// Figures of an account or a wave; absent = not measured, never 0.
struct Cost {
  std::optional<std::uint64_t> messages = {};
  std::optional<std::uint64_t> bytes = {};
  std::optional<std::uint64_t> duration_ms = {};
  std::optional<std::uint64_t> hold_ms = {};
  std::uint64_t not_measured = 0;  ///< accounts that are still to be copied and have no figure here
  std::vector<ir::Counted> beside = {};       ///< what is carried besides messages
  std::vector<ir::Counted> not_carried = {};  ///< by name, as beside

  /// Sums; durations of a wave are put side by side by the caller, holds are the longest.
  void add(const Cost& other);
};

/// A part of a time: one step of those that it is made of.
struct TimeShare {
  std::string step = {};
  std::uint64_t ms = 0;
  std::string basis = {};  ///< what was measured and counted
};

struct AccountChange {
  std::string account = {};
  std::vector<StepChange> steps = {};
  Cost cost = {};
  /// The longest chain of steps that its clients wait for, in order; their sum is cost.hold_ms.
  std::vector<TimeShare> hold = {};
  std::vector<TimeShare> duration = {};  ///< their sum is cost.duration_ms
  /// What its clients load again when it has moved; none: nothing, or it was not measured.
  std::optional<std::uint64_t> download_bytes = {};
  /// Nothing is left to do for it, as far as everything could be looked at.
  [[nodiscard]] bool is_satisfied() const;
};

struct WaveChange {
  std::string name = {};
  std::uint32_t parallel = 1;
  bool is_held_for_approval = false;
  std::vector<StepChange> steps = {};  ///< those of no account
  std::vector<AccountChange> accounts = {};
  Cost cost = {};
  std::uint64_t duration_sum_ms = 0;  ///< of its accounts, one after the other
  std::uint64_t longest_ms = 0;       ///< of one of them
  /// What the plan lets its clients take of the network; 0: not said.
  std::uint64_t client_bytes_per_s = 0;
  std::uint64_t client_within_ms = 0;

  /// What the clients of its accounts load again, one client an account: a moved account has new
  /// UIDs, so that every mail program fetches its mail anew.
  [[nodiscard]] std::optional<std::uint64_t> download_bytes() const;
  /// Adds the accounts up: so many at a time, but no faster than the longest of them.
  void sum_up();
};

/// Figures of a step that belongs to no account: what a dump or an import carries.
struct StepCost {
  std::string step = {};
  std::optional<std::uint64_t> bytes = {};
  std::optional<std::uint64_t> duration_ms = {};
  std::string basis = {};
};

struct StageChange {
  ir::Stage stage = ir::Stage::prepare;
  std::vector<StepChange> steps = {};
  std::vector<StepCost> costs = {};  ///< of those of its steps that have figures
  std::vector<WaveChange> waves = {};
};

/// What a migration needs of the disk of a machine, beside what is free there.
struct DiskChange {
  ir::MachineDisk disk = {};
  std::optional<std::uint64_t> needed_bytes = {};
  bool is_at_least = false;  ///< something was not measured: it may be more
  std::string basis = {};    ///< what it is needed for

  /// False: it is known not to fit.
  [[nodiscard]] bool fits() const;
};

/// Steps that could not be looked at for one reason: a server that does not answer is one thing to
/// be told of, however many steps ask it.
struct UnseenReason {
  std::string reason = {};
  std::string first = {};  ///< id of the first of them
  std::size_t steps = 0;
};

/// What would change, as a tree: stage, wave, account, step (design.md section 6 names the stages).
struct ChangeSet {
  std::string plan_name = {};
  std::string digest =
      {};  ///< of the saved plan, when there is one: a review names what it reviewed
  /// Digest of the texts that it was made from (SavedPlan::made_from): with another one of the plan
  /// beside, a review is stale.
  std::string made_from = {};
  std::string path = {};  ///< only what lies below is in it; empty: everything
  std::vector<StageChange> stages = {};
  std::vector<DiskChange> disks = {};
  std::vector<ir::ReviewedFinding> findings = {};  ///< silenced ones too
  std::vector<std::string> notes =
      {};  ///< what the reviewer should know: untested versions, steps not looked at

  /// Kinds of the steps that would do something and can leave something to undo, in the order of
  /// the table of step kinds: what `plan rollback` could do about each is said before anything
  /// runs.
  [[nodiscard]] std::vector<ir::StepKind> kinds_to_undo() const;
  /// Steps whose standing is not `satisfied`, without those that only read and those that could not
  /// be looked at.
  [[nodiscard]] std::size_t change_count() const;
  /// Steps that could not be looked at.
  [[nodiscard]] std::size_t unseen_count() const;
  /// Why they could not be, in the order of the first step of each reason.
  [[nodiscard]] std::vector<UnseenReason> unseen_reasons() const;
};

/// Where a step comes from in the plan: "migration.yaml:33:5"; empty when unknown.
using PlaceOf = std::function<std::string(ir::StepId)>;

/// What a change set has of accounts for which nothing is left to do. A plan of 100,000 of them has
/// over a million steps, and what is folded shows none of them.
enum class Detail : std::uint8_t {
  all,      ///< their steps
  changes,  ///< that they are there
};

/// Puts a graph and what the drivers saw together. A step without observation is unknowable.
/// `place_of` is asked of each step that is in the set, and may be empty.
[[nodiscard]] ChangeSet compare(const ir::StepGraph& graph,
                                const ir::ObservationTable& observations, const PlaceOf& place_of,
                                std::string plan_name, Detail detail = Detail::all);

/// What the copies need on each machine: of the source nothing, of the operator's machine the
/// archives, of the target the mail. Those that have a need of their own already keep it.
void add_disks(ChangeSet& changes, std::vector<DiskChange> disks);

/// The part of a change set that lies below a path: a stage (`prepare`), a wave (`waves/first`), an
/// account (`account/alice@example.org`), a step or a folder of steps (`target/domain`), a property
/// of a step (`target/route/port`). Nothing when nothing lies there.
[[nodiscard]] std::optional<ChangeSet> below(const ChangeSet& changes, std::string_view path);
/// The path nearest to a misspelt one, for "did you mean"; empty: none is near.
[[nodiscard]] std::string nearest_path(const ChangeSet& changes, std::string_view path);

struct RenderOptions {
  bool has_colour = false;
  std::size_t width_columns = 120;
  std::size_t accounts_max = 20;  ///< of a wave that are listed; more are counted
  bool is_folded = true;  ///< what is alike is shown once; false: every step of every account
  std::size_t value_bytes_max = 500;  ///< a longer value is cut
  /// Accounts whose steps are all shown, whatever is folded.
  std::vector<std::string> accounts = {};
};

[[nodiscard]] std::string render_text(const ChangeSet& changes, const RenderOptions& options);
/// For a pull request: begins with the digest, so that a stale review is seen.
[[nodiscard]] std::string render_markdown(const ChangeSet& changes, const RenderOptions& options);
/// docs/formats/diff.md; every member always present.
[[nodiscard]] ir::Value to_document(const ChangeSet& changes);
/// One self-contained page: a tree that folds, tables of cost, disks and findings. Nothing of it
/// comes from elsewhere, and everything that a server or a plan says is escaped.
[[nodiscard]] std::string render_html(const ChangeSet& changes, const RenderOptions& options);

/// A value on one line: secrets as `(secret)`, outputs of earlier steps as `(known after STEP)`,
/// long texts cut.
[[nodiscard]] std::string show_value(const ir::Value& value, std::size_t bytes_max = 80);

}  // namespace plan::diff
