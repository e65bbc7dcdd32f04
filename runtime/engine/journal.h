#pragma once
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "compiler/ir/step_graph.h"
#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/net/clock.h"

namespace plan::engine {

// The memory of a migration (design.md section 8). One journal belongs to one plan folder and
// outlives runs: a step that is done stays done, by id and digest, in the next run too. Nothing in
// it is a secret: prior states hold sealed references.

/// Where a step stands. Written to disk: numbers are for ever.
enum class StepState : std::uint8_t {
  waiting = 0,  ///< no record
  started = 1,  ///< intent is durable; the effect may or may not have been made
  done = 2,
  failed = 3,   ///< an attempt ended with an error whose effect is known
  unknown = 4,  ///< a reply was lost: observe before anything else
  undoing = 5,  ///< undo announced; may or may not have been made
  undone = 6,   ///< back at its prior state; the next apply begins it anew
  stopped = 7,  ///< the driver stopped between two effects on request
};
[[nodiscard]] std::string_view to_string(StepState state);

struct RecordedError {
  std::string code = {};
  std::string message = {};  ///< Error::to_line
  std::string effect = {};
  std::string blame = {};
};

/// What the journal knows about a step.
struct StepRecord {
  std::string step = {};
  StepState state = StepState::waiting;
  std::string digest = {};        ///< hex of StepGraph::digest at the time of the intent
  std::string graph_digest = {};  ///< the graph it was done from (its arguments, for an undo)
  std::string account = {};
  std::uint32_t attempts = 0;  ///< intents so far, all runs
  std::string effect_key = {};
  bool was_satisfied = false;  ///< there was nothing to do: nothing to undo either
  ir::Value prior = {};
  ir::Value outputs = {};
  ir::Value notes = {};
  std::optional<RecordedError> error = {};
  std::int64_t started_ms = 0;
  std::int64_t ended_ms = 0;
  /// Order in which outcomes became durable: rollback goes from the highest down. 0: none yet.
  std::int64_t sequence = 0;
};

// What is written. Each names its step; the state that follows is in the comment.
struct Intent {  // started
  std::string step = {};
  std::string account = {};
  std::string digest = {};
  std::string effect_key = {};
  std::uint32_t attempt = 1;
  /// Only with the first attempt since the step was waiting or undone; null leaves what is there.
  std::optional<ir::Value> prior = {};
};
struct Done {  // done
  std::string step = {};
  ir::Value outputs = {};
  bool was_satisfied = false;
  std::string text = {};  ///< for people, in the history: what came of it
};
struct Failed {  // failed, unknown or stopped; without an intent the state stays what it was
  std::string step = {};
  std::string account = {};
  bool had_intent = true;
  StepState state = StepState::failed;
  RecordedError error = {};
};
struct Noted {  // unchanged
  std::string step = {};
  ir::Value notes = {};
};
struct UndoIntent {  // undoing
  std::string step = {};
};
struct Undone {  // undone; notes and prior are forgotten
  std::string step = {};
  std::string text = {};  ///< for people, in the history: what was carried back
};
/// The account is held from now on; in the same write as the intent of its first held step, or of
/// the first undo of a rollback.
struct HoldBegun {
  std::string account = {};
  std::int64_t wall_ms = 0;
  std::string boot_id = {};
  std::uint64_t bound_ms = 0;
  bool is_rollback = false;
  /// The machine's monotonic clock then; means nothing on another boot.
  std::optional<std::int64_t> up_ms = {};
};
/// The held account goes back from here on; in the same write as its first undo.
struct HoldTurned {
  std::string account = {};
};
struct HoldEnded {
  std::string account = {};
  bool is_committed = false;
};
/// How an account was graded; outlives the undo of the step that graded it.
struct Graded {
  std::string account = {};
  ir::Value grade = {};  ///< {grade, mail_grade, not_checked, dav}; empty: it has none
};
using Entry = std::variant<Intent, Done, Failed, Noted, UndoIntent, Undone, HoldBegun, HoldTurned,
                           HoldEnded, Graded>;

struct HoldRecord {
  std::string account = {};
  std::int64_t begun_ms = 0;
  std::string boot_id = {};
  std::uint64_t bound_ms = 0;
  bool is_rollback =
      false;  ///< it goes back: by plan rollback, or because the move did not succeed
  std::optional<std::int64_t> ended_ms = {};
  bool is_committed = false;
  std::optional<std::int64_t> up_ms = {};  ///< HoldBegun's, of the account's latest hold
};

enum class RunState : std::uint8_t {
  open = 0,  ///< runs, or was interrupted
  finished = 1,
  stopped = 2,
  failed = 3,
  needs_approval = 4,
};
[[nodiscard]] std::string_view to_string(RunState state);

struct RunInfo {
  std::string run_id = {};
  std::string plan_name = {};
  std::string graph_digest = {};
  std::string saved_plan_digest = {};  ///< empty: applied from the plan itself
  bool is_rollback = false;
  RunState state = RunState::open;
  std::int64_t started_ms = 0;
  std::optional<std::int64_t> ended_ms = {};
  std::string boot_id = {};
  std::int64_t process_id = 0;
  std::string message = {};
};

/// One line of what happened, in the order in which it became durable.
struct HistoryRecord {
  std::int64_t sequence = 0;
  std::int64_t wall_ms = 0;
  std::string run_id = {};
  std::string step = {};
  std::string account = {};
  std::string what = {};  ///< started, done, satisfied, failed, unknown, stopped, undo-started,
                          ///< undone, held, released, given-back
  std::uint32_t attempt = 0;
  std::string text = {};
};

/// What another process asks of a running engine, or has granted.
enum class RequestKind : std::uint8_t {
  approve = 0,
  pause = 1,
  resume = 2,
  throttle = 3,
  stop = 4
};
struct Request {
  std::int64_t id = 0;
  RequestKind kind = RequestKind::approve;
  std::string subject =
      {};  ///< approve: "wave:NAME", "account:ADDRESS" or "stage:finalize"; throttle: host
  ir::Value parameters = {};  ///< throttle: {connections, bytes_per_second}, either may be absent
  std::int64_t wall_ms = 0;
};

[[nodiscard]] RecordedError recorded(const Error& error);
/// What a step's end says in the history: the driver's words, and outputs that say something to a
/// person ("3 messages, grade perfect").
[[nodiscard]] std::string outcome_text(std::string text, const ir::Value& outputs);

/// What was asked for and not taken back. It outlives the process that it was asked of: who paused
/// a run does not want the next process to go on by itself.
struct Steering {
  /// Of one host; nothing where nobody said anything, 0 where a bound was taken away.
  struct Bound {
    std::optional<std::uint32_t> parallel = {};
    std::optional<std::uint64_t> bytes_per_second = {};
  };
  bool is_paused = false;
  std::map<std::string, Bound> bounds = {};  ///< by host
};
[[nodiscard]] Steering steering_of(const std::vector<Request>& requests);

/// The journal. Thread-safe. Every write is durable when it returns; writes from several threads
/// share commits. Errors: store-full (effect none), store-damaged, store-unreadable; after a failed
/// write the journal refuses all further ones (journal-damaged) so that a run cannot go on beside
/// it: open it again.
class Journal {
 public:
  Journal() = default;
  Journal(const Journal&) = delete;
  Journal& operator=(const Journal&) = delete;
  virtual ~Journal() = default;

