#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/ir/digest.h"
#include "compiler/ir/step_kind.h"
#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "compiler/source/span.h"
#include "compiler/source/text_index.h"

namespace plan::ir {

/// Index of a step in its graph; stable while the graph lives, not between compilations (the id
/// text is).
enum class StepId : std::uint32_t {};
/// A row: what the steps of one account (or of one domain, proxy, list) have in common.
enum class RowId : std::uint32_t { none = 0 };
/// A wave of the plan, in order; `none` for steps outside the waves.
enum class WaveId : std::uint16_t { none = 0 };

[[nodiscard]] constexpr std::size_t index(StepId id) { return static_cast<std::size_t>(id); }

/// Part of a step in the transaction of its account (design.md section 6). From the first `held`
/// step on the account is held: the engine either reaches `commit` or undoes all done `held` steps,
/// newest first, before it stops.
enum class TransactionRole : std::uint8_t { none = 0, held = 1, commit = 2 };

/// One step of a wave's shape, before it is stamped out for each row.
struct StepShape {
  StepKind kind = {};
  Stage stage = Stage::prepare;
  TransactionRole role = TransactionRole::none;
  /// Id with `{}` where the row's escaped name goes: "account/{}/copy". Without `{}` the step
  /// stands alone.
  std::string id_pattern = {};
  /// Arguments. An OutputRef whose step is `$row` is replaced by that member of the row; an
  /// OutputRef whose step has a
  /// `{}` names a step of the same row.
  Value arguments = {};
  Span origin = {};  ///< place in the plan or module that caused it
};

struct WaveInfo {
  std::string name = {};
  std::uint32_t parallel = 1;
  bool is_held_for_approval = false;
  /// When the wave, and with it the run, stops; all 0: only what waits for a failed account does.
  std::uint32_t stop_after_failed = 0;     ///< so many accounts have failed
  std::uint32_t stop_failed_permille = 0;  ///< this share of the wave's accounts has failed
  std::uint64_t stop_hold_ms = 0;          ///< an account was held longer than this
  /// What the wave's clients may take of the network while they load their mail again; 0: not said.
  std::uint64_t client_bytes_per_s = 0;
  std::uint64_t client_within_ms = 0;
  Span origin = {};
};

/// The checked graph of steps, stored by column so that 100,000 accounts (over a million steps)
/// stay small: per-account procedures are one shape and one row each. Build with add_*, then
/// freeze(); frozen it is const for everybody and may be read from any thread.
class StepGraph {
 public:
  // --- building ---
  /// Room for so many, where they are known before: growing columns of millions are copied again
  /// and again.
  void reserve(std::size_t rows, std::size_t steps, std::size_t edges);
  std::uint32_t add_shape(StepShape shape);
  /// `name` is the row's readable name (an address), unescaped.
  RowId add_row(std::string name, Value members, Span origin);
  WaveId add_wave(WaveInfo wave);
  StepId add_step(std::uint32_t shape, RowId row, WaveId wave);
  /// `step` runs after `before`. Both exist already.
  void add_edge(StepId before, StepId step);
  /// `step` runs after `before` has come to its end, also when it failed or cannot run: an order
  /// and no need.
  void add_soft_edge(StepId before, StepId step);
  /// Checks that ids are unique and that there is no cycle, sorts edges, computes the order.
  /// bad-saved-plan style errors cannot come from our own lowering, so a cycle is returned as text:
  /// the ids on it.
  [[nodiscard]] std::optional<std::string> freeze();

