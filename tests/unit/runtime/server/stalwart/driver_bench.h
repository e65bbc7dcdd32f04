#pragma once
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>

#include "compiler/source/result.h"
#include "runtime/net/jmap/pool.h"
#include "runtime/secret/errors.h"
#include "runtime/server/stalwart/drivers.h"
#include "runtime/server/stalwart/target.h"
#include "tests/support/fake_registry.h"

namespace plan::server::stalwart {

/// Time that passes only when somebody sleeps.
class TestClock final : public net::Clock {
 public:
  Monotonic now() override { return now_; }
  std::int64_t wall_ms() override { return 1'764'000'000'000; }
  void sleep_for(std::chrono::milliseconds duration) override {
    now_ += duration;
    slept += duration;
  }
  void pass(std::chrono::milliseconds duration) { now_ += duration; }
  std::chrono::milliseconds slept{0};

 private:
  Monotonic now_ = Monotonic{} + std::chrono::hours(1);
};

class TestSecrets final : public secret::SecretSource {
 public:
  Result<secret::Secret> read(const ir::SecretRef& ref) override {
    const auto found = texts.find(ref.provider + ":" + ref.name);
    if (found == texts.end())
      return Error(secret::errors::secret_missing, "the test gave no such secret");
    return secret::Secret(found->second);
  }
  Result<ir::SecretRef> seal(const secret::Secret&) override {
    return ir::SecretRef{.provider = "sealed", .name = "x"};
  }
  std::map<std::string, std::string> texts = {};
};

/// A driver, a fake registry, and one step after the other.
class DriverBench : public ::testing::Test {
 protected:
  DriverBench() : registry(std::make_shared<test::FakeRegistry>()) {
    client = std::make_shared<net::jmap::Client>(registry, Blame::target, clock);
    target = std::make_shared<Target>(client, clock);
    targets = std::make_shared<TargetPool>(client, target);
    add_drivers(drivers, targets);
    secrets.texts["source:alice@example.org"] =
        "{SHA512-CRYPT}$6$abcdefghABCDEFGH$EbfOE7eNfvkhzikCOsSPYI8."
        "3hi4HXuBeNc22f1NEbfOE7eNfvkhzikCOsSPYI8.3hi4HXuBeNc22f1N123456";
  }

  struct Step {
    ir::StepKind kind = {};
    ir::Value arguments = {};
    ir::Value prior = {};
    ir::Value notes = {};
    bool is_rollback = false;
  };

  template <class Function>
  auto with_context(Step& step, Function function) {
    step::StepContext context{.id = "test",
                              .kind = step.kind,
                              .arguments = step.arguments,
                              .secrets = secrets,
                              .clock = clock,
                              .stop = stop,
                              .is_rollback = step.is_rollback,
                              .prior = step.prior,
                              .notes = step.notes,
                              .remember = [&step](const ir::Value& notes) -> Outcome {
                                step.notes = notes;
                                return {};
                              },
                              .progress = [](const step::Progress&) {}};
    return function(*drivers.find(step.kind), context);
  }

  Result<ir::Observation> observe(Step& step) {
    const int before = registry->writes();
    auto seen = with_context(step, [](step::StepDriver& driver, step::StepContext& context) {
      return driver.observe(context);
    });
    EXPECT_EQ(registry->writes(), before) << "observe writes nothing, ever";
    return seen;
  }
  Result<ir::Value> apply(Step& step) {
    return with_context(step, [](step::StepDriver& driver, step::StepContext& context) {
      return driver.apply(context);
    });
  }
  Outcome verify(Step& step) {
    return with_context(step, [](step::StepDriver& driver, step::StepContext& context) {
      return driver.verify(context);
    });
  }
  Outcome undo(Step& step) {
    return with_context(step, [](step::StepDriver& driver, step::StepContext& context) {
      return driver.undo(context);
    });
  }
  /// As the engine does: observe, keep the prior state, apply, verify.
  Result<ir::Value> run(Step& step) {
    PLAN_TRY(seen, observe(step));
    step.prior = seen.prior;
    PLAN_TRY(outputs, apply(step));
    PLAN_TRY_VOID(verify(step));
    return outputs;
  }

  TestClock clock;
  TestSecrets secrets;
  step::StopSignal stop;
  std::shared_ptr<test::FakeRegistry> registry;
  std::shared_ptr<net::jmap::Client> client;
  std::shared_ptr<Target> target;
  std::shared_ptr<TargetPool> targets;
  step::DriverTable drivers;
};

#define EXPECT_OK(expression)                                                          \
  do {                                                                                 \
    const auto& outcome_ = (expression);                                               \
    EXPECT_TRUE(outcome_.has_value()) << (outcome_ ? "" : outcome_.error().to_line()); \
  } while (false)

}  // namespace plan::server::stalwart
