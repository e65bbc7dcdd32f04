#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "compiler/ir/step_graph.h"
#include "compiler/source/result.h"
#include "runtime/engine/journal.h"
#include "runtime/engine/lease.h"
#include "runtime/engine/worker_pool.h"
#include "runtime/report/event.h"
#include "runtime/step/step_driver.h"

namespace plan::engine {

/// How often and how long a step is tried again. The driver says whether (Error::retry), this says
/// how often; a lost reply is observed first, always.
struct RetryPolicy {
  std::uint32_t attempts_max = 5;             ///< in one run
  std::chrono::milliseconds first_wait{500};  ///< doubled each time
  std::chrono::milliseconds wait_max{30'000};
  /// For steps of a held account: users wait.
  std::uint32_t attempts_max_held = 3;
  std::chrono::milliseconds wait_max_held{1'000};
  /// For the undo of a held account, and for a commit whose effect is unknown: giving up leaves
  /// users waiting, so this is patient.
  std::uint32_t attempts_max_undo = 12;
};

struct EngineOptions {
  std::string plan_name = {};
  std::string saved_plan_digest =
      {};                            ///< of the saved plan that is applied; empty: the plan itself
  std::string state_directory = {};  ///< the plan's `.plan`
  RetryPolicy retry = {};
  std::uint32_t threads_max = 32;  ///< steps at a time; held accounts come on top
  /// Steps at a time on one host (a step of host `both` counts for source and target); 0: no bound.
  std::uint32_t source_parallel = 0;
  std::uint32_t target_parallel = 0;
  std::chrono::milliseconds hold_bound{20'000};  ///< for held steps without `bound_ms`
  std::chrono::milliseconds request_poll{500};   ///< how soon `plan pause` and the like are seen
  std::chrono::milliseconds lease_renewal{15'000};
  /// True: wait for `plan approve` in the run; false: end with needs_approval.
  bool waits_for_approval = false;
  bool takes_over_lease = false;
  std::vector<LeaseHolder*> leases = {};  ///< not owned
  /// "migration.yaml:33:5" for a step's origin; absent: places are left out.
  std::function<std::string(Span origin)> place = {};
  std::string boot_id = {};  ///< empty: this machine's (net::boot_id)
  /// Makes what carries out the steps of one run; absent: threads.
  std::function<std::unique_ptr<Workers>()> workers = {};
};

struct RunCounts {
  std::uint64_t done = 0;       ///< in this run
  std::uint64_t satisfied = 0;  ///< of those: there was nothing to do
  std::uint64_t undone = 0;
  std::uint64_t failed = 0;
  std::uint64_t waiting = 0;  ///< did not run
  std::uint64_t accounts_moved = 0;
  std::uint64_t accounts_failed = 0;
};

struct RunResult {
  report::Ending ending = report::Ending::finished;
  std::string run_id = {};
  RunCounts counts = {};
  std::vector<report::Failure> failures = {};
  std::vector<std::string> approvals_needed = {};  ///< subjects for `plan approve`
  std::vector<std::string> accounts_held = {};     ///< still held: an undo did not succeed
  std::string message = {};                        ///< why it ended so, and how to go on
};

/// What the engine works with; all outlive it, none is owned. `drivers` and `graph` are const for
/// everybody; `stop` is set by a signal handler.
struct EngineParts {
  const ir::StepGraph& graph;
  Journal& journal;
  const step::DriverTable& drivers;
  secret::SecretSource& secrets;
  net::Clock& clock;
  report::EventSink& events;
  const step::StopSignal& stop;
};

/// Executes the graph until it is done or cannot go on; the same call resumes after any crash
/// (kill -9 included).
///
/// - A step: observe, intent durable, apply, verify, outcome durable. `unknown` is observed before
///   anything. Retries as the driver's error says.
/// - Accounts: from its first `held` step on an account is finished to its `commit` step or undone
///   newest first, before the run ends for whatever reason (failure, stop signal, stop rule,
///   refused grade). Once the intent of the commit step is durable it only goes forward, unless the
///   driver says that nothing was done (effect none). A held account that a crash left behind goes
///   on if its bound has not passed on this boot, else it is undone.
/// - Waves in order; in a wave at most `parallel` accounts before their commit; a wave's stop rules
///   stop the run after the held accounts are finished. `plan approve` gates waves.
/// - A step that waits (step::not_yet, or for its next try) has no thread: ten thousand sweeping
///   accounts are ten thousand entries of a list. The run goes on as long as there are such steps.
/// - A plan edited since: done steps match by id and digest; plan-changed-while-held if an account
/// is
///   held. Accounts that have moved stay as they are.
///
/// Errors are those of journal, lease and lock, before or instead of anything else; what happens to
/// steps is in the RunResult. Blocks; uses its own threads.
[[nodiscard]] Result<RunResult> run(const EngineParts& parts, const EngineOptions& options);

/// The workers that the options ask for.
[[nodiscard]] std::unique_ptr<Workers> make_workers(const EngineOptions& options);

/// Drivers for the kinds that are the engine's own: mark.rollback-point, restore, window and
/// approval.
void add_local_drivers(step::DriverTable& drivers);

}  // namespace plan::engine
