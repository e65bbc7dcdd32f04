#include <thread>

#include "runtime/server/stalwart/errors.h"
#include "runtime/server/stalwart/lease.h"
#include "tests/support/told_error.h"
#include "tests/unit/runtime/server/stalwart/driver_bench.h"

namespace plan::server::stalwart {
namespace {

using ir::Standing;
using ir::StepKind;
using ir::Value;

class KeysDriver : public DriverBench {
 protected:
  static Step keys(const std::string& account = "alice@example.org") {
    return Step{
        .kind = StepKind::admin_keys,
        .arguments = Value::map({{"namespace", "migrated"},
                                 {"account", account},
                                 {"addresses", Value::list({account, "first." + account})}})};
  }
};

TEST_F(KeysDriver, adds_every_address_as_a_plain_key_and_reloads) {
  Step step = keys("Alice@Example.org");
  EXPECT_EQ(observe(step)->standing, Standing::absent);
  EXPECT_OK(run(step));
  const auto made = registry->objects("MemoryLookupKey");
  ASSERT_EQ(made.size(), 2U);
  for (const Value& key : made) {
    EXPECT_EQ(key["namespace"], Value("migrated"));
    EXPECT_EQ(key["isGlobPattern"], Value(false));
  }
  EXPECT_EQ(made[0]["key"], Value("alice@example.org"));
  EXPECT_EQ(registry->count("ReloadLookupStores"), 1);
  EXPECT_TRUE(target->generation("alice@example.org")->is_at_target());
  EXPECT_EQ(observe(step)->standing, Standing::satisfied);
}

TEST_F(KeysDriver, a_key_that_is_there_already_is_fine_and_a_pattern_becomes_plain) {
  registry->put("MemoryLookupKey", Value::map({{"namespace", "migrated"},
                                               {"key", "alice@example.org"},
                                               {"isGlobPattern", true}}));
  Step step = keys();
  EXPECT_EQ(observe(step)->standing, Standing::differs);
  EXPECT_OK(run(step));
  EXPECT_EQ(registry->object("MemoryLookupKey", "key", "alice@example.org")["isGlobPattern"],
            Value(false));
}

TEST_F(KeysDriver, keys_without_reload_are_not_taken_for_done) {
  // Killed between the keys and the reload: nothing of it is live.
  for (const char* key : {"alice@example.org", "first.alice@example.org"}) {
    registry->put("MemoryLookupKey",
                  Value::map({{"namespace", "migrated"}, {"key", key}, {"isGlobPattern", false}}));
  }
  Step step = keys();
  EXPECT_EQ(observe(step)->standing, Standing::differs);
  EXPECT_OK(run(step));
  EXPECT_EQ(registry->count("ReloadLookupStores"), 1);
  EXPECT_EQ(observe(step)->standing, Standing::satisfied);
}

TEST_F(KeysDriver, a_refused_reload_leaves_the_step_undone) {
  registry->refused_actions["ReloadLookupStores"] = "StoreLookup";
  Step step = keys();
  const auto outputs = run(step);
  ASSERT_FALSE(outputs);
  EXPECT_TRUE(outputs.error().is(errors::reload_refused));
  EXPECT_FALSE(target->generation("alice@example.org")->is_at_target());
  EXPECT_NE(observe(step)->standing, Standing::satisfied);
}

TEST_F(KeysDriver, undo_removes_the_keys_and_reloads_and_may_be_repeated) {
  Step step = keys();
  EXPECT_OK(run(step));
  EXPECT_OK(undo(step));
  EXPECT_TRUE(registry->objects("MemoryLookupKey").empty());
  EXPECT_EQ(registry->count("ReloadLookupStores"), 2);
  const auto generation = target->generation("alice@example.org");
  EXPECT_EQ(generation->at, "source");
  EXPECT_EQ(generation->number, 2) << "a generation is never given twice";
  EXPECT_OK(undo(step));
}

TEST_F(KeysDriver, a_move_that_was_undone_is_not_the_world_of_before) {
  Step step = keys();
  const auto before = observe(step);
  EXPECT_OK(run(step));
  EXPECT_OK(undo(step));
  const auto after = observe(step);
  EXPECT_EQ(before->standing, after->standing);
  EXPECT_EQ(before->fingerprint["at"], after->fingerprint["at"]);
  EXPECT_NE(before->fingerprint, after->fingerprint) << "what single-use hangs on elsewhere";
}

TEST_F(KeysDriver, an_account_that_was_flipped_before_is_not_taken_back_by_the_undo) {
  Step first = keys();
  EXPECT_OK(run(first));
  Step again = keys();
  EXPECT_OK(run(again));
  EXPECT_OK(undo(again));
  EXPECT_EQ(registry->objects("MemoryLookupKey").size(), 2U);
}

TEST_F(KeysDriver, a_key_of_another_namespace_is_another_key) {
  registry->put(
      "MemoryLookupKey",
      Value::map({{"namespace", "other"}, {"key", "alice@example.org"}, {"isGlobPattern", false}}));
  Step step = keys();
  EXPECT_EQ(observe(step)->standing, Standing::absent);
}

TEST_F(KeysDriver, many_accounts_do_not_read_the_whole_set_again_each_time) {
  for (int i = 0; i < 50; ++i) {
    Step step = keys(fmt::format("user{}@example.org", i));
    EXPECT_OK(run(step));
  }
  EXPECT_LE(registry->count("x:MemoryLookupKey/query"),
            4 + static_cast<int>(clock.slept / std::chrono::seconds(30)));
}

TEST_F(KeysDriver, one_reload_a_second_at_most) {
  Step first = keys("a@example.org");
  Step second = keys("b@example.org");
  EXPECT_OK(run(first));
  EXPECT_EQ(clock.slept, std::chrono::milliseconds(0));
  EXPECT_OK(run(second));
  EXPECT_EQ(clock.slept, std::chrono::milliseconds(1000));
}

TEST(ReloadGateTest, callers_that_wait_together_share_one_reload) {
  std::atomic<int> reloads{0};
  std::atomic<int> inside{0};
  ReloadGate gate(
      [&]() -> Outcome {
        EXPECT_EQ(++inside, 1) << "one at a time";
        ++reloads;
        std::this_thread::sleep_for(std::chrono::milliseconds(20));
        --inside;
        return {};
      },
      std::chrono::milliseconds(50), net::system_clock());
  std::vector<std::thread> threads;
  for (int i = 0; i < 16; ++i) threads.emplace_back([&] { EXPECT_TRUE(gate.pass()); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_GE(reloads, 1);
  EXPECT_LE(reloads, 3);
}

TEST(ReloadGateTest, a_failure_reaches_everyone_it_was_for_and_nobody_else) {
  int count = 0;
  ReloadGate gate(
      [&]() -> Outcome {
        if (++count == 1) return Error(errors::reload_refused, "no");
        return {};
      },
      std::chrono::milliseconds(0), net::system_clock());
  EXPECT_FALSE(gate.pass());
  EXPECT_TRUE(gate.pass());
}

class Lease : public DriverBench {};

TEST_F(Lease, is_given_to_one_and_kept_by_its_token) {
  TargetLease ours(target, "alice@laptop", clock);
  TargetLease theirs(target, "bob@desk", clock);
  EXPECT_OK(ours.acquire("t1"));
  EXPECT_OK(ours.acquire("t1"));
  const Outcome refused = theirs.acquire("t2");
  ASSERT_FALSE(refused);
  EXPECT_TRUE(test::told_as("lease-taken", refused.error()));
  EXPECT_OK(ours.renew("t1"));
  EXPECT_OK(theirs.release("t2"));
  EXPECT_OK(ours.renew("t1"));
  EXPECT_OK(ours.release("t1"));
  EXPECT_OK(theirs.acquire("t2"));
}

TEST_F(Lease, a_lost_reply_does_not_lose_the_lease) {
  TargetLease ours(target, "alice@laptop", clock);
  registry->lose_reply_of = "MemoryLookupKeyValue";
  EXPECT_OK(ours.acquire("t1"));
  EXPECT_OK(ours.renew("t1"));
}

TEST_F(Lease, taking_over_ends_the_other_run) {
  TargetLease ours(target, "alice@laptop", clock);
  TargetLease theirs(target, "bob@desk", clock);
  EXPECT_OK(ours.acquire("t1"));
  EXPECT_OK(theirs.take_over("t2"));
  const Outcome lost = ours.renew("t1");
  ASSERT_FALSE(lost);
  EXPECT_TRUE(test::told_as("lease-lost", lost.error()));
}

}  // namespace
}  // namespace plan::server::stalwart
