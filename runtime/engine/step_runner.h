#pragma once
#include <atomic>
#include <chrono>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "compiler/ir/step_graph.h"
#include "runtime/engine/engine.h"
#include "runtime/engine/host_rates.h"
#include "runtime/engine/journal.h"
#include "runtime/engine/scheduler.h"
#include "runtime/engine/subject.h"
#include "runtime/report/event.h"

namespace plan::engine {

/// What came of one decision.
struct StepResult {
  enum class Kind : std::uint8_t {
    done = 0,
    failed = 1,
    stopped = 2,     ///< the driver stopped between two effects on request
    parked = 3,      ///< waits for an approval
    unrecorded = 4,  ///< the journal could not be written: the run must end at once
    waiting = 5,     ///< apply is called again after `wait`; no thread waits
  };
  Kind kind = Kind::done;
  bool was_satisfied = false;
  bool is_effect_unknown = false;
  std::chrono::milliseconds wait{0};
  std::string grade = {};  ///< the one that was refused
  std::optional<Error> error = {};
};

/// Carries out one step after the protocol of design.md section 8: observe, intent durable, apply,
/// verify, outcome durable; a lost reply is observed; retries as the driver says. Called from
/// several threads, never for the same step at once. Knows no order: that is the scheduler's.
class StepRunner {
 public:
  /// `parts.events` is called under a lock of the runner.
  StepRunner(const EngineParts& parts, const EngineOptions& options, std::string run_id,
             std::string boot_id);

  ///
  /// A step of an account that is not held waits for its next try outside of this call
  /// (Kind::waiting): the runner keeps how often it was tried.
  [[nodiscard]] StepResult apply(const Decision& decision);
  /// Undoes a step from its record. `graph`: where the step's arguments are, which may be an
  /// earlier graph than the run's. `with_intent` becomes durable together with the announcement,
  /// and when `ends_hold` the hold of its account ends with the last record.
  [[nodiscard]] StepResult undo(const ir::StepGraph& graph, ir::StepId step,
                                std::vector<Entry> with_intent, bool ends_hold);
  /// What the undo of a carry-back step would carry (observe with is_rollback); an error when it
  /// could not.
  [[nodiscard]] Result<ir::Observation> look_before_rollback(const ir::StepGraph& graph,
                                                             ir::StepId step);
  /// Its part that needs no hold (before_undo).
  [[nodiscard]] Outcome prepare_undo(const ir::StepGraph& graph, ir::StepId step);

  void emit(report::Happening what);
  [[nodiscard]] report::Failure failure_of(const ir::StepGraph& graph, ir::StepId step,
                                           const Error& error) const;
  [[nodiscard]] std::string account_of(const ir::StepGraph& graph, ir::StepId step) const;
  [[nodiscard]] std::string wave_of(const ir::StepGraph& graph, ir::StepId step) const;
  /// The bound of a row's hold: the largest `bound_ms` among its held steps, else the option's.
  [[nodiscard]] std::chrono::milliseconds hold_bound(ir::RowId row) const;
  /// When the row's hold began by the clock of this process; for holds of earlier processes the
  /// caller computes it from wall time.
  void remember_hold(ir::RowId row, net::Clock::Monotonic begun);
  /// The proxies answer for this row with a temporary failure until plan is back: its bound is no
  /// reason to give up any more (design.md 6, what dies when).
  void remember_prepared(ir::RowId row);
  [[nodiscard]] std::optional<std::uint64_t> held_ms(ir::RowId row) const;
  /// How many bytes a second copying may take of `source` or `target`; 0: as many as there are.
  void set_rate(std::string_view host, std::uint64_t bytes_per_second) {
    rates_.set(host, bytes_per_second, parts_.clock.now());
  }
  /// What is not held stops where it is, as when the operator asks.
  void stop_what_is_not_held() { stop_.request(); }
  /// Nothing more is begun or undone: another run has the lease, or the journal is gone. A step
  /// that comes later ends with the first `why`.
  void forbid_effects(Error why);
  [[nodiscard]] bool are_effects_forbidden() const { return is_forbidden_.load(); }

 private:
  struct Call;
  [[nodiscard]] Error why_forbidden() const;
  /// The hold of a row is that of its clients: it begins with the row's proxy.hold where it has
  /// one, else with its first held step.
  [[nodiscard]] bool begins_hold(const Decision& decision, const Call& call) const;
  void forget_hold(ir::RowId row);
  /// What the tries of one step in this run have in common.
  struct Tries {
    std::uint32_t failed = 0;
    std::chrono::milliseconds pause{0};
    net::Clock::Monotonic begun = {};
  };
  [[nodiscard]] Tries tries_of(ir::StepId step, bool& is_first);
  void remember_tries(ir::StepId step, const Tries& tries);
  void forget_tries(ir::StepId step);
  /// How a failed or waiting try goes on: nothing when the result stands.
  [[nodiscard]] std::optional<std::chrono::milliseconds> wait_before_next(const Decision& decision,
                                                                          const StepResult& result,
                                                                          Tries& tries);
  [[nodiscard]] Result<ir::Value> resolve(const ir::Value& value, int depth);
  [[nodiscard]] Outcome prepare(Call& call);
  [[nodiscard]] Outcome prepare_restore(Call& call);
  [[nodiscard]] Result<bool> recall(Call& call);
  [[nodiscard]] step::StepContext context(Call& call);
  [[nodiscard]] StepResult try_once(const Decision& decision, Call& call);
  [[nodiscard]] StepResult finish(const Decision& decision, Call& call, ir::Value outputs,
                                  std::vector<Entry> entries, bool was_satisfied);
  [[nodiscard]] StepResult take_approval(const Decision& decision, Call& call);
  /// `entries` go into the same write.
  [[nodiscard]] StepResult record_failure(Call& call, Error error, bool had_intent,
                                          std::vector<Entry> entries = {});
  [[nodiscard]] std::optional<Error> refused_grade(Call& call, const ir::Value& outputs);
  /// Before a step of a held account: is it too late for it? Not any more once the proxies are
  /// prepared: then it goes on.
  [[nodiscard]] std::optional<Error> expired_hold(const Call& call) const;
  /// What fails in a hold that has outlived its bound fails for that: proxies give such an account
  /// back, and whatever a step then finds wrong is the consequence.
  [[nodiscard]] Error with_cause_of(const Call& call, Error error) const;
  [[nodiscard]] Outcome undo_once(Call& call);
  /// Waits; false when the operator asked to stop meanwhile (which a held account does not heed).
  bool wait(std::chrono::milliseconds duration, bool is_held);

  const EngineParts parts_;
  const EngineOptions& options_;
  const std::string run_id_;
  const std::string boot_id_;
  const step::StopSignal never_stop_;
  step::StopSignal stop_{&parts_.stop};
  HostRates rates_;
  std::atomic<bool> is_forbidden_{false};

  mutable std::mutex mutex_;
  std::optional<Error> forbidden_by_;
  std::map<std::string, ir::Value, std::less<>> outputs_;
  std::map<ir::RowId, net::Clock::Monotonic> hold_begun_;
  std::set<ir::RowId> open_holds_;
  std::set<ir::RowId> prepared_;
  std::map<ir::StepId, Tries> tries_;   ///< of steps that wait for their next try
  std::vector<std::int64_t> bound_ms_;  ///< by row; 0: the option's
  std::vector<bool> has_clients_hold_;  ///< by row
  std::mutex event_mutex_;
};

}  // namespace plan::engine
