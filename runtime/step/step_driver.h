#pragma once
#include <atomic>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "compiler/ir/observation.h"
#include "compiler/ir/step_kind.h"
#include "compiler/ir/value.h"
#include "compiler/source/result.h"
#include "runtime/net/clock.h"
#include "runtime/secret/secret.h"
#include "runtime/step/errors.h"

namespace plan::step {

/// What a driver's `apply` returns when there is nothing to do now and something to look at later:
/// the engine calls the step again after `wait`, and no thread waits meanwhile. Whatever the driver
/// must know then stands in its notes; it counts as no failed attempt. In a held account the engine
/// waits itself, a second at most.
[[nodiscard]] inline Error not_yet(std::chrono::milliseconds wait, std::string_view what_for) {
  return Error(errors::not_yet, std::string(what_for)).with_retry_after(wait);
}

/// Set when the operator asks to stop; a driver looks at it between two effects and returns
/// `stopped`, with everything it did recorded.
class StopSignal {
 public:
  StopSignal() = default;
  /// Set as well whenever `also` is, which must outlive this.
  explicit StopSignal(const StopSignal* also) : also_(also) {}
  void request() { times_.fetch_add(1, std::memory_order_acq_rel); }
  [[nodiscard]] bool is_requested() const { return times_requested() > 0; }
  /// Somebody who does not see that it is heard asks again.
  [[nodiscard]] unsigned times_requested() const {
    return times_.load(std::memory_order_acquire) +
           (also_ == nullptr ? 0 : also_->times_requested());
  }

 private:
  const StopSignal* also_ = nullptr;
  std::atomic<unsigned> times_{0};
};

/// Progress of one step, for people; never durable, never needed.
struct Progress {
  std::uint64_t done = 0;
  std::uint64_t total = 0;     ///< 0: not known
  std::string_view unit = {};  ///< "messages", "bytes"
  std::string_view remark = {};
};

/// What the engine hands to a driver for one call. Valid during the call. One thread at a time per
/// context; drivers are called from several threads with different contexts.
struct StepContext {
  std::string_view id = {};  ///< readable step id
  ir::StepKind kind = {};
  const ir::Value&
      arguments;  ///< resolved: outputs of earlier steps filled in, secrets as references
  std::string_view account = {};     ///< primary address, empty for steps without account
  std::string_view effect_key = {};  ///< digest of run, step, attempt (design.md section 8)
  std::string_view run_id = {};
  std::string_view lease_token = {};
  std::string_view state_directory = {};  ///< the plan's `.plan` folder
  secret::SecretSource& secrets;
  net::Clock& clock;
  const StopSignal& stop;
  bool is_rollback = false;  ///< the step runs in the undo of a transaction
  /// Prior attempts of this step in this run; 0 the first time. After a crash it is at least 1 and
  /// `notes` holds what the driver wrote before.
  std::uint32_t attempt = 0;
  /// The prior state that was recorded before the first attempt; null on the first call of observe.
  ir::Value prior = {};
  /// Durable notes of this step (last value written); null when there is none.
  ir::Value notes = {};
  /// Makes `notes` durable before it returns. For drivers with several effects inside one step.
  std::function<Outcome(const ir::Value& notes)> remember = {};
  std::function<void(const Progress&)> progress = {};
  /// The driver has moved so many bytes from or to `source` or `target`: returns when the rate that
  /// the operator allows has made up for them; at once in a held account, or when it is to stop.
  /// Not to be called with a transaction open.
  std::function<void(std::string_view host, std::uint64_t bytes)> moved = {};
  /// Something the operator should read, about this account: shown, and kept with the run's events.
  std::function<void(std::string text)> say = {};
};

/// A path as the plan means it: a relative one starts in the folder of the plan, beside the state
/// directory, wherever `plan` was started.
[[nodiscard]] std::string beside_plan(const StepContext& context, std::string_view path);

/// Four functions for one step kind. All block; deadlines come from the driver's own limits. Errors
/// carry effect, retry and blame: `unknown` makes the engine call observe before anything else.
class StepDriver {
 public:
  StepDriver() = default;
  StepDriver(const StepDriver&) = delete;
  StepDriver& operator=(const StepDriver&) = delete;
  virtual ~StepDriver() = default;

  /// Looks, changes nothing. Used by diff, before every apply, and to resolve `unknown`.
  [[nodiscard]] virtual Result<ir::Observation> observe(StepContext& context) = 0;
  /// Converges to what should be; safe to repeat after a crash at any instruction. Returns the
  /// step's outputs (a map), or `not_yet`.
  [[nodiscard]] virtual Result<ir::Value> apply(StepContext& context) = 0;
  /// Is it so, seen from outside? Called after apply, before the outcome is recorded.
  [[nodiscard]] virtual Outcome verify(StepContext& context) = 0;
  /// What can be done before the account is held for its way back, so that the hold is short.
  /// Called once by a rollback before its first undo of a carry-back step; an error leaves the
  /// account as it is. Repeatable, and of no effect for anybody when the undo never comes.
  [[nodiscard]] virtual Outcome before_undo(StepContext& context) {
    (void)context;
    return {};
  }
  /// Restores `context.prior`, refusing (error `changed-since`) when somebody else changed it
  /// meanwhile. Repeatable.
  [[nodiscard]] virtual Outcome undo(StepContext& context) = 0;
};

/// The drivers by kind; filled in runtime/command/wiring.cpp, const afterwards.
class DriverTable {
 public:
  /// The same driver may serve several kinds.
  void add(ir::StepKind kind, std::shared_ptr<StepDriver> driver) {
    drivers_[kind] = std::move(driver);
  }
  [[nodiscard]] StepDriver* find(ir::StepKind kind) const {
    const auto found = drivers_.find(kind);
    return found == drivers_.end() ? nullptr : found->second.get();
  }
  [[nodiscard]] std::size_t size() const { return drivers_.size(); }

 private:
  std::map<ir::StepKind, std::shared_ptr<StepDriver>> drivers_;
};

}  // namespace plan::step
