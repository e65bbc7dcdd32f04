#include "compiler/flow/model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

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
  world.source.catch_all["legacy.test"] = {"user03@legacy.test"};
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

TEST(TruthTable, WhatOnlyTheTargetHasTheSourceRefuses) {
  World world = recorded_pair();
  world.target.keys["migrated"] = {"user01@legacy.test", "first@legacy.test", "staff@legacy.test"};
  world.source.transport["user01@legacy.test"] = Transport::forward;
  for (const char* name : {"first", "staff", "crew", "off"}) {
    EXPECT_EQ(ended(world, {Entry::source_25, std::string(name) + "@legacy.test"}),
              "refused at RCPT")
        << name;
  }
  EXPECT_EQ(ended(world, {Entry::target_25, "first@legacy.test"}), "T user01");
  EXPECT_EQ(ended(world, {Entry::target_25, "staff@legacy.test"}), "T staff");
  EXPECT_EQ(ended(world, {Entry::target_25, "crew@legacy.test"}), "S user03, T user01, out")
      << "a list with moved, not moved and outside members";
  EXPECT_EQ(ended(world, {Entry::source_25, "team@legacy.test"}), "S user02, T user01")
      << "an alias of the source, by member";
  for (const bool has_null_sender : {false, true}) {
    for (const Entry entry : {Entry::target_25, Entry::source_25}) {
      EXPECT_EQ(ended(world, {entry, "user01@legacy.test", has_null_sender}), "T user01");
      EXPECT_EQ(ended(world, {entry, "user03@legacy.test", has_null_sender}), "S user03");
    }
  }
  world.target.domains["legacy.test"].allows_relaying = false;
  EXPECT_EQ(row(world, "user03"), "refused at RCPT | refused at RCPT | S user03 | S user03")
      << "also for who has logged in";
  EXPECT_EQ(row(world, "user02"), "S user02 | S user02 | S user02 | S user02");
}

TEST(TruthTable, ATagIsTakenOffWhereTheAccountExists) {
  World world = recorded_pair();
  const auto way = [&](const char* recipient) {
    std::string text;
    for (const Delivery& delivery : deliver(world, {Entry::target_25, recipient})) {
      for (const Hop& hop : delivery.hops) text += to_text(hop) + "\n";
    }
    return text;
  };
  EXPECT_NE(
      way("user02+tag@legacy.test").find("target takes the tag of user02+tag@legacy.test off"),
      std::string::npos)
      << "relayed without the tag: a script that asks for it misses it";
  EXPECT_NE(way("user03+tag@legacy.test").find("target routes user03+tag@legacy.test by `source`"),
            std::string::npos)
      << "relayed with it";
}

TEST(TruthTable, ThrottlesAndSessions) {
  World world = recorded_pair();
  world.target.keys["migrated"] = {"user01@legacy.test"};
  world.source.transport["user01@legacy.test"] = Transport::forward;
  world.target.throttles = {5, 25, 10};
  const auto nth = [&](Entry entry, std::uint32_t second, std::uint32_t hour, std::uint32_t in) {
    Letter letter{entry, "user01@legacy.test"};
    letter.nth_in_second = second;
    letter.nth_in_hour = hour;
    letter.nth_in_session = in;
    return ended(world, letter);
  };
  EXPECT_EQ(nth(Entry::target_25, 5, 25, 10), "T user01");
  for (const auto& [second, hour, in] :
       {std::tuple(6U, 1U, 1U), std::tuple(1U, 26U, 1U), std::tuple(1U, 1U, 11U)}) {
    EXPECT_EQ(nth(Entry::target_25, second, hour, in), "deferred at RCPT");
    EXPECT_EQ(nth(Entry::source_25, second, hour, in), "Qs user01") << "the source keeps it";
    EXPECT_EQ(nth(Entry::target_submission, second, hour, in), "T user01");
  }
  world.target.unthrottled = {world.source_address};
  EXPECT_EQ(nth(Entry::source_25, 6, 26, 10), "T user01") << "the source is left out";
  EXPECT_EQ(nth(Entry::source_25, 6, 26, 11), "Qs user01") << "a session has a limit of its own";
}

