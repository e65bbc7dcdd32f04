// queue.flush. A message is tried again by the state of the moment
// (reference/split-delivery.md 9.2), so after the flip everything that waited ends at the target;
// but a message can still become deferred while the list of ids is made, so the queues are listed
// and flushed again until neither names the account.
#include "runtime/server/queue/queue_driver.h"

#include <fmt/format.h>

#include <algorithm>

#include "runtime/server/queue/errors.h"
#include "runtime/server/queue/limits.h"
#include "runtime/step/errors.h"

namespace plan::server::queue {
namespace {

class QueueDriver final : public step::StepDriver {
 public:
  explicit QueueDriver(OpenQueues open) : open_(std::move(open)) {}

  Result<ir::Observation> observe(step::StepContext& context) override {
    const std::vector<std::string> names = source::names_of_account(context.arguments);
    PLAN_TRY(queues, open_(context));
    PLAN_TRY(both, look(queues, names));
    ir::Observation observation;
    // An empty queue now says nothing about the moment of the flip: the step runs then, and costs
    // nothing.
    observation.standing = ir::Standing::unknowable;
    observation.messages = both.source.messages + both.target.messages;
    // Said the same way for an empty queue: the diff then shows accounts as alike whose queues
    // differ only by what is on its way at this moment.
    observation.remark = fmt::format("{} waiting at the source, {} at the target",
                                     both.source.messages, both.target.messages);
    return observation;
  }

  Result<ir::Value> apply(step::StepContext& context) override {
    const std::vector<std::string> names = source::names_of_account(context.arguments);
    PLAN_TRY(queues, open_(context));
    const std::chrono::milliseconds waited_before(context.notes["waited_ms"].integer_or(0));
    const auto until = context.clock.now() + kAtOnceTime;
    auto pause = kLookApart;
    std::size_t most = 0;
    for (;;) {
      PLAN_TRY(both, look(queues, names));
      const std::size_t waiting = both.source.messages + both.target.messages;
      most = std::max(most, waiting);
      if (context.progress && most > 0) {
        context.progress({.done = most - waiting,
                          .total = most,
                          .unit = "messages",
                          .remark = "flushing both queues"});
      }
      if (both.is_empty()) return ir::Value::map({{"messages", static_cast<std::int64_t>(most)}});
      if (context.stop.is_requested()) {
        return Error(
            step::errors::stopped,
            fmt::format("{} still in the queues, where {} safe",
                        waiting == 1 ? "1 message is" : fmt::format("{} messages are", waiting),
                        waiting == 1 ? "it is" : "they are"));
      }
      const bool is_waiting = context.clock.now() >= until;
      if (is_waiting && waited_before < kFlushTime) {
        const auto waited = waited_before + kAtOnceTime + kLookLaterApart;
        if (context.remember)
          PLAN_TRY_VOID(context.remember(ir::Value::map({{"waited_ms", waited.count()}})));
        return step::not_yet(
            kLookLaterApart,
            fmt::format("the queues hold {} for {}",
                        waiting == 1 ? "1 message" : fmt::format("{} messages", waiting),
                        names.front()));
      }
      if (is_waiting) {
        if (context.remember) PLAN_TRY_VOID(context.remember(ir::Value()));
        const std::string& reason =
            both.source.reason.empty() ? both.target.reason : both.source.reason;
        return Error(errors::queue_not_empty,
                     fmt::format(
                         "mail for {} waits in the queues: {} at the source, {} at the target",
                         names.front(), both.source.messages, both.target.messages))
            .with_blame(both.source.messages > 0 ? Blame::source : Blame::target)
            .with_retry_after(std::chrono::seconds(30))
            .with_detail(reason);
      }
      if (both.source.messages > 0) PLAN_TRY_VOID(queues.source->flush(names));
      if (both.target.messages > 0) PLAN_TRY_VOID(queues.target->flush(names));
      context.clock.sleep_for(pause);
      pause = std::min(pause * 2, kLookApartMax);
    }
  }

  Outcome verify(step::StepContext&) override { return {}; }
  Outcome undo(step::StepContext&) override { return {}; }

 private:
  struct Both {
    Waiting source = {};
    Waiting target = {};
    [[nodiscard]] bool is_empty() const { return source.messages == 0 && target.messages == 0; }
  };

  /// The source first: what leaves it on the way to the target is then seen there, not missed in
  /// between.
  static Result<Both> look(BothQueues& queues, const std::vector<std::string>& names) {
    PLAN_TRY(at_source, queues.source->look(names).while_doing("looking at the source's queue"));
    PLAN_TRY(at_target, queues.target->look(names).while_doing("looking at the target's queue"));
    return Both{.source = std::move(at_source), .target = std::move(at_target)};
  }

  OpenQueues open_;
};

}  // namespace

std::shared_ptr<step::StepDriver> make_queue_driver(OpenQueues open) {
  return std::make_shared<QueueDriver>(std::move(open));
}

}  // namespace plan::server::queue
