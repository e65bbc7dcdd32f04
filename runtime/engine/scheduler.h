#pragma once
#include <cstdint>
#include <deque>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compiler/ir/step_graph.h"

namespace plan::engine {

/// Where the transaction of a row (an account) stands. Legal ways:
///
///     idle -> held -> committed -> over
///       |       |  \-> undoing -> failed        (the account is back at the source; idle again
///       |       |          |                     when a crash was the reason)
///       |       |          \----> stuck         (an undo did not succeed; still held)
///       |       \---------------> stuck         (the commit's effect is not known)
///       \-> failed, over
enum class RowPhase : std::uint8_t {
  idle = 0,       ///< no held step has begun
  held = 1,       ///< goes on to its commit before anything stops
  committed = 2,  ///< moved; what is left (flush, sweep) can wait for the next run
  undoing = 3,
  failed = 4,
  stuck = 5,
  over = 6,  ///< all its steps are done
};

/// One thing to do now.
struct Decision {
  ir::StepId step = {};
  bool is_undo = false;
  bool is_held = false;      ///< of a held account: no stop signal, few retries
  bool begins_undo = false;  ///< first undo of its row
  bool begins_hold = false;  ///< first held step of its row
  bool ends_hold = false;    ///< last undo of its row, or its last commit step
  friend bool operator==(const Decision&, const Decision&) = default;
};

struct SchedulerLimits {
  std::uint32_t threads_max = 32;
  std::uint32_t source_parallel = 0;  ///< 0: no bound
  std::uint32_t target_parallel = 0;
};

/// What runs next: a pure function of graph, limits and the events so far. No threads, no clock, no
/// journal; the same events give the same decisions. Time for one event is that of the steps it
/// makes ready.
class Scheduler {
 public:
  Scheduler(const ir::StepGraph& graph, SchedulerLimits limits);

  // --- what earlier runs left; before start() ---
  void restore_done(ir::StepId step);
  /// The row is held: it goes on.
  void restore_held(ir::RowId row);
  /// A crash or an earlier run left the row half-way: these steps are undone, newest first, then it
  /// begins anew. Its held and commit steps are not restored as done.
  void restore_undoing(ir::RowId row, std::vector<ir::StepId> newest_first);
  void start();

  // --- decisions ---
  /// Everything that shall begin now; each is running from then on.
  [[nodiscard]] std::vector<Decision> next();

  // --- events ---
  void on_done(ir::StepId step);
  /// `is_effect_unknown`: of a commit step, then the row is stuck instead of undone.
  void on_failed(ir::StepId step, bool is_effect_unknown = false);
  /// The driver stopped on request; the step is not begun again in this run.
  void on_stopped(ir::StepId step);
  /// The step waits for an approval; `unpark` makes all such ready again.
  void on_parked(ir::StepId step);
  void unpark();
  /// The step looks again later (step::not_yet): until `wake` it is in nobody's way. An account
  /// that is not held leaves its place among its wave's parallel ones.
  void on_waiting(ir::StepId step);
  void wake(ir::StepId step);
  /// An account was held for so long, and is not any more.
  void on_hold_ended(ir::RowId row, std::uint64_t held_ms);
  void on_undone(ir::StepId step);
  void on_undo_failed(ir::StepId step);
  void approve(ir::WaveId wave);
  /// From now on only held accounts are finished or undone, and the waiting mail of moved ones is
  /// let go.
  void drain() { is_draining_ = true; }
  void pause(bool is_paused) { is_paused_ = is_paused; }
  void set_limits(SchedulerLimits limits) { limits_ = limits; }
  [[nodiscard]] const SchedulerLimits& limits() const { return limits_; }

  // --- state ---
  [[nodiscard]] std::size_t running() const { return running_; }
  [[nodiscard]] bool is_complete() const { return done_count_ == graph_.size(); }
  [[nodiscard]] bool is_draining() const { return is_draining_; }
  [[nodiscard]] bool is_paused() const { return is_paused_; }
  [[nodiscard]] bool has_parked() const { return !parked_.empty(); }
  [[nodiscard]] std::size_t sleeping() const { return sleeping_; }
  [[nodiscard]] const std::vector<ir::StepId>& parked() const { return parked_; }
  [[nodiscard]] RowPhase phase(ir::RowId row) const { return rows_[row_index(row)].phase; }
  [[nodiscard]] bool is_done(ir::StepId step) const {
    return standing_[ir::index(step)] == Standing::done;
  }
  /// Waves that could run but for their approval.
  [[nodiscard]] std::vector<ir::WaveId> waves_waiting_for_approval() const;
  /// Wave whose stop rule has been met (draining follows from it), and which of its rules.
  struct Stopped {
    ir::WaveId wave = ir::WaveId::none;
    enum class Rule : std::uint8_t { failed, failed_share, hold } rule = Rule::failed;
    std::uint64_t held_ms = 0;  ///< of Rule::hold
  };
  [[nodiscard]] const std::optional<Stopped>& stopped_by() const { return stopped_by_; }
  struct WaveCounts {
    std::uint64_t rows = 0;   ///< accounts
    std::uint64_t moved = 0;  ///< rows committed or over in this run or before
    std::uint64_t failed = 0;
    bool has_begun = false;
    bool is_over = false;  ///< every account has moved or failed; flush and sweep may go on
  };
  [[nodiscard]] WaveCounts wave_counts(ir::WaveId wave) const;
  /// The held steps of a row, in the order in which they are done.
  [[nodiscard]] const std::vector<ir::StepId>& held_steps(ir::RowId row) const {
    return rows_[row_index(row)].held_steps;
  }
  [[nodiscard]] const std::vector<ir::StepId>& commit_steps(ir::RowId row) const {
    return rows_[row_index(row)].commit_steps;
  }

