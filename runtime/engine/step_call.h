#pragma once
// What the two halves of StepRunner share: step_runner.cpp goes forward, step_undo.cpp back.
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "runtime/engine/restoring.h"
#include "runtime/engine/step_runner.h"

namespace plan::engine {

/// Has this step possibly had an effect that is not undone?
[[nodiscard]] inline bool is_touched(const std::optional<StepRecord>& record) {
  return record && record->state != StepState::waiting && record->state != StepState::undone;
}

/// Touched, and nothing says how it ended.
[[nodiscard]] inline bool is_open(const std::optional<StepRecord>& record) {
  return record && (record->state == StepState::started || record->state == StepState::unknown);
}

/// The journal could not be written or asked: nothing is known of the step.
[[nodiscard]] inline StepResult unrecorded(Error error) {
  return {.kind = StepResult::Kind::unrecorded, .error = std::move(error)};
}

/// One step on its way: what all its tries share.
struct StepRunner::Call {
  const ir::StepGraph& graph;
  ir::StepId step;
  bool is_held = false;
  bool is_undo = false;
  std::string id = {};
  std::string account = {};
  const ir::StepKindInfo* info = nullptr;
  step::StepDriver* driver = nullptr;
  std::unique_ptr<Restoring> restoring = {};  ///< `driver`, of a step of kind restore
  ir::Value arguments = {};
  // of the present try
  std::string effect_key = {};
  std::uint32_t attempts_before = 0;  ///< of all runs
  std::optional<StepRecord> record = {};
  ir::Value prior = {};
  ir::Value notes = {};
  std::int64_t progress_shown_ms = 0;
  std::string said = {};  ///< by the driver, for the operator: goes into the history too
  bool has_begun_hold = false;
  /// Some try may have done something: an undo of a commit step would then have two authorities.
  bool may_have_effect = false;
};

}  // namespace plan::engine
