// Forty accounts held at once: each has a thread of its own while its clients wait, whatever bound
// there is for steps, and one that does not succeed goes back alone.
#include <condition_variable>
#include <mutex>

#include "tests/unit/runtime/engine/engine_fixture.h"

namespace plan::engine {
namespace {

using report::Ending;
using test::move_graph;

constexpr std::size_t kMany = 40;

/// No account's delta ends before all of them are held.
class AllAtOnce final : public step::StepDriver {
 public:
  std::size_t most() {
    const std::lock_guard lock(mutex_);
    return most_;
  }
  Result<ir::Observation> observe(step::StepContext&) override { return ir::Observation{}; }
  Result<ir::Value> apply(step::StepContext& context) override {
    if (context.kind == ir::StepKind::archive_delta) return wait_for_all();
    if (context.kind == ir::StepKind::archive_grade)
      return ir::Value::map({{"grade", context.account == "a7@x" ? "poor" : "perfect"}});
    return ir::Value::map({{"account_id", "i"}, {"generation", 1}, {"messages", 0}});
  }
  Outcome verify(step::StepContext&) override { return {}; }
  Outcome undo(step::StepContext&) override { return {}; }

 private:
  Result<ir::Value> wait_for_all() {
    std::unique_lock lock(mutex_);
    most_ = std::max(most_, ++inside_);
    changed_.notify_all();
    // Long enough for a machine that is busy with something else; never waited for in full.
    const bool is_whole =
        changed_.wait_for(lock, std::chrono::minutes(5), [&] { return most_ == kMany; });
    --inside_;
    if (!is_whole)
      return Error(step::errors::not_as_wanted, "not all accounts were held at one time");
    return ir::Value::map({{"messages", 1}});
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t inside_ = 0;
  std::size_t most_ = 0;
};

TEST_F(EngineTest, forty_accounts_held_at_once_all_come_to_their_end) {
  const auto driver = std::make_shared<AllAtOnce>();
  for (const ir::StepKindInfo& info : ir::all_step_kinds()) drivers_.add(info.kind, driver);
  add_local_drivers(drivers_);
  options_.threads_max = 4;
  const auto result = run(move_graph({.accounts = kMany, .parallel = kMany}));
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(driver->most(), kMany);
  EXPECT_EQ(result->counts.accounts_moved, kMany - 1);
  ASSERT_EQ(result->failures.size(), 1U) << result->message;
  EXPECT_EQ(result->failures[0].step, "account/a7@x/grade");
  EXPECT_TRUE(result->accounts_held.empty());
  auto journal = open();
  const auto holds = (*journal)->holds();
  ASSERT_TRUE(holds);
  EXPECT_EQ(holds->size(), kMany);
  for (const HoldRecord& hold : *holds) EXPECT_TRUE(hold.ended_ms) << hold.account;
}

}  // namespace
}  // namespace plan::engine
