#include "compiler/flow/model.h"

#include <gtest/gtest.h>

#include "tests/unit/compiler/flow/pair.h"

namespace plan::flow {
namespace {

using test::ended;
using test::recorded_pair;

/// One row of the truth table of split-delivery.md 4: the four entry points, in its order.
std::string row(const World& world, const std::string& recipient) {
  std::string text;
  for (const Entry entry :
       {Entry::target_25, Entry::target_submission, Entry::source_25, Entry::source_submission}) {
    text += (text.empty() ? "" : " | ") + ended(world, {entry, recipient + "@legacy.test", false});
  }
  return text;
}

TEST(TruthTable, NoObjectOnTheTarget) {
  EXPECT_EQ(row(recorded_pair(), "user03"), "S user03 | S user03 | S user03 | S user03");
}

TEST(TruthTable, ObjectExistsGuideRuleNotForwardedIsPremature) {
  World world = recorded_pair();
  world.target.route = test::route(test::kGuide);
  EXPECT_EQ(row(world, "user02"), "T user02 | T user02 | S user02 | S user02");
}

TEST(TruthTable, ObjectExistsGuideRuleForwarded) {
  World world = recorded_pair();
  world.target.route = test::route(test::kGuide);
  world.source.transport["user02@legacy.test"] = Transport::forward;
  EXPECT_EQ(row(world, "user02"), "T user02 | T user02 | T user02 | T user02");
}

TEST(TruthTable, ObjectExistsNotInTheSet) {
  EXPECT_EQ(row(recorded_pair(), "user02"), "S user02 | S user02 | S user02 | S user02");
}

TEST(TruthTable, InTheSetNotForwardedIsStaleOnTheSource) {
  World world = recorded_pair();
  world.target.keys["migrated"] = {"user01@legacy.test"};
  EXPECT_EQ(row(world, "user01"), "T user01 | T user01 | S user01 | S user01");
}

TEST(TruthTable, InTheSetAndForwardedHasMoved) {
  World world = recorded_pair();
  world.target.keys["migrated"] = {"user01@legacy.test"};
  world.source.transport["user01@legacy.test"] = Transport::forward;
  EXPECT_EQ(row(world, "user01"), "T user01 | T user01 | T user01 | T user01");
  EXPECT_EQ(row(world, "USER01"), "T user01 | T user01 | T user01 | T user01");
  EXPECT_EQ(row(world, "user01+tag"), "T user01 | T user01 | T user01 | T user01");
}

TEST(TruthTable, ForwardedButNotInTheSetIsALoop) {
  World world = recorded_pair();
  world.source.transport["user01@legacy.test"] = Transport::forward;
  EXPECT_EQ(row(world, "user01"), "loop | loop | loop | loop");
}

TEST(TruthTable, InTheSetButTheObjectIsDestroyed) {
  World world = recorded_pair();
  world.target.keys["migrated"] = {"user03@legacy.test"};
  EXPECT_EQ(row(world, "user03"), "S user03 | S user03 | S user03 | S user03");
}

TEST(TruthTable, StatesOfTheMove) {
  World world = recorded_pair();
  world.source.transport["user01@legacy.test"] = Transport::hold;
  EXPECT_EQ(row(world, "user01"), "Qs user01 | Qs user01 | Qs user01 | Qs user01");
  world.source.transport["user01@legacy.test"] = Transport::hold_retry;
  EXPECT_EQ(row(world, "user01"), "Qt user01 | Qt user01 | deferred at RCPT | deferred at RCPT");
  world.target.keys["migrated"] = {"user01@legacy.test"};
  EXPECT_EQ(row(world, "user01"), "T user01 | T user01 | deferred at RCPT | deferred at RCPT");
  world.source.transport["user01@legacy.test"] = Transport::hold;
  EXPECT_EQ(row(world, "user01"), "T user01 | T user01 | Qs user01 | Qs user01");
}

TEST(TruthTable, Cases) {
  World world = recorded_pair();
  const auto at_target = [&](const std::string& recipient, bool has_null_sender = false) {
    return ended(world, {Entry::target_25, recipient, has_null_sender});
  };
  const auto at_source = [&](const std::string& recipient) {
    return ended(world, {Entry::source_25, recipient, false});
  };
  EXPECT_EQ(at_target("nosuch@legacy.test"), "bounced")
      << "250, then a DSN: the target cannot know";
  EXPECT_EQ(at_target("nosuch@legacy.test", true), "") << "discarded";
  EXPECT_EQ(at_source("nosuch@legacy.test"), "refused at RCPT");
  EXPECT_EQ(at_target("x@new.test"), "refused at RCPT")
      << "unknown in a domain without allowRelaying";
  EXPECT_EQ(at_target("x@other.test"), "refused at RCPT");
  EXPECT_EQ(at_target("off@legacy.test"), "bounced") << "a disabled alias is not local";
  EXPECT_EQ(at_target("staff@legacy.test"), "bounced") << "a group without a key";
  EXPECT_EQ(at_target("team@legacy.test"), "S user01, S user02") << "an alias only the source has";
  EXPECT_EQ(at_target("crew@legacy.test"), "S user01, S user03, out") << "a list, by member";
  EXPECT_EQ(at_target("user03+tag@legacy.test"), "S user03");
  world.target.lists["outer@legacy.test"] = {"crew@legacy.test", "user03@legacy.test"};
  EXPECT_EQ(at_target("outer@legacy.test"), "S user03, bounced") << "an inner list bounces";
  world.target.lists["selfish@legacy.test"] = {"selfish@legacy.test", "user03@legacy.test"};
  EXPECT_EQ(at_target("selfish@legacy.test"), "S user03") << "its own address is skipped";
  world.target.domains["legacy.test"].catch_all = "user01@legacy.test";
  world.target.keys["migrated"] = {"user01@legacy.test"};
  EXPECT_EQ(at_target("user03@legacy.test"), "T user01")
      << "a catch-all swallows mail of all who have not moved";
  world.target.domains["legacy.test"] = {};
  EXPECT_EQ(at_target("user03@legacy.test"), "refused at RCPT");
  EXPECT_EQ(at_target("user02@legacy.test"), "S user02") << "objects are accepted and routed";
}

TEST(TruthTable, SubmissionsAndScripts) {
  World world = recorded_pair();
  world.target.keys["migrated"] = {"user01@legacy.test", "first@legacy.test"};
  world.source.transport["user01@legacy.test"] = Transport::forward;
  Letter letter{Entry::target_submission, "bob@ext.test"};
  letter.login = "user01@legacy.test";
  EXPECT_EQ(ended(world, letter), "out");
  letter.sender = "first@legacy.test";
  EXPECT_EQ(ended(world, letter), "out") << "an address of his own";
  letter.sender = "user03@legacy.test";
  EXPECT_EQ(ended(world, letter), "refused at RCPT") << "an address of somebody else";
  letter = {Entry::target_submission, "bob@ext.test"};
  letter.login = "user03@legacy.test";
  EXPECT_EQ(ended(world, letter), "refused at RCPT") << "who has no account cannot log in";
  letter = {Entry::source_submission, "user03@legacy.test"};
  letter.login = "user01@legacy.test";
  EXPECT_EQ(ended(world, letter), "S user03") << "the old door of a moved user is open";
  world.source.not_logging_in.insert("user01@legacy.test");
  EXPECT_EQ(ended(world, letter), "refused at RCPT") << "until it is closed";
  world.target.redirects["user01@legacy.test"] = {{"user03@legacy.test", true}};
  EXPECT_EQ(ended(world, {Entry::target_25, "user01@legacy.test"}), "S user03, T user01");
  world.source.redirects["user03@legacy.test"] = {{"user01@legacy.test", true}};
  EXPECT_EQ(ended(world, {Entry::target_25, "user01@legacy.test"}), "S user03, T user01")
      << "two scripts that point at each other stop";
  world.target.redirects["user01@legacy.test"] = {{"bob@ext.test", false}};
  EXPECT_EQ(ended(world, {Entry::target_25, "user01@legacy.test"}), "out");
  world.target.redirects.clear();
  world.target.answering.insert("user01@legacy.test");
  EXPECT_EQ(ended(world, {Entry::source_25, "user01@legacy.test"}), "T user01, out")
      << "the reply leaves from the target, once";
  EXPECT_EQ(ended(world, {Entry::source_25, "user01@legacy.test", true}), "T user01")
      << "a null sender gets no reply";
  world.target.not_receiving.insert("user01@legacy.test");
  EXPECT_EQ(ended(world, {Entry::target_25, "user01@legacy.test"}), "bounced");
}

TEST(TruthTable, SubdomainsAndCatchAllOfTheSource) {
  World world = recorded_pair();
  EXPECT_EQ(ended(world, {Entry::target_25, "user03@sub.legacy.test"}), "refused at RCPT");
  EXPECT_EQ(ended(world, {Entry::source_25, "user03@sub.legacy.test"}), "refused at RCPT");
  EXPECT_EQ(ended(world, {Entry::target_submission, "user03@sub.legacy.test"}), "out");
  world.source.catch_all["legacy.test"] = "user03@legacy.test";
  EXPECT_EQ(ended(world, {Entry::target_25, "nosuch@legacy.test"}), "S user03");
  EXPECT_EQ(ended(world, {Entry::source_25, "nosuch@legacy.test"}), "S user03");
  world.source.aliases["away@legacy.test"] = {"bob@ext.test", "user03@legacy.test"};
  EXPECT_EQ(ended(world, {Entry::target_25, "away@legacy.test"}), "S user03, out");
}

TEST(Queue, IsTriedAgainByTheRulesOfTheMoment) {
  World world = recorded_pair();
  world.source.is_down = true;
  EXPECT_EQ(ended(world, {Entry::target_25, "user02@legacy.test"}), "Qt user02");
  EXPECT_EQ(ended(world, {Entry::source_25, "user02@legacy.test"}), "deferred at RCPT");
  world.target.keys["migrated"] = {"user02@legacy.test"};
  EXPECT_EQ(ended(world, {Entry::target_queue, "user02@legacy.test"}), "T user02")
      << "mail that waits at the flip follows it";
  world.source.is_down = false;
  world.source.transport["user02@legacy.test"] = Transport::forward;
  EXPECT_EQ(ended(world, {Entry::source_queue, "user02@legacy.test"}), "T user02");
  world.target.is_down = true;
  EXPECT_EQ(ended(world, {Entry::source_25, "user02@legacy.test"}), "Qs user02");
  world.target.is_down = false;
  world.target.is_paused = true;
  EXPECT_EQ(ended(world, {Entry::target_25, "user02@legacy.test"}), "Qt user02")
      << "a paused queue keeps local deliveries too";
}

TEST(Model, ARelayToLoopbackBounces) {
  World world = recorded_pair();
  world.target.routes["source"].address = "127.0.0.1";
  EXPECT_EQ(ended(world, {Entry::target_25, "user03@legacy.test", false}), "bounced");
}

TEST(Model, TellsTheWayHopByHop) {
  World world = recorded_pair();
  world.target.keys["migrated"] = {"user01@legacy.test"};
  world.source.transport["user01@legacy.test"] = Transport::forward;
  const auto deliveries = deliver(world, {Entry::source_25, "user01@legacy.test", false});
  ASSERT_EQ(deliveries.size(), 1U);
  std::string way;
  for (const Hop& hop : deliveries[0].hops) way += to_text(hop) + "\n";
  EXPECT_EQ(way,
            "source forwards user01@legacy.test to the target (transport map)\n"
            "target routes user01@legacy.test by `local` (`if` 0 of MtaOutboundStrategy.route: "
            "rcpt_domain == 'legacy.test' && is_local_address(to_lowercase(rcpt)) && "
            "key_exists('migrated', to_lowercase(rcpt)))\n"
            "target delivers to user01@legacy.test\n");
}

}  // namespace
}  // namespace plan::flow
