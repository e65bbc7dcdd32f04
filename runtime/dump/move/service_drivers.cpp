#include <fmt/format.h>

#include "compiler/source/text.h"
#include "runtime/dump/move/errors.h"
#include "runtime/dump/move/move_step.h"

namespace plan::dump {
namespace {

using ir::Observation;
using ir::Standing;
using ir::Value;

/// Both directions of one service. Prior state: {running}.
class ServiceDriver final : public step::StepDriver {
 public:
  ServiceDriver(MoveWorld world, bool is_start) : world_(std::move(world)), is_start_(is_start) {}

  Result<Observation> observe(step::StepContext& context) override {
    PLAN_TRY(move, MoveStep::open(world_, context));
    PLAN_TRY(is_up, move->service().is_running());
    PLAN_TRY(is_done, move->is_all_done());
    Observation seen;
    seen.prior = Value::map({{"running", is_up}});
    seen.fingerprint = Value::map({{"service", move->service().name()}});
    if (is_start_) {
      // Before the stop it runs, which says nothing about what comes behind it.
      seen.standing =
          is_up ? (is_done ? Standing::satisfied : Standing::unknowable) : Standing::differs;
      if (!is_up) seen.differences = {{"running", false, true}};
      return seen;
    }
    seen.standing = !is_up || is_done ? Standing::satisfied : Standing::differs;
    if (seen.standing == Standing::satisfied) return seen;
    seen.differences = {{"running", true, false}};
    if (const auto bytes = move->store_bytes()) {
      const std::uint64_t transfers =
          context.arguments["folders"].size() + (move->block().is_moved() ? 1U : 0U);
      seen.duration_ms = estimated_ms(*bytes) * std::max<std::uint64_t>(1, transfers);
      seen.remark =
          fmt::format("nobody is served until {} has started again: {} in {} transfers, about {}",
                      move->service().name(), show_bytes(*bytes), transfers,
                      show_duration_ms(*seen.duration_ms));
    } else {
      seen.remark = "nobody is served until it has started again; the store was not measured";
    }
    return seen;
  }

  Result<Value> apply(step::StepContext& context) override {
    PLAN_TRY(move, MoveStep::open(world_, context));
    PLAN_TRY_VOID(is_start_ ? move->service().start(context) : move->service().stop(context));
    return Value::map();
  }

  Outcome verify(step::StepContext& context) override {
    PLAN_TRY(move, MoveStep::open(world_, context));
    return is_start_ ? move->service().check_ready() : move->must_be_stopped();
  }

  Outcome undo(step::StepContext& context) override {
    PLAN_TRY(move, MoveStep::open(world_, context));
    const bool was_running = context.prior["running"].bool_or(false);
    return was_running ? move->service().start(context) : move->service().stop(context);
  }

 private:
  MoveWorld world_;
  bool is_start_;
};

}  // namespace

std::shared_ptr<step::StepDriver> make_stop_driver(const MoveWorld& world) {
  return std::make_shared<ServiceDriver>(world, false);
}

std::shared_ptr<step::StepDriver> make_start_driver(const MoveWorld& world) {
  return std::make_shared<ServiceDriver>(world, true);
}

}  // namespace plan::dump