TEST(TruthTable, ALoginThatIsWantedAtPort25) {
  World world = recorded_pair();
  world.target.keys["migrated"] = {"user01@legacy.test"};
  world.source.transport["user01@legacy.test"] = Transport::forward;
  const auto wants_login = [&](const char* when) {
    auto parsed = schema::MtaContainer::parse(test::expression({}, when),
                                              schema::context_of("MtaStageAuth", "require"));
    ASSERT_TRUE(parsed) << parsed.error().to_line();
    world.target.login_rule = std::make_shared<const schema::MtaContainer>(std::move(*parsed));
  };
  const auto ended_at = [&](Entry entry) { return ended(world, {entry, "user01@legacy.test"}); };
  wants_login("true");
  EXPECT_EQ(ended_at(Entry::target_25), "refused at RCPT");
  EXPECT_EQ(ended_at(Entry::source_25), "bounced") << "the source tells the sender";
  EXPECT_EQ(ended_at(Entry::target_submission), "T user01");
  EXPECT_EQ(ended_at(Entry::target_queue), "T user01") << "it was taken before";
  wants_login("local_port != 25");
  EXPECT_EQ(ended_at(Entry::target_25), "T user01");
  EXPECT_EQ(ended_at(Entry::source_25), "T user01");
  wants_login("remote_ip == '203.0.113.99'");
  EXPECT_EQ(ended_at(Entry::target_25), "T user01");
  EXPECT_EQ(ended_at(Entry::source_25), "undecided") << "its address is not said";
}

TEST(TruthTable, AliasesAndTagsAtTheSource) {
  World world = recorded_pair();
  EXPECT_EQ(ended(world, {Entry::source_25, "team+x@legacy.test"}), "S user01, S user02")
      << "an alias with a tag";
  EXPECT_EQ(ended(world, {Entry::target_queue, "team@legacy.test"}), "S user01, S user02")
      << "what the target hands on is asked for like a stranger's";
  world.source.transport["user01@legacy.test"] = Transport::hold_retry;
  EXPECT_EQ(ended(world, {Entry::source_25, "team@legacy.test"}), "Qs user01, S user02")
      << "members of an alias are not asked for at RCPT";
  EXPECT_EQ(ended(world, {Entry::source_25, "user01+x@legacy.test"}), "deferred at RCPT");
}

TEST(TruthTable, TwoMembersOfAListThatAreOneMailbox) {
  World world = recorded_pair();
  world.source.aliases["both@legacy.test"] = {"user01@legacy.test", "first@legacy.test"};
  world.source.aliases["first@legacy.test"] = {"user01@legacy.test"};
  EXPECT_EQ(ended(world, {Entry::source_25, "both@legacy.test"}), "S user01")
      << "Postfix delivers once for each address that it was given";
  world.target.lists["both@legacy.test"] = {"user01@legacy.test", "first@legacy.test"};
  world.target.keys["migrated"] = {"user01@legacy.test", "first@legacy.test"};
  EXPECT_EQ(ended(world, {Entry::target_25, "both@legacy.test"}), "T user01")
      << "the second is in the Inbox already";
  world.target.keys.clear();
  EXPECT_EQ(ended(world, {Entry::target_25, "both@legacy.test"}), "S user01, S user01")
      << "the target hands on two messages";
}

TEST(TruthTable, ATaggedAliasIsNotForTheCatchAll) {
  World world = recorded_pair();
  world.source.catch_all["legacy.test"] = {"user09@legacy.test"};
  EXPECT_EQ(ended(world, {Entry::source_25, "team+x@legacy.test"}), "S user01, S user02");
  EXPECT_EQ(ended(world, {Entry::source_25, "nosuch+x@legacy.test"}), "S user09");
}