 private:
  enum class Standing : std::uint8_t {
    waiting,
    ready,
    running,
    sleeping,
    done,
    failed,
    blocked,
    stopped
  };

  struct Row {
    RowPhase phase = RowPhase::idle;
    ir::WaveId wave = ir::WaveId::none;
    bool is_account =
        false;  ///< has a commit step; others (lists, a wave's own marks) are not counted
    bool is_active = false;  ///< counts against its wave's `parallel`
    std::uint32_t running = 0;
    std::uint32_t remaining = 0;  ///< steps neither done nor given up
    std::uint32_t commits_left = 0;
    bool is_undo_running = false;
    bool has_begun_undo = false;
    bool is_counted_failed = false;
    bool begins_again = false;  ///< when its undo is over: a crash left it held
    std::vector<ir::StepId> ready;
    std::vector<ir::StepId> held_steps;    ///< role held, in topological order
    std::vector<ir::StepId> commit_steps;  ///< role commit
    std::vector<ir::StepId> begun_held;    ///< held and commit steps that may have had an effect
    std::vector<ir::StepId> to_undo;       ///< newest last, taken from the back
  };
  struct Wave {
    std::uint64_t rows = 0;
    std::uint64_t remaining = 0;
    std::uint64_t before_commit = 0;  ///< of those: not after an account's commit
    std::uint64_t moved = 0;
    std::uint64_t failed = 0;
    std::uint32_t active = 0;
    std::uint32_t parallel = 1;
    std::uint32_t stop_after_failed = 0;
    std::uint32_t stop_failed_permille = 0;
    std::uint64_t stop_hold_ms = 0;
    bool is_gated = false;
    bool has_begun = false;
    std::deque<ir::RowId> startable;  ///< rows with a ready step that are not active
    std::vector<ir::StepId> ready;    ///< steps without row
  };

  [[nodiscard]] static std::size_t row_index(ir::RowId row) {
    return static_cast<std::size_t>(row);
  }
  [[nodiscard]] static std::size_t wave_index(ir::WaveId wave) {
    return static_cast<std::size_t>(wave);
  }
  [[nodiscard]] bool is_wave_open(std::size_t wave) const;
  void open_next_wave();
  [[nodiscard]] bool has_room(ir::StepId step) const;
  void make_ready(ir::StepId step);
  void settle(ir::StepId step, Standing standing);
  /// Whether a step that is not begun can be given up.
  [[nodiscard]] static bool is_open(Standing standing) {
    return standing == Standing::waiting || standing == Standing::ready ||
           standing == Standing::sleeping;
  }
  void give_up(ir::StepId step);
  void block_dependents(ir::StepId step);
  void stop(ir::WaveId wave, Stopped::Rule rule, std::uint64_t held_ms);
  void block_row(ir::RowId row);
  void begin_undo(ir::RowId row);
  void deactivate(Row& row);
  void count_failed(Row& row);
  void set_phase(ir::RowId row, RowPhase phase);
  void finish_row_if_over(ir::RowId row);
  void begin(ir::StepId step, std::vector<Decision>& out);
  void occupy(ir::StepId step, bool is_held, int change);
  void take_ready(Row& row, bool ignores_room, bool only_mail, std::vector<Decision>& out);

  const ir::StepGraph& graph_;
  SchedulerLimits limits_;
  std::vector<Standing> standing_;
  std::vector<std::uint32_t> waits_for_;
  std::vector<bool> is_occupying_held_;
  std::vector<bool> is_after_commit_;  ///< flush, sweep: the next wave does not wait for them
  std::vector<Row> rows_;              ///< by RowId; 0 is "no row"
  std::vector<Wave> waves_;            ///< by WaveId; 0 is "no wave"
  std::vector<std::vector<ir::StepId>> steps_of_row_;
  // Rows that next() has to look at, by id so that decisions have one order.
  std::set<ir::RowId> held_rows_, undoing_rows_, active_rows_, committed_rows_;
  std::vector<ir::StepId> parked_;
  std::optional<Stopped> stopped_by_;
  std::size_t sleeping_ = 0;
  std::size_t running_ = 0;
  std::size_t running_unheld_ = 0;
  std::size_t running_source_ = 0;
  std::size_t running_target_ = 0;
  std::size_t done_count_ = 0;
  std::size_t open_wave_ = 1;  ///< first wave whose accounts have not all moved or failed
  bool is_draining_ = false;
  bool is_paused_ = false;
};

}  // namespace plan::engine
