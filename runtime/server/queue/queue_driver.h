#pragma once
#include <cstddef>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "compiler/source/result.h"
#include "runtime/server/source/source.h"
#include "runtime/server/stalwart/target.h"
#include "runtime/step/step_driver.h"

namespace plan::server::queue {

/// Mail of one account that waits on one server.
struct Waiting {
  std::size_t messages = 0;  ///< with an open recipient that is one of the addresses
  std::string reason =
      {};  ///< why the first of them waits, in the server's words; empty when it does not say
};

/// One server's queue, seen from one account. Thread-safe.
class AccountQueue {
 public:
  AccountQueue() = default;
  AccountQueue(const AccountQueue&) = delete;
  AccountQueue& operator=(const AccountQueue&) = delete;
  virtual ~AccountQueue() = default;

  /// `addresses` are all names of the account in lower case. Reads only.
  [[nodiscard]] virtual Result<Waiting> look(const std::vector<std::string>& addresses) = 0;
  /// Ids of those messages.
  [[nodiscard]] virtual Result<std::set<std::string>> ids(
      const std::vector<std::string>& addresses) = 0;
  /// Has all of that tried again now; what is gone meanwhile does not matter.
  [[nodiscard]] virtual Outcome flush(const std::vector<std::string>& addresses) = 0;
};

/// The target's own queue: x:QueuedMessage, tried again by a nextRetry in the past
/// (split-delivery.md section 7).
[[nodiscard]] std::unique_ptr<AccountQueue> target_queue(std::shared_ptr<stalwart::Target> target);
[[nodiscard]] std::unique_ptr<AccountQueue> source_queue(std::shared_ptr<source::Source> source);

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

[[nodiscard]] OpenQueues open_queues(std::shared_ptr<source::SourcePool> sources,
                                     std::shared_ptr<stalwart::TargetPool> targets);

/// The driver of queue.flush: flushes and looks again, until neither queue names the account. Each
/// attempt may be repeated; nothing to undo. Errors: queue-not-empty after kFlushTime (what waits
/// is safe where it is), stopped.
[[nodiscard]] std::shared_ptr<step::StepDriver> make_queue_driver(OpenQueues open);

}  // namespace plan::server::queue