  // --- reading (frozen) ---
  [[nodiscard]] std::size_t size() const { return shape_of_.size(); }
  [[nodiscard]] std::string id(StepId step) const;
  [[nodiscard]] std::optional<StepId> find(std::string_view id) const;
  [[nodiscard]] StepKind kind(StepId step) const { return shape(step).kind; }
  [[nodiscard]] Stage stage(StepId step) const { return shape(step).stage; }
  [[nodiscard]] TransactionRole role(StepId step) const { return shape(step).role; }
  [[nodiscard]] Span origin(StepId step) const { return shape(step).origin; }
  [[nodiscard]] RowId row(StepId step) const { return row_of_[index(step)]; }
  [[nodiscard]] WaveId wave(StepId step) const { return wave_of_[index(step)]; }
  [[nodiscard]] const StepShape& shape(StepId step) const {
    return shapes_[shape_of_[index(step)]];
  }
  /// The step's arguments with the row's members filled in. Secrets are references; outputs of
  /// other steps are OutputRefs with the full id.
  [[nodiscard]] Value arguments(StepId step) const;
  /// One of them; null when it was not given.
  [[nodiscard]] Value argument(StepId step, std::string_view name) const;
  /// Digest of kind and canonical arguments: what resume compares (design.md section 8).
  [[nodiscard]] Sha256 digest(StepId step) const;
  /// Steps that must be done before this one.
  [[nodiscard]] std::span<const StepId> after(StepId step) const;
  /// Steps that wait for this one.
  [[nodiscard]] std::span<const StepId> before(StepId step) const;
  /// Whether the edge between the two is an order only (add_soft_edge).
  [[nodiscard]] bool is_soft(StepId before, StepId step) const;
  /// A topological order; the same for the same input.
  [[nodiscard]] const std::vector<StepId>& order() const { return order_; }
  [[nodiscard]] std::size_t row_count() const { return row_names_.size(); }
  [[nodiscard]] std::string_view row_name(RowId row) const;
  [[nodiscard]] const Value& row_members(RowId row) const;
  [[nodiscard]] Span row_origin(RowId row) const;
  [[nodiscard]] const std::vector<WaveInfo>& waves() const { return waves_; }
  [[nodiscard]] const WaveInfo* wave_info(WaveId wave) const;
  [[nodiscard]] const std::vector<StepShape>& shapes() const { return shapes_; }

  /// The whole graph as a document (for saved plans) and back. `from_document` bounds and checks
  /// everything it reads.
  [[nodiscard]] Value to_document() const;
  [[nodiscard]] static Result<StepGraph> from_document(const Value& document);

 private:
  using Edge = std::pair<StepId, StepId>;  // before, step

  void sort_edges();
  /// A text about the id that is there twice; nothing when there is none.
  [[nodiscard]] std::optional<std::string> index_ids();
  void choose_named_patterns();
  void number_names();
  [[nodiscard]] bool is_found_by_name(StepId step) const;

  std::vector<StepShape> shapes_;
  std::vector<std::string> row_names_;
  std::vector<Value> row_members_;
  std::vector<Span> row_origins_;
  std::vector<WaveInfo> waves_;

  // columns, one entry a step
  std::vector<std::uint32_t> shape_of_;
  std::vector<RowId> row_of_;
  std::vector<WaveId> wave_of_;

  std::vector<Edge> edges_;  // until freeze()
  std::vector<std::uint32_t> after_begin_, before_begin_;
  std::vector<StepId> after_, before_;
  std::vector<Edge> soft_;  // those of the edges; sorted by freeze()
  std::vector<StepId> order_;

  // Where ids are looked up. A pattern whose ids no other pattern can make is found by the name of
  // its row: one entry for the name instead of one for each of its steps. All others by the whole.
  std::vector<std::uint32_t> named_shapes_;  // first shape of each pattern that is found by name
  std::vector<std::uint32_t> pattern_of_;    // by shape: which of those it has, or kNoPattern
  TextIndex by_name_;                        // escaped name -> first row of that name
  std::vector<std::uint32_t> name_of_;       // by row: number of its name
  std::vector<std::uint32_t> name_begin_;    // by name: where its steps begin
  std::vector<StepId> name_steps_;
  TextIndex by_id_;
};

/// A path segment of a step id: `%`, `/`, control characters and blanks percent-escaped (design.md
/// section 8).
[[nodiscard]] std::string escape_segment(std::string_view text);

}  // namespace plan::ir
