#include "runtime/server/queue/queue_driver.h"

#include "runtime/server/queue/limits.h"
#include "runtime/step/errors.h"
#include "tests/support/told_error.h"
#include "tests/unit/runtime/server/stalwart/driver_bench.h"

namespace plan::server::queue {
namespace {

using ir::StepKind;
using ir::Value;

/// A queue that says what the test wants: one number for each look, the last one for ever.
class ScriptedQueue final : public AccountQueue {
 public:
  explicit ScriptedQueue(std::vector<std::size_t> looks) : looks_(std::move(looks)) {}
  Result<Waiting> look(const std::vector<std::string>& addresses) override {
    seen = addresses;
    const std::size_t now = looks_[std::min(count_, looks_.size() - 1)];
    ++count_;
    return Waiting{.messages = now, .reason = now > 0 ? "connection refused" : ""};
  }
  Result<std::set<std::string>> ids(const std::vector<std::string>&) override {
    std::set<std::string> ids;
    const std::size_t now = looks_[std::min(count_++, looks_.size() - 1)];
    for (std::size_t index = 0; index < now; ++index) ids.insert("m" + std::to_string(index));
    return ids;
  }
  Outcome flush(const std::vector<std::string>&) override {
    ++flushes;
    return {};
  }
  int flushes = 0;
  std::vector<std::string> seen = {};

 private:
  std::vector<std::size_t> looks_;
  std::size_t count_ = 0;
};

class QueueFlush : public stalwart::DriverBench {
 protected:
  void use(std::vector<std::size_t> at_source, std::vector<std::size_t> at_target) {
    const auto open = [=, this](step::StepContext&) -> Result<BothQueues> {
      auto first = std::make_unique<ScriptedQueue>(at_source);
      auto second = std::make_unique<ScriptedQueue>(at_target);
      source = first.get();
      target_side = second.get();
      kept_.push_back(BothQueues{.source = std::move(first), .target = std::move(second)});
      // The driver owns what it gets; the test looks at forwarders.
      return BothQueues{.source = std::make_unique<Forwarder>(*source),
                        .target = std::make_unique<Forwarder>(*target_side)};
    };
    drivers.add(StepKind::queue_flush, make_queue_driver(open));
  }
  static Step flush() {
    return Step{.kind = StepKind::queue_flush,
                .arguments = Value::map({{"account", "Alice@example.org"},
                                         {"addresses", Value::list({"first@example.org"})}})};
  }
  class Forwarder final : public AccountQueue {
   public:
    explicit Forwarder(AccountQueue& to) : to_(to) {}
    Result<Waiting> look(const std::vector<std::string>& addresses) override {
      return to_.look(addresses);
    }
    Result<std::set<std::string>> ids(const std::vector<std::string>& addresses) override {
      return to_.ids(addresses);
    }
    Outcome flush(const std::vector<std::string>& addresses) override {
      return to_.flush(addresses);
    }

   private:
    AccountQueue& to_;
  };
  ScriptedQueue* source = nullptr;
  ScriptedQueue* target_side = nullptr;