TEST(TruthTable, TagsThatOnlyTheSourceKnowsGoRound) {
  World world = recorded_pair();
  world.source.tag_delimiters = "-+";
  world.source.mailboxes.insert("anna-maria@legacy.test");
  EXPECT_EQ(row(world, "user01-x"), "S user01 | S user01 | S user01 | S user01");
  EXPECT_EQ(row(world, "user01+x"), "S user01 | S user01 | S user01 | S user01");
  EXPECT_EQ(row(world, "anna-maria"), "S anna-maria | S anna-maria | S anna-maria | S anna-maria")
      << "a delimiter in a name";
  world.target.keys["migrated"] = {"user01@legacy.test"};
  world.source.transport["user01@legacy.test"] = Transport::forward;
  EXPECT_EQ(row(world, "user01+x"), "T user01 | T user01 | T user01 | T user01");
  EXPECT_EQ(row(world, "user01-x"), "loop | loop | loop | loop")
      << "the target does not know it and asks the source";
  TargetDomain& domain = world.target.domains["legacy.test"];
  const auto rule =
      schema::MtaContainer::parse(test::expression({{"matches('^([^-]+)-', rcpt)", "$1"}}, "rcpt"),
                                  schema::context_of("SubAddressingCustom", "customRule"));
  ASSERT_TRUE(rule);
  domain.tag_rule = std::make_shared<const schema::MtaContainer>(*rule);
  EXPECT_EQ(row(world, "user01-x"), "T user01 | T user01 | T user01 | T user01");
  EXPECT_EQ(row(world, "USER01-x"), "T user01 | T user01 | T user01 | T user01");
  domain.takes_tags_off = false;
  EXPECT_EQ(row(world, "user01-x"), "loop | loop | loop | loop");
}

TEST(TruthTable, AListInAListBouncesOnTheTarget) {
  World world = recorded_pair();
  world.target.lists["outer@legacy.test"] = {"crew@legacy.test", "user03@legacy.test"};
  world.source.aliases["crew@legacy.test"] = {"user05@legacy.test"};
  world.target.route = test::route(test::kGuideLower);
  EXPECT_EQ(ended(world, {Entry::target_25, "outer@legacy.test"}), "S user03, bounced")
      << "the inner list is local, although the source would know it";
}

TEST(TruthTable, WhatAServerMakesIsToldByABounce) {
  World world = recorded_pair();
  EXPECT_EQ(ended(world, {Entry::source_25, "nosuch@legacy.test"}), "refused at RCPT");
  EXPECT_EQ(ended(world, {Entry::source_submission, "nosuch@legacy.test"}), "refused at RCPT");
  EXPECT_EQ(ended(world, {Entry::source_local, "nosuch@legacy.test"}), "bounced");
  EXPECT_EQ(ended(world, {Entry::target_local, "nosuch@legacy.test"}), "bounced");
  world.source.transport["user03@legacy.test"] = Transport::hold_retry;
  EXPECT_EQ(ended(world, {Entry::source_local, "user03@legacy.test"}), "Qs user03")
      << "no session asks for the transport: it goes into the queue";
  world.source.redirects["user04@legacy.test"] = {{"user03@legacy.test", false}};
  EXPECT_EQ(ended(world, {Entry::source_25, "user04@legacy.test"}), "Qs user03")
      << "a script sends from the server itself";
}

