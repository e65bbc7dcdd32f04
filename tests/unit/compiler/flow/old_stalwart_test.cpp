// The model of a source that is a Stalwart 0.13 to 0.15: every row was seen with a running 0.15.5
// (reference/stalwart-v015-api.md 9.3, transcripts/stalwart-0.15-api/routing-delivery-queue.jsonl).
#include <gtest/gtest.h>

#include "compiler/flow/states.h"
#include "compiler/schema/old_route.h"
#include "tests/unit/compiler/flow/pair.h"

namespace plan::flow {
namespace {

using test::ended;

std::shared_ptr<const schema::MtaContainer> old_route(const test::Arms& arms) {
  auto parsed =
      schema::MtaContainer::parse(test::expression(arms, "'mx'"), schema::old_route_context());
  if (!parsed) throw std::runtime_error(parsed.error().to_line());
  return std::make_shared<const schema::MtaContainer>(std::move(*parsed));
}

const test::Arms kLists = {{"key_exists('plan-moved', rcpt)", "'plan-new'"},
                           {"key_exists('plan-held', rcpt)", "'plan-hold'"},
                           {"is_local_domain('*', rcpt_domain)", "'local'"}};
const test::Arms kListsOfTags = {
    {"key_exists('plan-moved', rcpt)", "'plan-new'"},
    {"matches('^([^+@]+)[+][^@]*(@.+)$', rcpt) && key_exists('plan-moved', $1 + $2)", "'plan-new'"},
    {"is_local_domain('*', rcpt_domain)", "'local'"}};

/// user01 has moved, user02 is held, user03 is only at the source.
World old_pair(const test::Arms& arms = kLists) {
  World world = test::recorded_pair();
  world.target.keys["migrated"] = {"user01@legacy.test", "first@legacy.test"};
  Source& source = world.source;
  source.domains = {"legacy.test"};
  source.aliases.clear();
  OldStalwart& server = source.stalwart.emplace();
  server.names = {{"first@legacy.test", "user01@legacy.test"}};
  server.lists["plan-moved"] = {"-", "user01@legacy.test", "first@legacy.test"};
  server.lists["plan-held"] = {"-", "user01@legacy.test", "user02@legacy.test"};
  server.routes["plan-new"] = {"relay", "new.test", "25"};
  server.routes["plan-hold"] = {"relay", "new.test", "9"};
  server.next_hop = "smtp:[new.test]:25";
  server.route = old_route(arms);
  return world;
}

std::string at_source(const World& world, const std::string& recipient,
                      Entry entry = Entry::source_25) {
  return ended(world, {entry, recipient + "@legacy.test", false});
}

TEST(OldStalwart, GoesByItsLists) {
  const World world = old_pair();
  for (const Entry entry : {Entry::source_25, Entry::source_submission, Entry::source_queue}) {
    EXPECT_EQ(at_source(world, "user01", entry), "T user01") << "who is in both has moved";
    EXPECT_EQ(at_source(world, "user02", entry), at_source(world, "USER02", entry));
    EXPECT_EQ(at_source(world, "user03", entry), "S user03");
  }
  const auto held = deliver(world, {Entry::source_25, "user02@legacy.test", false});
  ASSERT_EQ(held.size(), 1U);
  EXPECT_EQ(held[0].fate, Fate::source_queue);
  EXPECT_EQ(held[0].mailbox, "user02@legacy.test");
}

TEST(OldStalwart, ComparesCapitalsInLowerCase) {
  EXPECT_EQ(at_source(old_pair(), "USER01"), "T user01");
}

TEST(OldStalwart, WantsAKeyForEveryAlias) {
  World world = old_pair();
  EXPECT_EQ(at_source(world, "first"), "T user01");
  world.source.stalwart->lists["plan-moved"].erase("first@legacy.test");
  EXPECT_EQ(at_source(world, "first"), "S user01");
}

TEST(OldStalwart, KnowsNoSubAddressInAList) {
  EXPECT_EQ(at_source(old_pair(), "user01+x"), "S user01");
  EXPECT_EQ(at_source(old_pair(kListsOfTags), "user01+x"), "T user01");
  EXPECT_EQ(at_source(old_pair(kListsOfTags), "user01+x+y"), "T user01");
  EXPECT_EQ(at_source(old_pair(kListsOfTags), "user03+x"), "S user03");
}

TEST(OldStalwart, SendsSubAddressesAwayByIsLocalAddress) {
  const World world = old_pair({{"!is_local_address('*', rcpt)", "'plan-new'"},
                                {"is_local_domain('*', rcpt_domain)", "'local'"}});
  EXPECT_EQ(at_source(world, "user03"), "S user03");
  EXPECT_NE(at_source(world, "user03+x"), "S user03");
}

TEST(OldStalwart, ExpandsAListAndAsksForEachMember) {
  World world = old_pair();
  world.source.aliases["team@legacy.test"] = {"user01@legacy.test", "user03@legacy.test",
                                              "out@ext.test"};
  const auto copies = deliver(world, {Entry::source_25, "team@legacy.test", false});
  ASSERT_EQ(copies.size(), 3U);
  std::vector<std::string> ends;
  for (const Delivery& one : copies) ends.push_back(one.mailbox);
  std::sort(ends.begin(), ends.end());
  EXPECT_EQ(ends,
            (std::vector<std::string>{"out@ext.test", "user01@legacy.test", "user03@legacy.test"}));
}

TEST(OldStalwart, DeliversAGroupIntoItsOwnMailbox) {
  World world = old_pair();
  world.source.mailboxes.insert("staff@legacy.test");
  EXPECT_EQ(at_source(world, "staff"), "S staff");
}

TEST(OldStalwart, TakesARouteThatNobodyKnowsToTheWorld) {
  const auto copies = deliver(old_pair({{"key_exists('plan-moved', rcpt)", "'plan-gone'"}}),
                              {Entry::source_25, "user01@legacy.test", false});
  ASSERT_EQ(copies.size(), 1U);
  EXPECT_EQ(copies[0].fate, Fate::public_mx);
}

TEST(OldStalwart, BouncesWhatARelayByAddressGets) {
  World world = old_pair();
  world.source.stalwart->routes["plan-new"].address = "192.0.2.15";
  const auto copies = deliver(world, {Entry::source_25, "user01@legacy.test", false});
  ASSERT_EQ(copies.size(), 1U);
  EXPECT_EQ(copies[0].fate, Fate::bounced);
}

TEST(OldStalwart, KeepsNothingWaitingWhereAMailServerMayListen) {
  const auto fate = [](const std::string& host, const std::string& port) {
    World world = old_pair();
    world.source.stalwart->routes["plan-hold"] = {"relay", host, port};
    const auto copies = deliver(world, {Entry::source_25, "user02@legacy.test", false});
    EXPECT_EQ(copies.size(), 1U) << host << " " << port;
    return copies.empty() ? Fate::undecided : copies[0].fate;
  };
  EXPECT_EQ(fate("new.test", "9"), Fate::source_queue);
  EXPECT_EQ(fate("NEW.test", "4190"), Fate::source_queue);
  for (const char* port : {"24", "465", "587", "2525"})
    EXPECT_EQ(fate("new.test", port), Fate::outside) << port;
  EXPECT_EQ(fate("third.test", "9"), Fate::outside);
}

TEST(OldStalwart, SpeaksTlsAtOnceOnlyWhereItIsWaitedFor) {
  const auto fate = [](const std::string& port, bool is_tls_at_once) {
    World world = old_pair();
    world.source.stalwart->routes["plan-new"] = {"relay", "new.test", port, is_tls_at_once};
    world.source.stalwart->next_hop = "smtp:[new.test]:" + port;
    const auto copies = deliver(world, {Entry::source_25, "user01@legacy.test", false});
    EXPECT_EQ(copies.size(), 1U) << port;
    return copies.empty() ? Fate::undecided : copies[0].fate;
  };
  EXPECT_EQ(fate("25", false), Fate::target_mailbox);
  EXPECT_EQ(fate("25", true), Fate::source_queue);
  EXPECT_EQ(fate("465", true), Fate::target_mailbox);
  EXPECT_EQ(fate("465", false), Fate::source_queue);
}

TEST(OldStalwart, FindsNothingInAListThatItHasNotSeen) {
  World world = old_pair();
  world.source.stalwart->lists.erase("plan-moved");
  world.source.stalwart->lists.erase("plan-held");
  EXPECT_EQ(at_source(world, "user01"), "S user01");
}

TEST(OldStalwart, RefusesWhomItDoesNotKnow) {
  const World world = old_pair();
  const auto unknown = deliver(world, {Entry::source_25, "nobody@legacy.test", false});
  ASSERT_EQ(unknown.size(), 1U);
  EXPECT_EQ(unknown[0].fate, Fate::refused);
  const auto foreign = deliver(world, {Entry::source_25, "out@ext.test", false});
  ASSERT_EQ(foreign.size(), 1U);
  EXPECT_EQ(foreign[0].fate, Fate::refused);
  const auto sent = deliver(world, {Entry::source_submission, "out@ext.test", false});
  ASSERT_EQ(sent.size(), 1U);
  EXPECT_EQ(sent[0].fate, Fate::outside);
}

TEST(OldStalwart, GivesUnknownAddressesToTheCatchAll) {
  World world = old_pair();
  world.source.catch_all["legacy.test"] = {"user03@legacy.test"};
  EXPECT_EQ(at_source(world, "nobody"), "S user03");
  world.source.catch_all["legacy.test"] = {"user01@legacy.test"};
  EXPECT_EQ(at_source(world, "nobody"), "S user01") << "also when that one has moved";
}

TEST(OldStalwart, KeepsACopyOfWhatAScriptRedirects) {
  World world = old_pair();
  world.source.redirects["user03@legacy.test"] = {{"user01@legacy.test", true}};
  const auto copies = deliver(world, {Entry::source_25, "user03@legacy.test", false});
  ASSERT_EQ(copies.size(), 2U);
  EXPECT_NE(copies[0].fate, copies[1].fate) << "one in its own mailbox, one at the target";
}

TEST(OldStalwart, AndATargetThatSendsBackGoRound) {
  World world = old_pair();
  world.target.keys.clear();
  const auto copies = deliver(world, {Entry::source_25, "user01@legacy.test", false});
  ASSERT_EQ(copies.size(), 1U);
  EXPECT_EQ(copies[0].fate, Fate::loop);
}

TEST(OldStalwart, ExpressionsHaveItsFunctions) {
  for (const char* bad : {"is_local_domain(rcpt_domain)", "is_local_address(rcpt)"}) {
    const auto parsed = schema::MtaContainer::parse(test::expression({{bad, "'local'"}}, "'mx'"),
                                                    schema::old_route_context());
    ASSERT_FALSE(parsed) << bad;
    EXPECT_NE(parsed.error().to_line().find("takes 2 arguments, 1 is given"), std::string::npos)
        << parsed.error().to_line();
  }
}

}  // namespace
}  // namespace plan::flow