 private:
  std::vector<BothQueues> kept_;
};

TEST_F(QueueFlush, does_nothing_when_neither_queue_names_the_account) {
  use({0}, {0});
  Step step = flush();
  ASSERT_TRUE(apply(step));
  EXPECT_EQ(source->flushes + target_side->flushes, 0);
  EXPECT_EQ(source->seen, (std::vector<std::string>{"alice@example.org", "first@example.org"}));
}

TEST_F(QueueFlush, flushes_only_where_something_waits_and_looks_again) {
  use({3, 1, 0}, {0, 2, 0});
  Step step = flush();
  const auto outputs = apply(step);
  ASSERT_TRUE(outputs) << outputs.error().to_line();
  EXPECT_EQ(source->flushes, 2);
  EXPECT_EQ(target_side->flushes, 1);
  EXPECT_GT(clock.slept.count(), 0);
}

TEST_F(QueueFlush, gives_up_after_its_time_and_says_what_waits_and_why) {
  use({2}, {0});
  Step step = flush();
  auto outputs = apply(step);
  ASSERT_FALSE(outputs);
  EXPECT_TRUE(test::told_as("not-yet", outputs.error())) << "a thread is not kept for minutes";
  EXPECT_LT(clock.slept, 2 * kAtOnceTime);
  for (int i = 0; i < 1000 && !outputs && outputs.error().is(step::errors::not_yet); ++i) {
    clock.sleep_for(outputs.error().retry_after());
    outputs = apply(step);
  }
  ASSERT_FALSE(outputs);
  EXPECT_TRUE(test::told_as("queue-not-empty", outputs.error()));
  EXPECT_GE(clock.slept, kFlushTime);
}

TEST_F(QueueFlush, stops_when_asked_to) {
  use({2}, {0});
  stop.request();
  Step step = flush();
  const auto outputs = apply(step);
  ASSERT_FALSE(outputs);
  EXPECT_TRUE(test::told_as("stopped", outputs.error()));
  EXPECT_EQ(source->flushes, 0);
}

TEST_F(QueueFlush, an_empty_queue_of_now_does_not_make_the_step_done) {
  use({0}, {0});
  Step step = flush();
  const auto seen = observe(step);
  ASSERT_TRUE(seen);
  EXPECT_EQ(seen->standing, ir::Standing::unknowable);
  EXPECT_EQ(seen->messages, 0U);
}

TEST(SettledQueue, waits_for_what_was_there_and_not_for_what_came_since) {
  // Newer messages have other ids: the last look still shows two, none of those of the first.
  class Queue final : public AccountQueue {
   public:
    Result<Waiting> look(const std::vector<std::string>&) override { return Waiting(); }
    Result<std::set<std::string>> ids(const std::vector<std::string>&) override {
      static constexpr int kLast = 3;
      const int now = std::min(looks++, kLast);
      return std::set<std::string>{"m" + std::to_string(now), "m" + std::to_string(now + 1)};
    }
    Outcome flush(const std::vector<std::string>&) override {
      ++flushes;
      return {};
    }
    int looks = 0;
    int flushes = 0;
  };
  Queue queue;
  stalwart::TestClock clock;
  ASSERT_TRUE(settle(queue, {"alice@example.org"}, clock));
  EXPECT_EQ(queue.looks, 3) << "m0 and m1 are gone when m2 and m3 are there";
  EXPECT_EQ(queue.flushes, 1);

  ScriptedQueue stuck({2});
  ASSERT_TRUE(settle(stuck, {"alice@example.org"}, clock))
      << "it follows the routing of its next try";
  EXPECT_GE(clock.slept, kSettleTime);
  ScriptedQueue empty({0});
  ASSERT_TRUE(settle(empty, {"alice@example.org"}, clock));
  EXPECT_EQ(empty.flushes, 0);
}

class TargetQueue : public stalwart::DriverBench {
 protected:
  std::string put(const std::string& recipient, const std::string& status) {
    const Value state =
        Value::map({{"status", Value::map({{"@type", status}, {"errorMessage", "no route"}})}});
    return registry->put("QueuedMessage",
                         Value::map({{"recipients", Value::map({{recipient, state}})},
                                     {"nextRetry", "2099-01-01T00:00:00Z"}}));
  }
};

TEST_F(TargetQueue, counts_open_recipients_whatever_their_letter_case_and_tag) {
  put("ALICE+list@example.org", "TemporaryFailure");
  put("alice@example.org", "Scheduled");
  put("alice@example.org", "Completed");
  put("malice@example.org", "TemporaryFailure");
  const auto queue = target_queue(target);
  const auto waiting = queue->look({"alice@example.org"});
  ASSERT_TRUE(waiting) << waiting.error().to_line();
  EXPECT_EQ(waiting->messages, 2U);
  EXPECT_EQ(waiting->reason, "no route");
}

TEST_F(TargetQueue, flush_puts_the_next_try_into_the_past_for_those_only) {
  const std::string ours = put("alice@example.org", "TemporaryFailure");
  const std::string theirs = put("bob@example.org", "TemporaryFailure");
  const auto queue = target_queue(target);
  ASSERT_TRUE(queue->flush({"alice@example.org"}));
  EXPECT_EQ(registry->object("QueuedMessage", "id", ours)["nextRetry"],
            Value("2020-01-01T00:00:00Z"));
  EXPECT_EQ(registry->object("QueuedMessage", "id", theirs)["nextRetry"],
            Value("2099-01-01T00:00:00Z"));
}

}  // namespace
}  // namespace plan::server::queue
