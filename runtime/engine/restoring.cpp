#include "runtime/engine/restoring.h"

namespace plan::engine {

bool Restoring::did_something() const {
  return earlier_.record && earlier_.record->state == StepState::done &&
         !earlier_.record->was_satisfied;
}

step::StepContext Restoring::inner(const step::StepContext& context) const {
  return step::StepContext{.id = earlier_.id,
                           .kind = earlier_.kind,
                           .arguments = earlier_.arguments,
                           .account = context.account,
                           .effect_key = context.effect_key,
                           .run_id = context.run_id,
                           .lease_token = context.lease_token,
                           .state_directory = context.state_directory,
                           .secrets = context.secrets,
                           .clock = context.clock,
                           .stop = context.stop,
                           .is_rollback = context.is_rollback,
                           .attempt = context.attempt,
                           .prior = earlier_.record ? earlier_.record->prior : ir::Value(),
                           .notes = earlier_.record ? earlier_.record->notes : ir::Value(),
                           .remember = [](const ir::Value&) { return Outcome(); },
                           .progress = context.progress,
                           .moved = context.moved};
}

Result<ir::Observation> Restoring::observe(step::StepContext& context) {
  ir::Observation seen;
  if (!did_something()) {
    seen.standing = ir::Standing::satisfied;
    seen.remark = "nothing was changed that would have to be put back";
    return seen;
  }
  step::StepContext looking = inner(context);
  PLAN_TRY(earlier, driver_.observe(looking));
  // Where the earlier step still stands there is something to take away.
  seen.standing =
      earlier.standing == ir::Standing::absent ? ir::Standing::satisfied : ir::Standing::differs;
  seen.fingerprint = std::move(earlier.fingerprint);
  return seen;
}

Result<ir::Value> Restoring::apply(step::StepContext& context) {
  if (!did_something()) return ir::Value::map();
  step::StepContext undoing = inner(context);
  PLAN_TRY_VOID(driver_.undo(undoing));
  return ir::Value::map();
}

Outcome Restoring::verify(step::StepContext& /*context*/) { return {}; }

Outcome Restoring::undo(step::StepContext& context) {
  if (!did_something()) return {};
  step::StepContext again = inner(context);
  PLAN_TRY(outputs, driver_.apply(again));
  static_cast<void>(outputs);
  return driver_.verify(again);
}

}  // namespace plan::engine
