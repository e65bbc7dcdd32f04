#include "compiler/check/client_limits.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace plan::check {
namespace {

using ir::Value;

const std::string kSource = "203.0.113.20";
const std::vector<std::string> kSources = {kSource};

Value when(const char* condition) {
  return Value::map({{"match", Value::map()}, {"else", condition}});
}

Value rate(int count, int period_ms) {
  return Value::map({{"count", count}, {"period", period_ms}});
}

TEST(ClientLimits, AThrottleCountsWhomItsConditionIsTrueFor) {
  EXPECT_EQ(counts(when("true"), kSource), true);
  EXPECT_EQ(counts(when("remote_ip != '203.0.113.20'"), kSource), false);
  EXPECT_EQ(counts(Value::map({{"else", "true"}}), kSource), true) << "as it is measured";
  EXPECT_EQ(counts(when("local_port == 25"), kSource), std::nullopt);
  EXPECT_EQ(counts(Value(), kSource), std::nullopt);
  EXPECT_EQ(counts(Value("true"), kSource), std::nullopt);
}

TEST(ClientLimits, OneIsLiftedByWhatSwitchesItOffLetsMorePassOrLeavesThemOut) {
  const auto lifts = [](std::vector<std::pair<std::string, Value>> set) {
    return lifts_throttle(Value::map(std::move(set)), kSources);
  };
  EXPECT_TRUE(lifts({{"enable", false}}));
  EXPECT_TRUE(lifts({{"rate", rate(1000, 1000)}}));
  EXPECT_TRUE(lifts({{"match", when("remote_ip != '203.0.113.20'")}}));
  EXPECT_FALSE(lifts({{"enable", true}}));
  EXPECT_FALSE(lifts({{"rate", rate(1, 3'600'000)}}));
  EXPECT_FALSE(lifts({{"rate", rate(1000, 0)}}));
  EXPECT_FALSE(lifts({{"match", when("true")}}));
  EXPECT_FALSE(lifts({{"match", when("local_port != 25")}})) << "nobody knows";
  EXPECT_FALSE(lifts({}));
}

TEST(ClientLimits, OneLimitsByARateThatSomebodyMeets) {
  const auto limits = [](std::vector<std::pair<std::string, Value>> set) {
    return limits_by_throttle(Value::map(std::move(set)));
  };
  EXPECT_TRUE(limits({{"rate", rate(1, 3'600'000)}}));
  EXPECT_TRUE(limits({{"enable", true}}));
  EXPECT_TRUE(limits({{"key", Value::list()}}));
  EXPECT_TRUE(limits({{"rate/count", 1}}));
  EXPECT_FALSE(limits({{"rate", rate(1, 3'600'000)}, {"enable", false}}));
  EXPECT_FALSE(limits({{"rate", rate(1000, 1000)}}));
  EXPECT_FALSE(limits({{"match", when("true")}}));
}

Value told(const char* source, const char* others) {
  return Value::map(
      {{"match",
        Value::map({{"0", Value::map({{"if", "remote_ip == '203.0.113.20'"}, {"then", source}})}})},
       {"else", others}});
}

TEST(ClientLimits, WhatTheSourceHandsOnIsTakenUpToABound) {
  const auto taken = [](const Value& bound, double message_max) {
    return taken_from(kSource, bound, "MtaStageData", "maxMessageSize", message_max);
  };
  EXPECT_EQ(taken(when("20 * 1048576"), 52'428'800), Taken::not_all);
  EXPECT_EQ(taken(when("50 * 1048576"), 52'428'800), Taken::all);
  EXPECT_EQ(taken(told("52428800", "1"), 52'428'800), Taken::all);
  EXPECT_EQ(taken(told("1", "52428800"), 52'428'800), Taken::not_all);
  EXPECT_EQ(taken(when("20971520"), 0), Taken::perhaps) << "what the source takes is not measured";
  EXPECT_EQ(taken(when("100"), 0), Taken::not_all) << "no message is so small";
  EXPECT_EQ(taken(when("0"), 52'428'800), Taken::perhaps);
  EXPECT_EQ(taken(when("if_then(local_port == 25, 100, 52428800)"), 52'428'800), Taken::perhaps);
  EXPECT_EQ(taken(Value(), 52'428'800), Taken::perhaps);
}

TEST(ClientLimits, WhatTheSourceHandsOnHasAHeaderOfEachServer) {
  const auto taken = [](const char* bound) {
    return taken_from(kSource, when(bound), "MtaStageData", "maxReceivedHeaders", 0);
  };
  EXPECT_EQ(taken("1"), Taken::not_all);
  EXPECT_EQ(taken("3 - 2"), Taken::not_all);
  EXPECT_EQ(taken("20"), Taken::perhaps);
  EXPECT_EQ(taken("50"), Taken::all);
  EXPECT_EQ(taken_from(kSource, when("1"), "MtaStageData", "maxMessages", 0), Taken::perhaps);
}

TEST(ClientLimits, WhatTheSourceHandsOnFailsSpf) {
  const auto taken = [](const Value& check) {
    return taken_from(kSource, check, "SenderAuth", "spfFromVerify", 0);
  };
  EXPECT_EQ(taken(when("strict")), Taken::not_all);
  EXPECT_EQ(taken(told("disable", "strict")), Taken::all);
  EXPECT_EQ(taken(when("relaxed")), Taken::all);
  EXPECT_EQ(taken_from(kSource, when("strict"), "SenderAuth", "dmarcVerify", 0), Taken::perhaps);
}

}  // namespace
}  // namespace plan::check
