// Conditions, results and routes that nobody but the target can tell: taken both ways.
#include <gtest/gtest.h>

#include "tests/unit/compiler/flow/small_migration.h"

namespace plan::flow {
namespace {

TEST(Holes, AConditionThatOnlyTheTargetCanTellIsTakenBothWays) {
  const std::string asks = "dns_query(rcpt_domain, 'mx') == 'x'";
  Migration behind({test::kExact[0], test::kExact[1], test::kExact[2], {asks, "'mx'"}});
  behind.exact();
  EXPECT_EQ(behind.proof(), "proved") << "mail to others goes out either way";
  Migration asked_first(in_front({{asks, "'local'"}}));
  asked_first.exact();
  EXPECT_TRUE(finds(asked_first,
                    "  -> only the target can tell this condition; suppose that it is true (`if` 0 "
                    "of MtaOutboundStrategy.route: dns_query(rcpt_domain, 'mx') == 'x')",
                    true));
  Migration wrong_both_ways({{asks, "'mx'"}, {"is_local_domain(rcpt_domain)", "'mx'"}});
  wrong_both_ways.exact();
  EXPECT_TRUE(finds(wrong_both_ways, "mail for alice@legacy.test is sent to the public MX"));
  const std::string of_another = "rcpt_domain == 'nowhere.test' && " + asks;
  Migration not_needed(in_front({{of_another, "'mx'"}}));
  not_needed.exact();
  EXPECT_EQ(not_needed.proof(), "proved") << "it is not asked for this domain";
  Migration kept(in_front({{of_another, "'local'"}}));
  kept.exact();
  EXPECT_TRUE(finds(kept, "a message to somebody@nowhere.test at target submission", true))
      << "and that one's mail is kept if it is true";
}

TEST(Holes, WhatChangesFromTryToTryIsTakenBothWays) {
  for (const char* condition : {"retry_num > 3", "queue_name == 'late'"}) {
    Migration migration(in_front({{condition, "'mx'"}}));
    migration.exact();
    EXPECT_TRUE(finds(migration, "is sent to the public MX", true)) << condition;
  }
}

MailFacts with_sets(std::vector<std::string> sets) {
  MailFacts facts;
  facts.target_sets = std::move(sets);
  return facts;
}

TEST(Holes, ASetOfTheTargetsOwnIsTakenBothWays) {
  const std::pair<std::string, std::string> asks = {"key_exists('vip', rcpt)", "'mx'"};
  const test::Arms arms = in_front({asks});
  Migration migration(arms);
  migration.exact();
  EXPECT_EQ(migration.proof(), "proved") << "nobody has such a set: it is false for everything";
  Migration of_target(arms);
  of_target.exact();
  EXPECT_TRUE(finds(of_target,
                    "  -> only the target can tell this condition; suppose that it is true (`if` 0 "
                    "of MtaOutboundStrategy.route: key_exists('vip', rcpt))\n"
                    "  -> target routes alice@legacy.test by `mx`",
                    true, with_sets({"vip"})));
  Migration behind({test::kExact[0], test::kExact[1], test::kExact[2], asks});
  behind.exact();
  ASSERT_EQ(behind.graph.freeze(), std::nullopt);
  EXPECT_TRUE(prove(behind.graph, nullptr, {}, with_sets({"vip"})).found.empty())
      << "the plan's domains are asked for first";
}

TEST(Holes, MoreThanFourSuchConditionsAreNotGuessed) {
  test::Arms arms;
  for (int i = 0; i < 5; ++i)
    arms.emplace_back("dns_query(rcpt, 'mx') == '" + std::to_string(i) + "'", "'source'");
  Migration migration(in_front(arms));
  migration.exact();
  EXPECT_TRUE(finds(migration, "goes cannot be told", true));
}

TEST(Holes, AResultThatOnlyTheTargetCanTell) {
  Migration migration({test::kExact[0],
                       test::kExact[1],
                       {"is_local_domain(rcpt_domain)", "dns_query(rcpt_domain, 'txt')"}});
  migration.exact();
  EXPECT_TRUE(finds(migration,
                    "where mail for a domain that lives only on the target goes cannot be told",
                    true));
}

TEST(Holes, ARouteOfTheTargetsOwnIsNotGuessed) {
  Migration outside({test::kExact[0], test::kExact[1], test::kExact[2], {"true", "'provider'"}});
  outside.exact();
  EXPECT_EQ(outside.proof(), "proved") << "mail to others may leave by it";
  Migration inside({test::kExact[0], test::kExact[1], {"true", "'provider'"}});
  inside.exact();
  EXPECT_TRUE(finds(inside, "by it, or to the public MX where there is no such route", true));
}

}  // namespace
}  // namespace plan::flow