  // --- runs ---
  /// Held by the process that executes; run-in-progress when another one does. Ends with the
  /// process, however that ends.
  [[nodiscard]] virtual Outcome lock_for_run() = 0;
  virtual void unlock() = 0;
  [[nodiscard]] virtual bool is_locked_by_somebody() = 0;
  /// The file is where it was opened. A journal that was taken away takes writes still, but nobody
  /// will read them: journal-missing.
  [[nodiscard]] virtual Outcome check_place() = 0;
  /// Begins a run, or goes on with one (same run_id). Stores the graph's document if it is new.
  /// To be written before a run asks for the leases. One that ends before `begin_run` leaves leases
  /// behind that nothing else names.
  [[nodiscard]] virtual Outcome ask_for_leases(std::string_view run_id) = 0;
  /// All runs that ever asked, also those that never began.
  [[nodiscard]] virtual Result<std::vector<std::string>> leases_asked() = 0;

  [[nodiscard]] virtual Outcome begin_run(const RunInfo& run, const ir::StepGraph& graph) = 0;
  [[nodiscard]] virtual Outcome end_run(RunState state, std::string_view message) = 0;
  [[nodiscard]] virtual Result<std::optional<RunInfo>> latest_run() = 0;
  [[nodiscard]] virtual Result<std::vector<RunInfo>> runs() = 0;
  /// The graph that was stored under that digest. Errors: journal-damaged.
  [[nodiscard]] virtual Result<ir::StepGraph> graph(std::string_view graph_digest) = 0;

  /// Where in the plan each shape of a graph comes from ("migration.yaml:33:5"), in the order of
  /// StepGraph::shapes: kept, because the plan may be edited before somebody asks.
  [[nodiscard]] virtual Outcome remember_places(std::string_view graph_digest,
                                                const std::vector<std::string>& places) = 0;
  /// Empty when they were not kept.
  [[nodiscard]] virtual Result<std::vector<std::string>> places(std::string_view graph_digest) = 0;

  // --- steps ---
  /// All entries become durable together or not at all.
  [[nodiscard]] virtual Outcome write(const std::vector<Entry>& entries) = 0;
  [[nodiscard]] virtual Result<std::optional<StepRecord>> step(std::string_view step) = 0;
  /// All records without prior, outputs and notes (those can be large). `visit` must not call the
  /// journal; nor must that of each_history.
  [[nodiscard]] virtual Outcome each_step(
      const std::function<void(const StepRecord& record)>& visit) = 0;
  [[nodiscard]] virtual Result<std::vector<HoldRecord>> holds() = 0;
  /// The latest grade of each account that was graded.
  [[nodiscard]] virtual Result<std::map<std::string, ir::Value>> grades() = 0;
  [[nodiscard]] virtual Outcome each_history(
      std::string_view account_or_empty,
      const std::function<bool(const HistoryRecord& record)>& visit) = 0;

  // --- requests ---
  [[nodiscard]] virtual Outcome add_request(const Request& request) = 0;
  /// Requests with an id above `after_id`, oldest first.
  [[nodiscard]] virtual Result<std::vector<Request>> requests(std::int64_t after_id) = 0;
  /// An approval is used up by the move that it allowed (accounts) or stays (waves).
  [[nodiscard]] virtual Result<bool> is_approved(std::string_view subject) = 0;
  [[nodiscard]] virtual Outcome use_approval(std::string_view subject) = 0;
};

/// Digest under which a graph is stored: of its canonical document.
[[nodiscard]] std::string graph_digest(const ir::StepGraph& graph);

struct JournalOptions {
  bool is_read_only = false;    ///< for status, watch, trace: never creates, never writes
  std::string vfs = {};         ///< tests: see store/fault_vfs.h
  net::Clock* clock = nullptr;  ///< for the times in it; null: the machine's. Not owned
};

/// `.plan/journal.sqlite`. Errors: store-too-new, store-foreign, journal-damaged, journal-missing
/// (read-only and absent), store-unreadable.
[[nodiscard]] Result<std::unique_ptr<Journal>> open_journal(const std::string& path,
                                                            const JournalOptions& options = {});

}  // namespace plan::engine
