#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "compiler/ir/value.h"

namespace plan::report {

// What happens in a run, as data: the only way in which the engine tells anybody anything. Sinks
// (line_log.h, terminal.h, ndjson.h) turn events into text; no event ever holds a secret.

/// How a run ended; the command layer's exit codes follow from it (0, 3, 1, 2).
enum class Ending : std::uint8_t {
  finished = 0,        ///< everything that the plan wants is done
  stopped = 1,         ///< on request, or by a stop rule; the same command goes on
  failed = 2,          ///< something could not be done
  needs_approval = 3,  ///< waits for `plan approve`
};
[[nodiscard]] std::string_view to_string(Ending ending);

/// A place in the plan, for people: "migration.yaml:33:5". Empty when unknown.
struct Failure {
  std::string step = {};
  std::string account = {};
  std::string place = {};
  std::string code = {};     ///< name of the ErrorCode
  std::string message = {};  ///< Error::to_line without the code
  std::string remedy = {};
  std::string blame = {};   ///< plan, source, target, proxy, network, local
  std::string effect = {};  ///< none, applied, unknown
};

struct RunStarted {
  std::string run_id = {};
  std::string plan_name = {};
  std::uint64_t steps = 0;
  std::uint64_t steps_done_before = 0;
  std::uint64_t accounts = 0;
  bool is_resumed = false;
  bool is_rollback = false;
  std::uint64_t accounts_moved_before = 0;
};
struct RunEnded {
  Ending ending = Ending::finished;
  std::uint64_t done = 0;     ///< steps done by this process: the run may have begun before
  std::uint64_t undone = 0;   ///< steps undone by this process
  std::uint64_t failed = 0;   ///< steps that failed
  std::uint64_t waiting = 0;  ///< steps that did not run
  std::string message = {};   ///< one line for the operator: why, and how to go on
};
struct WaveStarted {
  std::string wave = {};
  std::uint64_t accounts = 0;
};
struct WaveEnded {
  std::string wave = {};
  std::uint64_t moved = 0;
  std::uint64_t failed = 0;
};
struct ApprovalNeeded {
  std::string subject =
      {};  ///< what `plan approve` names: "wave:rest", "account:alice@example.org"
  std::string reason = {};
};
struct StepStarted {
  std::string step = {};
  std::string kind = {};
  std::string account = {};
  std::string wave = {};
  std::uint32_t attempt = 1;
  bool is_undo = false;
};
struct StepProgress {
  std::string step = {};
  std::string account = {};
  std::uint64_t done = 0;
  std::uint64_t total = 0;  ///< 0: not known
  std::string unit = {};
  std::string remark = {};
};
struct StepFinished {
  std::string step = {};
  std::string kind = {};
  std::string account = {};
  std::uint64_t duration_ms = 0;
  bool was_satisfied = false;  ///< there was nothing to do
  bool is_undo = false;
  ir::Value outputs = {};
};
struct StepRetried {
  Failure failure = {};
  std::uint32_t attempt = 1;  ///< the one that did not succeed
  std::uint64_t wait_ms = 0;
  bool is_undo = false;
};
struct StepFailed {
  Failure failure = {};
  bool is_undo = false;
};
struct AccountHeld {
  std::string account = {};
  std::string wave = {};
  std::uint64_t bound_ms = 0;
};
/// The hold is over: the account is at the target (committed) or back at the source.
struct AccountReleased {
  std::string account = {};
  std::string wave = {};
  std::uint64_t held_ms = 0;
  bool is_committed = false;
};
struct AccountGraded {
  std::string account = {};
  std::string grade = {};
};
/// Something the operator should read; the run goes on.
struct Notice {
  std::string text = {};
};

using Happening = std::variant<RunStarted, RunEnded, WaveStarted, WaveEnded, ApprovalNeeded,
                               StepStarted, StepProgress, StepFinished, StepRetried, StepFailed,
                               AccountHeld, AccountReleased, AccountGraded, Notice>;

struct Event {
  std::int64_t wall_ms = 0;  ///< milliseconds since 1970-01-01 UTC
  Happening what = {};
};

/// Takes events. The engine calls it from one thread at a time, in order; progress comes from any
/// thread but never at the same time as another call.
class EventSink {
 public:
  EventSink() = default;
  EventSink(const EventSink&) = delete;
  EventSink& operator=(const EventSink&) = delete;
  virtual ~EventSink() = default;
  virtual void on(const Event& event) = 0;
};

/// Passes each event to several sinks (not owned).
class FanOut final : public EventSink {
 public:
  explicit FanOut(std::vector<EventSink*> sinks) : sinks_(std::move(sinks)) {}
  void on(const Event& event) override {
    for (EventSink* sink : sinks_) sink->on(event);
  }

 private:
  std::vector<EventSink*> sinks_;
};

/// Keeps events, for tests and for the report of a run just made.
class EventRecorder final : public EventSink {
 public:
  void on(const Event& event) override { events_.push_back(event); }
  [[nodiscard]] const std::vector<Event>& events() const { return events_; }

 private:
  std::vector<Event> events_;
};

/// Version of the documents below: raised when a member goes or changes its meaning, not when one
/// comes (docs/formats/events.md).
inline constexpr int kEventFormat = 1;
/// The event as a document: `{"format":1,"event":"step-finished","time":"…Z","time_ms":…,…}`; all
/// members always present.
[[nodiscard]] ir::Value to_document(const Event& event);
/// What `plan approve` is given for a subject: "rest", "alice@example.org", "finalize"; the subject
/// itself where the short word would be taken for another.
[[nodiscard]] std::string_view approval_name(std::string_view subject);
/// One line for a person, without time and without line end; empty for events that a line log
/// leaves out (progress).
[[nodiscard]] std::string to_line(const Event& event);

}  // namespace plan::report
