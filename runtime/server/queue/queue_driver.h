#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/server/queue/account_queue.h"
#include "runtime/server/source/live_source.h"
#include "runtime/server/stalwart/target.h"
#include "runtime/step/step_driver.h"

namespace plan::server::queue {

/// The target's own queue: x:QueuedMessage, tried again by a nextRetry in the past
/// (split-delivery.md section 7).
[[nodiscard]] std::unique_ptr<AccountQueue> target_queue(std::shared_ptr<stalwart::Target> target);

/// Waits until the messages that are in the queue at this moment have left it, so that none is
/// still being delivered by the routing of an earlier state. What does not leave within kSettleTime
/// waits for its next try, which follows the routing of that time.
[[nodiscard]] Outcome settle(AccountQueue& queue, const std::vector<std::string>& addresses,
                             net::Clock& clock);

/// Both queues of a step, in the order source, target. For archive.sweep too, by way of wiring.
struct BothQueues {
  std::unique_ptr<AccountQueue> source = {};
  std::unique_ptr<AccountQueue> target = {};
};
using OpenQueues = std::function<Result<BothQueues>(step::StepContext&)>;

[[nodiscard]] OpenQueues open_queues(std::shared_ptr<source::LiveSources> sources,
                                     std::shared_ptr<stalwart::TargetPool> targets);

/// The driver of queue.flush: flushes and looks again, until neither queue names the account. Each
/// attempt may be repeated; nothing to undo. Errors: queue-not-empty after kFlushTime (what waits
/// is safe where it is), stopped.
[[nodiscard]] std::shared_ptr<step::StepDriver> make_queue_driver(OpenQueues open);

}  // namespace plan::server::queue
