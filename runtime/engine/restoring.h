#pragma once
#include <optional>

#include "runtime/engine/journal.h"
#include "runtime/step/step_driver.h"

namespace plan::engine {

/// A step of kind `restore`: the undo of an earlier step as a step forward, from that step's
/// recorded prior state; its own undo makes the earlier step again. So finalize takes away what
/// prepare added, exactly as a rollback would. Nothing to do when the earlier step never did
/// anything.
class Restoring final : public step::StepDriver {
 public:
  struct Earlier {
    std::string id = {};
    ir::StepKind kind = {};
    ir::Value arguments = {};  ///< resolved
    std::optional<StepRecord> record = {};
  };
  /// `driver` is that of the earlier step's kind and outlives this.
  Restoring(step::StepDriver& driver, Earlier earlier)
      : driver_(driver), earlier_(std::move(earlier)) {}

  Result<ir::Observation> observe(step::StepContext& context) override;
  Result<ir::Value> apply(step::StepContext& context) override;
  Outcome verify(step::StepContext& context) override;
  Outcome undo(step::StepContext& context) override;

 private:
  [[nodiscard]] bool did_something() const;
  [[nodiscard]] step::StepContext inner(const step::StepContext& context) const;

  step::StepDriver& driver_;
  Earlier earlier_;
};

}  // namespace plan::engine
