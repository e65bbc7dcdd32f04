#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "compiler/source/text.h"
#include "runtime/net/jmap/errors.h"
#include "runtime/server/queue/limits.h"
#include "runtime/server/queue/queue_driver.h"

namespace plan::server::queue {
namespace {

using ir::Value;

/// "User+tag@Example.ORG" -> "user@example.org": the queue keeps the local part as the sender wrote
/// it.
std::string plain(std::string_view address) {
  const stalwart::AddressParts parts = stalwart::split_address(address);
  return lower_ascii(parts.local.substr(0, parts.local.find('+'))) + "@" +
         lower_ascii(parts.domain);
}

class TargetQueue final : public AccountQueue {
 public:
  explicit TargetQueue(std::shared_ptr<stalwart::Target> target) : target_(std::move(target)) {}

  Result<Waiting> look(const std::vector<std::string>& addresses) override {
    PLAN_TRY(found, messages(addresses));
    return Waiting{.messages = found.ids.size(), .reason = std::move(found.reason)};
  }

  Result<std::set<std::string>> ids(const std::vector<std::string>& addresses) override {
    PLAN_TRY(found, messages(addresses));
    return std::set<std::string>(found.ids.begin(), found.ids.end());
  }

  Outcome flush(const std::vector<std::string>& addresses) override {
    PLAN_TRY(found, messages(addresses));
    if (found.ids.empty()) return {};
    net::jmap::SetRequest request;
    request.type = "QueuedMessage";
    request.update = Value::map();
    for (const std::string& id : found.ids)
      request.update.set(id, Value::map({{"nextRetry", "2020-01-01T00:00:00Z"}}));
    PLAN_TRY(result, target_->registry().set(std::move(request)));
    for (const net::jmap::SetFailure& failure : result.failures) {
      if (failure.error.is("notFound") || failure.error.is("plan:silent"))
        continue;  // delivered meanwhile
      return net::jmap::to_error(failure.error, fmt::format("queued message `{}`", failure.id), {},
                                 Blame::target);
    }
    return {};
  }

 private:
  struct Found {
    std::vector<std::string> ids = {};
    std::string reason = {};
  };

  Result<Found> messages(const std::vector<std::string>& addresses) {
    // The filter `text` finds substrings of recipients; the domain is always in lower case there, a
    // local part need not be.
    std::set<std::string> domains;
    for (const std::string& address : addresses)
      domains.insert(stalwart::split_address(address).domain);
    std::set<std::string> candidates;
    for (const std::string& domain : domains) {
      PLAN_TRY(ids, target_->registry().ids("QueuedMessage", Value::map({{"text", domain}})));
      candidates.insert(ids.begin(), ids.end());
    }
    Found found;
    PLAN_TRY(objects,
             target_->registry().get(
                 "QueuedMessage", std::vector<std::string>(candidates.begin(), candidates.end())));
    for (const Value& object : objects) {
      for (const auto& [recipient, state] : object["recipients"].members()) {
        const std::string_view status = state["status"]["@type"].string_or({});
        if (status == "Completed" || status == "PermanentFailure") continue;
        if (std::find(addresses.begin(), addresses.end(), plain(recipient)) == addresses.end())
          continue;
        found.ids.emplace_back(object["id"].string_or({}));
        const std::string_view words = state["status"]["errorMessage"].string_or(
            state["status"]["responseMessage"].string_or({}));
        if (found.reason.empty()) found.reason = printable(words, 200);
        break;
      }
    }
    return found;
  }

  std::shared_ptr<stalwart::Target> target_;
};

}  // namespace

std::unique_ptr<AccountQueue> target_queue(std::shared_ptr<stalwart::Target> target) {
  return std::make_unique<TargetQueue>(std::move(target));
}

Outcome settle(AccountQueue& queue, const std::vector<std::string>& addresses, net::Clock& clock) {
  PLAN_TRY(before, queue.ids(addresses));
  if (before.empty()) return {};
  PLAN_TRY_VOID(queue.flush(addresses));
  const auto until = clock.now() + kSettleTime;
  while (clock.now() < until) {
    PLAN_TRY(now, queue.ids(addresses));
    const bool is_any_left = std::any_of(before.begin(), before.end(),
                                         [&](const std::string& id) { return now.contains(id); });
    if (!is_any_left) return {};
    clock.sleep_for(kLookApart);
  }
  return {};
}

OpenQueues open_queues(std::shared_ptr<source::LiveSources> sources,
                       std::shared_ptr<stalwart::TargetPool> targets) {
  return [sources = std::move(sources),
          targets = std::move(targets)](step::StepContext& context) -> Result<BothQueues> {
    PLAN_TRY(source, sources->open(context));
    PLAN_TRY(target, targets->open(context));
    PLAN_TRY(queue, source->queue());
    return BothQueues{.source = std::move(queue), .target = target_queue(target)};
  };
}

}  // namespace plan::server::queue