TEST(TruthTable, ScriptsSendInTheirAccountsName) {
  World world = recorded_pair();
  world.target.keys["migrated"] = {"user01@legacy.test"};
  world.target.redirects["user01@legacy.test"] = {{"nosuch@legacy.test", true}};
  EXPECT_EQ(ended(world, {Entry::target_25, "user01@legacy.test", true}), "T user01, bounced")
      << "its bounce goes to user01, although the message had no sender";
  world.target.redirects["user01@legacy.test"] = {{"USER01@legacy.test", true}};
  EXPECT_EQ(ended(world, {Entry::target_25, "user01@legacy.test"}), "T user01")
      << "a script that leads to its own account stops";
  world.target.keys["migrated"].insert("first@legacy.test");
  world.target.redirects["user01@legacy.test"] = {{"first@legacy.test", false}};
  EXPECT_EQ(ended(world, {Entry::target_25, "user01@legacy.test"}), "T user01")
      << "by another name it meets the message a second time, and keeps it";
}

TEST(TruthTable, TheSourceRelaysForNobodyButItsOwn) {
  World world = recorded_pair();
  EXPECT_EQ(ended(world, {Entry::source_25, "bob@ext.test"}), "refused at RCPT");
  EXPECT_EQ(ended(world, {Entry::source_submission, "bob@ext.test"}), "out");
  EXPECT_EQ(ended(world, {Entry::source_local, "bob@ext.test"}), "out");
  world.target.route = test::route({{"true", "'source'"}});
  EXPECT_EQ(ended(world, {Entry::target_submission, "bob@ext.test"}), "bounced")
      << "the target is a stranger to it";
  world.source.own_networks = {world.target_address};
  EXPECT_EQ(ended(world, {Entry::target_submission, "bob@ext.test"}), "out");
}

TEST(TruthTable, DomainsAreComparedWithoutTheirCase) {
  World world = recorded_pair();
  EXPECT_EQ(row(world, "user03"), "S user03 | S user03 | S user03 | S user03");
  EXPECT_EQ(ended(world, {Entry::target_25, "user03@LEGACY.Test"}), "S user03");
  EXPECT_EQ(ended(world, {Entry::source_25, "user03@LEGACY.Test"}), "S user03");
}

TEST(Model, ARelayToLoopbackBounces) {
  World world = recorded_pair();
  world.target.routes["source"].address = "127.0.0.1";
  EXPECT_EQ(ended(world, {Entry::target_25, "user03@legacy.test", false}), "bounced");
}

TEST(Model, WhatOnlyTheServerCanTellGoesEitherWay) {
  World world = recorded_pair();
  world.target.route = test::route({{"dns_query(rcpt_domain, 'mx') == 'x'", "'source'"},
                                    {"is_local_domain(rcpt_domain)", "'local'"}});
  const Letter letter{Entry::target_25, "user02@legacy.test"};
  EXPECT_EQ(ended(world, letter), "undecided");
  const auto ways = deliver_either_way(world, letter);
  ASSERT_EQ(ways.size(), 2U);
  std::vector<std::string_view> fates;
  for (const auto& deliveries : ways) {
    ASSERT_EQ(deliveries.size(), 1U);
    ASSERT_TRUE(deliveries[0].supposed.has_value());
    fates.push_back(to_string(deliveries[0].fate));
  }
  std::sort(fates.begin(), fates.end());
  EXPECT_EQ(fates,
            (std::vector<std::string_view>{"mailbox on the source", "mailbox on the target"}));
  world.target.route = test::route(test::kExact);
  EXPECT_EQ(deliver_either_way(world, letter).size(), 1U) << "nothing is asked";
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

TEST(Model, SaysWhetherTheWayOfAMessageAsksWhoSends) {
  World world = recorded_pair();
  world.target.route =
      test::route({{"rcpt_domain == 'new.test' && sender_domain == 'partner.test'", "'mx'"},
                   {"is_local_domain(rcpt_domain)", "'local'"}});
  for (const bool is_asked : {false, true}) {
    bool asks_sender = false;
    const Letter letter{Entry::target_25, is_asked ? "berta@new.test" : "user01@legacy.test"};
    EXPECT_EQ(deliver_either_way(world, letter, false, &asks_sender).size(), 1U);
    EXPECT_EQ(asks_sender, is_asked);
  }
}

}  // namespace
}  // namespace plan::flow
