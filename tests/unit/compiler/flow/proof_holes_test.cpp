// Holes that are easily overlooked: what stays held, what is loaded by somebody else's reload, what
// only the target can tell, names that only one server has.
#include <gtest/gtest.h>

#include <algorithm>

#include <fmt/format.h>

#include "compiler/flow/classes.h"
#include "compiler/flow/routes.h"
#include "tests/unit/compiler/flow/small_migration.h"

namespace plan::flow {
namespace {

using test::expression;

/// Is there a counterexample with this in its text, supposed or proved?
bool has(const Proof& proof, std::string_view text, bool is_supposed = false) {
  return std::any_of(proof.found.begin(), proof.found.end(), [&](const Counterexample& one) {
    return one.is_supposed == is_supposed && to_text(one).find(text) != std::string::npos;
  });
}

Proof proof_of(Migration& migration, const MailFacts& facts = {}) {
  EXPECT_EQ(migration.graph.freeze(), std::nullopt);
  return prove(migration.graph, nullptr, {}, facts);
}

bool finds(Migration& migration, std::string_view text, bool is_supposed = false,
           const MailFacts& facts = {}) {
  return has(proof_of(migration, facts), text, is_supposed);
}

TEST(Holes, AHoldThatNothingLetsGo) {
  Migration migration;
  migration.until_delta();
  migration.account("keys", StepKind::admin_keys, {"delta"});
  EXPECT_TRUE(finds(migration,
                    "mail for alice@legacy.test still waits when all steps of its move are done\n"
                    "  moved: a message to alice@legacy.test at source:25\n"
                    "  -> source holds the mail of alice@legacy.test in its queue"));
}

TEST(Holes, AWriteBesideTheReloadMayBeInUse) {
  for (const bool is_behind : {false, true}) {
    Migration migration;
    migration.step(
        "loopback", StepKind::admin_update, Stage::prepare,
        is_behind ? std::vector<std::string>{"reload"} : std::vector<std::string>{"route"},
        Migration::object("MtaRoute", {{"name", "source"}},
                          Value::map({{"@type", "Relay"}, {"address", "127.0.0.1"}})));
    migration.exact();
    EXPECT_EQ(finds(migration, "the relay address 127.0.0.1 is a loopback address"), !is_behind);
  }
}

TEST(Holes, AKeyIsLoadedWithThoseOfAnAccount) {
  Migration migration;
  migration.step(
      "glob", StepKind::admin_upsert, Stage::prepare, {"reload"},
      Migration::object("MemoryLookupKey", {{"namespace", "migrated"}, {"key", "*@legacy.test"}},
                        Value::map({{"isGlobPattern", true}})));
  migration.exact();
  EXPECT_TRUE(finds(migration,
                    "mail for an account that has not moved (a-colleague-created@legacy.test) "
                    "reaches the target"));
}

TEST(Holes, MailBetweenColleaguesThatARuleOfTheSenderSendsAway) {
  Migration migration({{"sender_domain == 'legacy.test'", "'mx'"},
                       test::kExact[0],
                       test::kExact[1],
                       test::kExact[2]});
  migration.exact();
  EXPECT_TRUE(finds(migration, "mail for alice@legacy.test is sent to the public MX"));
  EXPECT_TRUE(finds(migration,
                    "  -> target routes alice@legacy.test by `mx` (`if` 0 of "
                    "MtaOutboundStrategy.route: sender_domain == 'legacy.test')"));
}

TEST(Holes, AConditionThatOnlyTheTargetCanTellIsTakenBothWays) {
  const std::string asks = "dns_query(rcpt_domain, 'mx') == 'x'";
  Migration behind({test::kExact[0], test::kExact[1], test::kExact[2], {asks, "'mx'"}});
  behind.exact();
  EXPECT_EQ(behind.proof(), "proved") << "mail to others goes out either way";
  Migration in_front({{asks, "'local'"}, test::kExact[0], test::kExact[1], test::kExact[2]});
  in_front.exact();
  EXPECT_TRUE(finds(in_front,
                    "  -> only the target can tell this condition; suppose that it is true (`if` 0 "
                    "of MtaOutboundStrategy.route: dns_query(rcpt_domain, 'mx') == 'x')",
                    true));
  Migration wrong_both_ways({{asks, "'mx'"}, {"is_local_domain(rcpt_domain)", "'mx'"}});
  wrong_both_ways.exact();
  EXPECT_TRUE(finds(wrong_both_ways, "mail for alice@legacy.test is sent to the public MX"));
  Migration not_needed({{"rcpt_domain == 'nowhere.test' && " + asks, "'local'"},
                        test::kExact[0],
                        test::kExact[1],
                        test::kExact[2]});
  not_needed.exact();
  EXPECT_EQ(not_needed.proof(), "proved") << "it is not asked for this domain";
}

TEST(Holes, WhatChangesFromTryToTryIsTakenBothWays) {
  for (const char* condition : {"retry_num > 3", "queue_name == 'late'"}) {
    Migration migration({{condition, "'mx'"}, test::kExact[0], test::kExact[1], test::kExact[2]});
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
  const test::Arms arms = {
      {"key_exists('vip', rcpt)", "'mx'"}, test::kExact[0], test::kExact[1], test::kExact[2]};
  Migration migration(arms);
  migration.exact();
  EXPECT_FALSE(finds(migration, "")) << "nobody has such a set: it is false for everything";
  Migration of_target(arms);
  of_target.exact();
  EXPECT_TRUE(finds(of_target,
                    "  -> only the target can tell this condition; suppose that it is true (`if` 0 "
                    "of MtaOutboundStrategy.route: key_exists('vip', rcpt))\n"
                    "  -> target routes alice@legacy.test by `mx`",
                    true, with_sets({"vip"})));
  Migration behind({test::kExact[0], test::kExact[1], test::kExact[2], arms[0]});
  behind.exact();
  ASSERT_EQ(behind.graph.freeze(), std::nullopt);
  EXPECT_TRUE(prove(behind.graph, nullptr, {}, with_sets({"vip"})).found.empty())
      << "the plan's domains are asked for first";
}

TEST(Holes, MoreThanFourSuchConditionsAreNotGuessed) {
  test::Arms arms;
  for (int i = 0; i < 5; ++i)
    arms.emplace_back("dns_query(rcpt, 'mx') == '" + std::to_string(i) + "'", "'source'");
  arms.insert(arms.end(), test::kExact.begin(), test::kExact.end());
  Migration migration(arms);
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

TEST(Holes, AnElseThatLeadsToTheSourceIsRefusedThere) {
  Migration migration({test::kExact[0], test::kExact[1], test::kExact[2], {"true", "'source'"}});
  migration.exact();
  EXPECT_TRUE(finds(migration,
                    "mail to another domain ends as: bounced\n"
                    "  prepared: a message to somebody@elsewhere.test at target submission\n"
                    "  -> target routes somebody@elsewhere.test by `source` (`if` 3 of "
                    "MtaOutboundStrategy.route: true)\n"
                    "  -> source: 554 5.7.1 Relay access denied for somebody@elsewhere.test"));
}

TEST(Holes, ARouteThatGoesBeforeTheExpressionDoes) {
  Migration migration;
  migration.exact();
  migration.step("route-gone", StepKind::admin_destroy, Stage::waves, {"create", "reload"},
                 Migration::object("MtaRoute", {{"name", "source"}}, Value()));
  migration.step("reload-2", StepKind::admin_action, Stage::waves, {"route-gone"},
                 Value::map({{"action", "ReloadSettings"}}));
  EXPECT_TRUE(finds(migration, "target does not have the route `source` now and falls back"));
}

TEST(Holes, AKeyThatGoesBeforeTheExpressionDoes) {
  for (const bool is_used : {false, true}) {
    Migration migration;
    migration.exact();
    migration.step(
        "key-gone", StepKind::admin_destroy, Stage::finalize, {"forward"},
        Migration::object("MemoryLookupKey",
                          {{"namespace", "migrated"}, {"key", "alice@legacy.test"}}, Value()));
    if (is_used) {
      migration.step("lookups", StepKind::admin_action, Stage::finalize, {"key-gone"},
                     Value::map({{"action", "ReloadLookupStores"}}));
    }
    EXPECT_EQ(finds(migration,
                    "mail for alice@legacy.test goes round between the two servers until it "
                    "bounces\n  finalized: a message to alice@legacy.test at target:25"),
              is_used);
  }
}

TEST(Holes, ATagThatOnlyTheSourceKnows) {
  const std::string_view loop =
      "mail for alice-tag@legacy.test goes round between the two servers until it bounces";
  Migration migration;
  migration.exact();
  EXPECT_TRUE(finds(migration, loop, false, {"-"}));
  Migration of_plus;
  of_plus.exact();
  EXPECT_FALSE(finds(of_plus, "", false, {"+"}));
  Migration without;
  without.exact();
  EXPECT_FALSE(finds(without, "", false, {""})) << "the source knows no tags: no mail is lost";
}

TEST(Holes, ARuleOfTheDomainTakesTheTagOff) {
  for (const char* then : {"$1", "'nobody'"}) {
    Migration migration;
    migration.domain_set.set(
        "subAddressing",
        Value::map(
            {{"@type", "Custom"},
             {"customRule", expression({{"matches('^([^-+]+)[-+]', rcpt)", then}}, "rcpt")}}));
    // The fixture writes its domain first; this one comes with the rule.
    migration.step("domain-rule", StepKind::admin_update, Stage::prepare, {"reload"},
                   Migration::object("Domain", {{"name", "legacy.test"}}, migration.domain_set));
    migration.steps["reload"] = migration.steps.at("domain-rule");
    migration.exact();
    EXPECT_EQ(finds(migration, "mail for alice-tag@legacy.test", false, {"-+"}),
              std::string_view(then) != "$1")
        << then;
  }
}

TEST(Holes, ARuleForTagsThatOnlyTheTargetCanTell) {
  Migration migration;
  migration.step(
      "domain-rule", StepKind::admin_update, Stage::prepare, {"reload"},
      Migration::object(
          "Domain", {{"name", "legacy.test"}},
          Value::map(
              {{"subAddressing",
                Value::map({{"@type", "Custom"},
                            {"customRule", expression({}, "sql_query('', 'x', rcpt)")}})}})));
  migration.steps["reload"] = migration.steps.at("domain-rule");
  migration.exact();
  EXPECT_TRUE(finds(migration, "only the target can tell which account ", true));
}

TEST(Holes, AnAliasThatOnlyTheSourceHas) {
  Migration migration;
  migration.row = migration.graph.add_row(
      "alice@legacy.test", Value::map({{"aliases", addresses({"al@legacy.test"})}}), {});
  migration.aliases.clear();
  migration.exact();
  migration.step("closed", StepKind::admin_update, Stage::finalize, {"forward"},
                 Migration::object("Domain", {{"name", "legacy.test"}},
                                   Value::map({{"allowRelaying", false}})));
  EXPECT_TRUE(finds(migration,
                    "mail for al@legacy.test is refused at RCPT\n"
                    "  finalized: a message to al@legacy.test at target:25"));
}

TEST(Holes, AnAliasThatOnlyTheTargetHas) {
  const Value alias = Value::map({{"name", "sales"}, {"domainId", ir::OutputRef{"domain", "id"}}});
  Migration migration;
  migration.exact();
  migration.step(
      "sales", StepKind::admin_update, Stage::waves, {"forward"},
      Migration::object("Account", {{"name", "alice"}, {"domainId", ir::OutputRef{"domain", "id"}}},
                        Value::map({{"aliases", ir::List{alias}}})));
  EXPECT_TRUE(finds(migration,
                    "mail for sales@legacy.test is bounced\n"
                    "  moved: a message to sales@legacy.test at target:25"));
}

TEST(Holes, AListOfTheTargetWithFewerMembers) {
  Migration migration;
  migration.exact();
  migration.row = migration.graph.add_row(
      "all@legacy.test",
      Value::map({{"members", addresses({"alice@legacy.test", "bob@legacy.test"})}}), {});
  migration.step(
      "list", StepKind::admin_list, Stage::waves, {"forward"},
      Value::map({{"address", "all@legacy.test"}, {"members", addresses({"bob@legacy.test"})}}),
      true);
  EXPECT_TRUE(finds(migration,
                    "mail for all@legacy.test does not reach alice@legacy.test\n"
                    "  moved: a message to all@legacy.test at target:25"));
}

TEST(Holes, AnAliasThatIsAMemberOfAList) {
  for (const std::vector<std::string>& members :
       {std::vector<std::string>{"al@legacy.test"},
        std::vector<std::string>{"al@legacy.test", "alice@legacy.test", "bob@legacy.test"}}) {
    Migration migration;
    migration.exact();
    migration.step("list", StepKind::admin_list, Stage::waves, {"forward"},
                   Value::map({{"address", "all@legacy.test"}, {"members", addresses(members)}}));
    EXPECT_EQ(migration.proof(), "proved");
  }
}

TEST(Holes, AnUpdateThatLeavesAMemberOut) {
  const auto with_update = [](const std::vector<std::string>& members, Value set) {
    Migration migration;
    migration.exact();
    migration.step("list", StepKind::admin_list, Stage::waves, {"forward"},
                   Value::map({{"address", "all@legacy.test"},
                               {"members", addresses({"alice@legacy.test", "bob@legacy.test"})}}));
    if (!members.empty()) set.set("recipients", addresses(members));
    migration.step("fewer", StepKind::admin_update, Stage::waves, {"list", "domain"},
                   Migration::object("MailingList",
                                     {{"name", "all"}, {"domainId", ir::OutputRef{"domain", "id"}}},
                                     std::move(set)));
    return migration;
  };
  Migration fewer = with_update({"bob@legacy.test"}, Value::map());
  EXPECT_TRUE(finds(fewer,
                    "mail for all@legacy.test does not reach alice@legacy.test\n"
                    "  moved: a message to all@legacy.test at target:25"));
  Migration same = with_update({"bob@legacy.test", "Alice@legacy.test"}, Value::map());
  EXPECT_FALSE(finds(same, ""));
  Migration other = with_update({}, Value::map({{"description", "everybody"}}));
  EXPECT_FALSE(finds(other, "")) << "the members stay";
}

TEST(Holes, TheFirstStateThatFailsIsNamed) {
  // Nothing waits for the step, so it may run as late as the last one of finalize.
  Migration migration;
  migration.exact();
  migration.step("catch-all", StepKind::admin_update, Stage::waves, {"reload"},
                 Migration::object("Domain", {{"name", "legacy.test"}},
                                   Value::map({{"catchAllAddress", "other@legacy.test"}})));
  for (const char* id : {"end-1", "end-2"})
    migration.step(id, StepKind::admin_action, Stage::finalize, {"forward"},
                   Value::map({{"action", "ReloadSettings"}}));
  EXPECT_EQ(migration.graph.freeze(), std::nullopt);
  const Proof proof = prove(migration.graph);
  ASSERT_FALSE(proof.found.empty());
  for (const Counterexample& one : proof.found) {
    EXPECT_FALSE(one.phase.ends_with("finalized")) << to_text(one);
  }
}

TEST(Holes, ARouteForOneSenderAlone) {
  for (const char* const asked :
       {"sender == 'boss@partner.test'", "sender_domain == 'partner.test'",
        "ends_with(sender, '@partner.test')", "starts_with(sender, 'boss@')"}) {
    Migration migration({{asked, "'mx'"}, test::kExact[0], test::kExact[1], test::kExact[2]});
    migration.exact();
    EXPECT_TRUE(finds(migration, "mail for alice@legacy.test is sent to the public MX")) << asked;
  }
}

TEST(Holes, ASenderWhomAPatternMatchesIsTried) {
  for (const char* const asked :
       {"matches('^boss@', sender)", "matches('[.]partner[.]test$', sender_domain)",
        "matches('^(sales|news)[0-9]{2,}@partner', to_lowercase(sender))",
        "rcpt == 'alice@legacy.test' && matches('^[^@x]+[+]list@', sender)",
        "contains(sender, 'newsletter')", "!(sender_domain == '' || !contains(sender, 'news'))"}) {
    Migration migration({{asked, "'mx'"}, test::kExact[0], test::kExact[1], test::kExact[2]});
    migration.exact();
    EXPECT_TRUE(finds(migration, "mail for alice@legacy.test is sent to the public MX")) << asked;
  }
}

TEST(Holes, ASenderWhomNobodyFoundIsTold) {
  for (const char* const asked : {"matches('^(?=boss@)', sender)", "len(sender) > 300"}) {
    Migration migration({{asked, "'mx'"}, test::kExact[0], test::kExact[1], test::kExact[2]});
    migration.exact();
    const Proof proof = proof_of(migration);
    ASSERT_EQ(proof.found.size(), 1U) << asked;
    EXPECT_EQ(proof.found[0].what, "sender");
    EXPECT_TRUE(proof.found[0].is_supposed);
    EXPECT_NE(proof.found[0].claim.find(asked), std::string::npos) << proof.found[0].claim;
  }
}

TEST(Holes, ASenderForPartsThatStandApartIsTried) {
  for (const char* const asked :
       {"rcpt == 'alice@legacy.test' && sender_domain == 'partner.test' && "
        "starts_with(sender, 'news')",
        "sender_domain == 'partner.test' && rcpt == 'alice@legacy.test' && "
        "starts_with(sender, 'news')",
        "sender_domain == 'partner.test' && starts_with(sender, 'news') && "
        "rcpt == 'alice@legacy.test'",
        "rcpt == 'alice@legacy.test' && matches('^news-', sender) && "
        "(ends_with(sender, '@partner.test') || sender_domain == 'x.test')",
        "rcpt == 'alice@legacy.test' && !(sender_domain != 'partner.test' || "
        "!starts_with(sender, 'news'))",
        "if_then(matches('^boss@', sender), rcpt == 'alice@legacy.test', false)",
        "rcpt == 'alice@legacy.test' && len(sender) > 60"}) {
    Migration migration({{asked, "'mx'"}, test::kExact[0], test::kExact[1], test::kExact[2]});
    migration.exact();
    EXPECT_TRUE(finds(migration, "mail for alice@legacy.test is sent to the public MX")) << asked;
  }
}

TEST(Holes, WhatAPatternFindsInTheSenderIsAsked) {
  for (const char* const asked :
       {"matches('^(.*)@partner.test$', sender) && $1 == 'boss'",
        "matches('^(.*)@(.*)$', sender) && rcpt == 'alice@legacy.test' && $1 == 'boss' && "
        "$2 == 'partner.test'"}) {
    Migration migration({{asked, "'mx'"}, test::kExact[0], test::kExact[1], test::kExact[2]});
    migration.exact();
    EXPECT_TRUE(finds(migration, "mail for alice@legacy.test is sent to the public MX")) << asked;
  }
  Migration later({{"matches('^(.*)@partner.test$', sender) && rcpt == 'zoe@legacy.test'", "'mx'"},
                   {"$1 == 'boss'", "'mx'"},
                   test::kExact[0],
                   test::kExact[1],
                   test::kExact[2]});
  later.exact();
  EXPECT_TRUE(finds(later, "mail from senders for whom `$1 == 'boss'` is true", true));
}

TEST(Holes, ASenderWhomAConditionInFrontCatchesDoesNotStandForOthers) {
  for (const char* const asked : {"contains(sender, 'partner')", "matches('^.*@partner', sender)",
                                  "sender_domain == 'partner.test'"}) {
    Migration migration(
        {{"sender == 'ceo@partner.test' && rcpt_domain == 'legacy.test' && "
          "is_local_address(to_lowercase(rcpt)) && key_exists('migrated', to_lowercase(rcpt))",
          "'local'"},
         {"sender == 'ceo@partner.test' && rcpt_domain == 'legacy.test'", "'source'"},
         {asked, "'mx'"},
         test::kExact[0],
         test::kExact[1],
         test::kExact[2]});
    migration.exact();
    EXPECT_TRUE(finds(migration, "mail for alice@legacy.test is sent to the public MX")) << asked;
  }
}

TEST(Holes, ASenderWhomNobodyFoundAndWhoseMailGoesTheSameWayIsProved) {
  const std::string same = test::kExact[0].first;
  for (const char* const asked : {"len(sender) > 300", "matches('^(?=boss@)', sender)"}) {
    for (const std::string& condition :
         {fmt::format("{} && {}", same, asked), fmt::format("{} && {}", asked, same)}) {
      Migration migration(
          {{condition, "'local'"}, test::kExact[0], test::kExact[1], test::kExact[2]});
      migration.exact();
      EXPECT_EQ(migration.proof(), "proved") << condition;
    }
    Migration both({{fmt::format("{} && {}", asked, same), "'local'"},
                    {fmt::format("{} && {}", asked, test::kExact[1].first), "'source'"},
                    test::kExact[0],
                    test::kExact[1],
                    test::kExact[2]});
    both.exact();
    EXPECT_EQ(both.proof(), "proved") << asked;
    Migration astray({{fmt::format("{} && {}", asked, same), "'source'"},
                      test::kExact[0],
                      test::kExact[1],
                      test::kExact[2]});
    astray.exact();
    EXPECT_TRUE(finds(astray, "of whom none was found to be tried", true)) << asked;
  }
}

TEST(Holes, ASpellingThatAnExpressionTellsApartIsTried) {
  for (const auto& [asked, recipient] :
       {std::pair("rcpt == 'Zoe@legacy.test'", "Zoe@legacy.test"),
        std::pair("starts_with(rcpt, 'zOe@')", "zOe@legacy.test"),
        std::pair("matches('^[A-Z][a-z]', rcpt)", "Alice@legacy.test"),
        std::pair("rcpt == 'ZO@legacy.test'", "ZO@legacy.test"),
        std::pair("matches('^ZO@', rcpt)", "ZO@legacy.test"),
        std::pair("matches('[+]sales@', rcpt)", "alice+sales@legacy.test"),
        std::pair("contains(rcpt, '+sales@')", "alice+sales@legacy.test"),
        std::pair("rcpt == 'zoe+sales@legacy.test'", "zoe+sales@legacy.test"),
        std::pair("rcpt == 'zo+sales@legacy.test'", "zo+sales@legacy.test"),
        std::pair("rcpt == 'Zoe@legacy.test' && sender_domain == 'partner.test'",
                  "Zoe@legacy.test")}) {
    Migration migration({{asked, "'mx'"}, test::kExact[0], test::kExact[1], test::kExact[2]});
    migration.exact();
    // Who is named is not of the class of the first one.
    migration.next_account("zoe@legacy.test");
    migration.aliases = {"zo@legacy.test"};
    migration.exact();
    const Proof proof = proof_of(migration);
    EXPECT_TRUE(has(proof, "is sent to the public MX")) << asked;
    EXPECT_TRUE(has(proof, fmt::format("a message to {} at", recipient))) << asked;
  }
}

TEST(Holes, ATagOfANameThatIsSomebodyElsesIsNotTried) {
  Migration migration(
      {{"rcpt == 'alice+sales@legacy.test' && key_exists('migrated', rcpt)", "'local'"},
       {"rcpt == 'alice+sales@legacy.test'", "'source'"},
       test::kExact[0],
       test::kExact[1],
       test::kExact[2]});
  migration.exact();
  migration.next_account("alice+sales@legacy.test");
  migration.exact();
  EXPECT_EQ(migration.proof(), "proved");
}

TEST(Holes, ARouteForOneSenderToAnAlias) {
  Migration migration({{"rcpt == 'al@legacy.test' && sender == 'boss@partner.test'", "'mx'"},
                       test::kExact[0],
                       test::kExact[1],
                       test::kExact[2]});
  migration.exact();
  EXPECT_TRUE(finds(migration, "mail for al@legacy.test is sent to the public MX"));
}

TEST(Holes, ASenderWhoseKeyAStepWritesIsTried) {
  for (const auto& [asked, key] :
       {std::pair("sender", "boss@partner.test"), std::pair("sender_domain", "partner.test"),
        std::pair("sender", "*@partner.test")}) {
    Migration migration({{fmt::format("key_exists('vip', {})", asked), "'mx'"},
                         test::kExact[0],
                         test::kExact[1],
                         test::kExact[2]});
    migration.step(
        "vip", StepKind::admin_upsert, Stage::prepare, {"reload"},
        Migration::object("MemoryLookupKey", {{"namespace", "vip"}, {"key", key}}, Value::map()));
    migration.exact();
    EXPECT_TRUE(finds(migration, "partner.test; suppose that it is true", true)) << key;
  }
}

TEST(Holes, MailForAThirdMachineIsNotProved) {
  for (const char* const host : {"10.9.9.9", "10.9.0.3"}) {
    Migration migration;
    migration.until_delta();
    migration.account("keys", StepKind::admin_keys, {"delta"});
    migration.step("forward", StepKind::postfix_forward, Stage::waves, {"keys"},
                   Value::map({{"account", "alice@legacy.test"},
                               {"addresses", addresses({"alice@legacy.test"})},
                               {"next_hop", fmt::format("smtp:[{}]:25", host)}}),
                   true);
    ASSERT_EQ(migration.graph.freeze(), std::nullopt);
    MailFacts facts;
    facts.hosts = {"10.9.0.2", "10.9.0.3"};
    const Proof proof = prove(migration.graph, nullptr, {}, facts);
    const bool is_third = std::string_view(host) == "10.9.9.9";
    ASSERT_EQ(proof.found.size(), is_third ? 1U : 0U) << host;
    if (!is_third) continue;
    EXPECT_TRUE(proof.found[0].is_supposed);
    EXPECT_EQ(proof.found[0].claim, "where mail for alice@legacy.test goes cannot be told");
    ASSERT_FALSE(proof.found[0].delivery.hops.empty());
    EXPECT_EQ(proof.found[0].delivery.hops.back().text,
              "source hands alice@legacy.test to 10.9.9.9");
  }
}

TEST(Holes, AnExpressionThatCannotBeReadIsSaidOnceAtItsStep) {
  const test::Arms arms = {{"is_moved(rcpt)", "'local'"}};
  Migration migration(arms);
  migration.exact();
  ASSERT_EQ(migration.graph.freeze(), std::nullopt);
  const Proof proof = prove(migration.graph);
  const auto unread = std::count_if(proof.found.begin(), proof.found.end(),
                                    [](const Counterexample& one) { return one.what == "unread"; });
  EXPECT_EQ(unread, 1);
  for (const bool is_said : {false, true}) {
    Sink sink;
    if (is_said) sink.report(Kind::schema_value, {}, "the schema said it");
    MailFacts facts;
    facts.is_schema_known = true;
    report_mail_flow(migration.graph, {}, sink, {}, facts);
    const auto all = sink.sorted();
    const auto count = std::count_if(all.begin(), all.end(), [](const Diagnostic& one) {
      return one.message.find(
                 "`strategy` writes an expression that cannot be read: there is no "
                 "function `is_moved`") == 0;
    });
    EXPECT_EQ(count, is_said ? 0 : 1);
  }
}

TEST(Holes, WhatGoesWrongByOneRuleIsOneDiagnosticWithTheOtherEntriesCounted) {
  Migration migration;
  migration.account("create", StepKind::admin_account, {"reload"});
  migration.account("copy", StepKind::archive_copy, {"create"});
  migration.account("delta", StepKind::archive_delta, {"copy"});
  migration.account("keys", StepKind::admin_keys, {"delta"});
  migration.account("forward", StepKind::postfix_forward, {"keys"});
  ASSERT_EQ(migration.graph.freeze(), std::nullopt);
  Sink sink;
  report_mail_flow(migration.graph, {}, sink);
  std::vector<std::string> claims;
  bool is_counted = false;
  for (const Diagnostic& one : sink.sorted()) {
    if (one.kind != Kind::mail_flow) continue;
    claims.push_back(one.message);
    for (const Label& note : one.notes)
      is_counted = is_counted || note.text.find("and the same of ") == 0;
  }
  EXPECT_TRUE(is_counted);
  std::sort(claims.begin(), claims.end());
  EXPECT_EQ(std::adjacent_find(claims.begin(), claims.end()), claims.end()) << claims.front();
}

TEST(Holes, AStepThatWritesAnotherMemberDecidesNothing) {
  Migration migration;
  const auto write = [&](const std::string& id, const char* type,
                         std::vector<std::pair<std::string, Value>> match, Value set) {
    ir::StepShape shape;
    shape.kind = StepKind::admin_update;
    shape.stage = Stage::prepare;
    shape.id_pattern = id;
    shape.arguments = Migration::object(type, std::move(match), std::move(set));
    shape.origin = {static_cast<FileId>(1), 10, 11};
    const ir::StepId step = migration.graph.add_step(migration.graph.add_shape(std::move(shape)),
                                                     ir::RowId::none, ir::WaveId::none);
    migration.graph.add_edge(migration.steps.at("reload"), step);
    migration.steps[id] = step;
  };
  write("note", "Domain", {{"name", "legacy.test"}}, Value::map({{"description", "moves"}}));
  write("way", "MtaRoute", {{"name", "source"}}, Value::map({{"description", "back"}}));
  write("tls", "MtaOutboundStrategy", {}, Value::map({{"tls", test::expression({}, "'default'")}}));
  write("hook", "MtaStageRcpt", {}, Value::map({{"script", test::expression({}, "false")}}));
  migration.step("again", StepKind::admin_action, Stage::prepare, {"way", "tls", "hook"},
                 Value::map({{"action", "ReloadSettings"}}));
  migration.exact();
  ASSERT_EQ(migration.graph.freeze(), std::nullopt);
  EXPECT_TRUE(prove(migration.graph).found.empty());
  const RouteAnswer answer = route_of(
      migration.graph, {{Entry::target_25, "nobody@legacy.test"}, "alice@legacy.test", "prepared"});
  ASSERT_EQ(answer.problem, "");
  ASSERT_EQ(answer.deliveries.size(), 1U);
  EXPECT_FALSE(answer.deliveries[0].hops.empty());
  for (const Hop& hop : answer.deliveries[0].hops) EXPECT_FALSE(hop.origin.is_known()) << hop.text;
}

/// With a second domain, in which somebody else moves.
test::Arms of_two_domains(const std::string& condition) {
  const std::string keyed =
      " && is_local_address(to_lowercase(rcpt)) && key_exists('migrated', to_lowercase(rcpt))";
  return {{condition, "'mx'"},
          test::kExact[0],
          test::kExact[1],
          {"rcpt_domain == 'other.test'" + keyed, "'local'"},
          {"rcpt_domain == 'other.test'", "'source'"},
          test::kExact[2]};
}

void add_second_domain(Migration& migration) {
  migration.step("domain-2", StepKind::admin_upsert, Stage::prepare, {"reload"},
                 Migration::object("Domain", {{"name", "other.test"}}, migration.domain_set));
  migration.steps["reload"] = migration.steps.at("domain-2");
}

Migration moving_two(const std::string& condition) {
  Migration migration(of_two_domains(condition));
  add_second_domain(migration);
  migration.exact();
  migration.next_account("info@other.test");
  migration.exact();
  return migration;
}

TEST(Holes, WhatARouteAsksForSomebodyElseIsTakenBothWays) {
  for (const char* const asked :
       {"key_exists('migrated', 'info@other.test')", "is_local_address('info@other.test')",
        "key_exists('migrated', 'info@' + strip_prefix('x.other.test', 'x.'))",
        "is_local_domain('other.test')"}) {
    const std::string condition = fmt::format("rcpt_domain == 'legacy.test' && {}", asked);
    Migration migration = moving_two(condition);
    EXPECT_TRUE(finds(migration,
                      fmt::format("suppose that it is true (`if` 0 of MtaOutboundStrategy.route: "
                                  "{})\n  -> target routes alice@legacy.test by `mx`",
                                  condition),
                      true))
        << asked;
  }
  Migration of_nobody = moving_two("rcpt_domain == 'legacy.test' && key_exists('vip', rcpt)");
  EXPECT_EQ(of_nobody.proof(), "proved");
  Migration of_no_set =
      moving_two("rcpt_domain == 'legacy.test' && key_exists('vip', 'info@other.test')");
  EXPECT_EQ(of_no_set.proof(), "proved") << "no step writes a key into this set";
  Migration of_no_step =
      moving_two("rcpt_domain == 'legacy.test' && key_exists('migrated', 'zoe@elsewhere.test')");
  EXPECT_EQ(of_no_step.proof(), "proved") << "no step writes this key";
}

TEST(Holes, SomebodyElsesKeyThatAStepOfItsOwnWrites) {
  for (const char* const key : {"boss@partner.test", "*@partner.test"}) {
    Migration migration({{"key_exists('vip', 'boss@partner.test')", "'mx'"},
                         test::kExact[0],
                         test::kExact[1],
                         test::kExact[2]});
    migration.step(
        "vip", StepKind::admin_upsert, Stage::prepare, {"reload"},
        Migration::object("MemoryLookupKey", {{"namespace", "vip"}, {"key", key}}, Value::map()));
    migration.exact();
    EXPECT_TRUE(finds(migration, "this condition asks for boss@partner.test; suppose", true))
        << key;
  }
}

TEST(Holes, TheKeyOfWhoSendsIsTakenBothWays) {
  Migration migration({{"key_exists('migrated', sender)", "'mx'"},
                       test::kExact[0],
                       test::kExact[1],
                       test::kExact[2]});
  migration.exact();
  EXPECT_TRUE(
      finds(migration, "this condition asks for a-colleague-not-moved@legacy.test; suppose", true));
}

TEST(Holes, APartOfTheNameThatIsSomebodyElse) {
  for (const bool is_somebody : {false, true}) {
    Migration migration(
        {{"matches('^([a-z]+)-[^@]*(@.+)$', rcpt) && key_exists('migrated', $1 + $2)", "'mx'"},
         test::kExact[0],
         test::kExact[1],
         test::kExact[2]});
    migration.next_account("anna-maria@legacy.test");
    migration.exact();
    migration.next_account(is_somebody ? "anna@legacy.test" : "zoe@legacy.test");
    migration.exact();
    EXPECT_EQ(finds(migration, "this condition asks for anna@legacy.test; suppose", true),
              is_somebody);
  }
}

const char* const kTagged = "matches('^([^+@]+)[+][^@]*(@.+)$', rcpt) && ";
const char* const kDashed = "matches('^([^-@]+)[-][^@]*(@.+)$', rcpt) && ";

/// From an old Stalwart, by its lists: accounts' steps are stamped out of the same shapes.
class FromOldStalwart : public Migration {
 public:
  /// `first`: a condition of mail that goes to the public MX, in front of those of the lists.
  explicit FromOldStalwart(const std::string& first = {}, const char* tls_at_once = "false")
      : Migration(of_two_domains("false")) {
    add_second_domain(*this);
    ir::List rules;
    const auto rule = [&](const std::string& condition, const char* then) {
      rules.push_back(Value::map({{"if", condition}, {"then", then}}));
    };
    if (!first.empty()) rule(first, "'mx'");
    for (const char* const list : {"plan-moved", "plan-held"}) {
      const char* const then =
          std::string_view(list) == "plan-moved" ? "'plan-new'" : "'plan-hold'";
      rule(fmt::format("key_exists('{}', rcpt)", list), then);
      rule(fmt::format("{}key_exists('{}', $1 + $2)", kTagged, list), then);
    }
    rule("is_local_domain('*', rcpt_domain)", "'local'");
    rules.push_back(Value::map({{"else", "'mx'"}}));
    ir::List values;
    for (const char* const route : {"plan-new", "plan-hold"}) {
      const auto set = [&](const char* member, const char* value) {
        values.push_back(Value::map(
            {{"key", fmt::format("queue.route.{}.{}", route, member)}, {"value", value}}));
      };
      set("type", "relay");
      set("address", "new.test");
      set("port", std::string_view(route) == "plan-new" ? "25" : "9");
      if (*tls_at_once != '\0') set("tls.implicit", tls_at_once);
    }
    step("old-route", StepKind::source_settings, Stage::prepare, {"reload"},
         Value::map(
             {{"values", values},
              {"blocks", ir::List{Value::map({{"key", "queue.strategy.route"}, {"rules", rules}})}},
              {"list", "plan-moved"}}));
    steps["reload"] = steps.at("old-route");
    for (const StepKind kind :
         {StepKind::admin_account, StepKind::archive_copy, StepKind::source_hold,
          StepKind::archive_delta, StepKind::admin_keys, StepKind::source_forward}) {
      ir::StepShape shape;
      shape.kind = kind;
      shape.stage = Stage::waves;
      shape.id_pattern = fmt::format("account/{{}}/{}", static_cast<int>(kind));
      shape.arguments = Value::map({{"account", ir::OutputRef{"$row", "address"}},
                                    {"aliases", ir::OutputRef{"$row", "aliases"}},
                                    {"addresses", ir::OutputRef{"$row", "addresses"}}});
      if (kind == StepKind::admin_keys) shape.arguments.set("namespace", "migrated");
      if (kind == StepKind::source_hold) shape.arguments.set("list", "plan-held");
      if (kind == StepKind::source_forward) {
        shape.arguments.set("list", "plan-moved");
        shape.arguments.set("next_hop", "smtp:[new.test]:25");
      }
      shapes_.push_back(graph.add_shape(std::move(shape)));
    }
  }

  void move(const std::string& address, const std::vector<std::string>& other_names = {}) {
    std::vector<std::string> all = {address};
    all.insert(all.end(), other_names.begin(), other_names.end());
    const ir::RowId account = graph.add_row(address,
                                            Value::map({{"address", address},
                                                        {"aliases", addresses(other_names)},
                                                        {"addresses", addresses(all)}}),
                                            {});
    ir::StepId before = steps.at("reload");
    for (const std::uint32_t shape : shapes_) {
      const ir::StepId one = graph.add_step(shape, account, wave);
      graph.add_edge(before, one);
      before = one;
    }
  }

 private:
  std::vector<std::uint32_t> shapes_;
};

/// A step of no row that names these addresses, the first of which is the account's.
void add_apart(Migration& migration, const std::string& id, StepKind kind, Stage stage,
               const std::vector<std::string>& after, const std::vector<std::string>& names,
               const char* list = "plan-held") {
  migration.step(id, kind, stage, after,
                 Value::map({{"account", names.front()},
                             {"addresses", addresses(names)},
                             {"namespace", "migrated"},
                             {"list", list}}));
}

TEST(Holes, AStepWithoutARowBelongsToTheAccountThatItNames) {
  Migration held;
  held.exact();
  held.next_account("bob@legacy.test");
  held.exact();
  add_apart(held, "late", StepKind::postfix_hold, Stage::waves, {"forward"}, {"Bob@legacy.test"});
  const Proof proof = proof_of(held);
  EXPECT_TRUE(has(proof, "mail for bob@legacy.test still waits when all steps of its move"));
  EXPECT_FALSE(has(proof, "mail for alice@legacy.test"));
  EXPECT_EQ(account_classes(held.graph).subjects.size(), 2U) << "bob is like nobody else";

  Migration let_go;
  let_go.exact();
  add_apart(let_go, "late", StepKind::postfix_hold, Stage::waves, {"forward"}, {let_go.name});
  add_apart(let_go, "on", StepKind::postfix_forward, Stage::waves, {"late"}, {let_go.name});
  EXPECT_EQ(let_go.proof(), "proved") << "two steps of the same account";

  Migration keyed;
  keyed.until_delta();
  add_apart(keyed, "keys-apart", StepKind::admin_keys, Stage::waves, {"delta"}, keyed.names());
  keyed.account("forward", StepKind::postfix_forward, {"keys-apart"});
  EXPECT_EQ(keyed.proof(), "proved");

  Migration of_nobody;
  of_nobody.exact();
  add_apart(of_nobody, "zoe", StepKind::postfix_hold, Stage::waves, {"forward"},
            {"zoe@legacy.test"});
  EXPECT_EQ(of_nobody.proof(), "proved") << "no account of the plan: said by a rule";
}

TEST(Holes, AStepWithoutARowIsOfEveryAddressThatAListOfAnOldStalwartGets) {
  FromOldStalwart migration;
  migration.move("alice@legacy.test", {"al@legacy.test"});
  migration.move("bob@legacy.test", {"bo@legacy.test"});
  add_apart(migration, "held", StepKind::source_hold, Stage::finalize, {},
            {"nobody@legacy.test", "bo@legacy.test"});
  for (std::size_t i = 0; i < migration.graph.size(); ++i) {
    const auto step = static_cast<ir::StepId>(i);
    if (step != migration.steps.at("held"))
      migration.graph.add_edge(step, migration.steps.at("held"));
  }
  // Who has moved is looked for first.
  EXPECT_EQ(migration.proof(), "proved");
  FromOldStalwart early;
  early.move("alice@legacy.test", {"al@legacy.test"});
  early.move("bob@legacy.test", {"bo@legacy.test"});
  add_apart(early, "moved", StepKind::source_forward, Stage::prepare, {"old-route"},
            {"nobody@legacy.test", "bo@legacy.test"}, "plan-moved");
  const Proof proof = proof_of(early);
  EXPECT_TRUE(has(proof, "mail for bo@legacy.test"));
  EXPECT_FALSE(has(proof, "mail for al@legacy.test"));
}

TEST(Holes, AnOldStalwartThatAsksForTheRecipientIsFollowed) {
  FromOldStalwart migration;
  migration.move("alice@legacy.test", {"al@legacy.test"});
  migration.move("bob@legacy.test", {"bo@legacy.test"});
  migration.move("info@other.test");
  EXPECT_EQ(migration.proof(), "proved");
  EXPECT_EQ(account_classes(migration.graph).subjects.size(), 2U) << "with and without an alias";
}

TEST(Holes, ANameWithAPlusGetsNoMailAtAnOldStalwart) {
  FromOldStalwart migration;
  migration.move("alice@legacy.test", {"alice+x@legacy.test"});
  migration.move("bob@legacy.test", {"zoe+x@legacy.test"});
  migration.move("carol+c@legacy.test");
  migration.move("dave@legacy.test");
  const Proof proof = proof_of(migration);
  ASSERT_EQ(proof.found.size(), 1U);
  EXPECT_EQ(proof.found[0].what, "plus");
  EXPECT_TRUE(proof.found[0].is_supposed);
  EXPECT_EQ(proof.found[0].claim,
            "the old server takes what follows the `+` in `zoe+x@legacy.test`, and in 1 more, for "
            "a tag: mail for it goes to the name in front of it, or is refused");
  Migration of_postfix;
  of_postfix.next_account("carol+c@legacy.test");
  of_postfix.exact();
  EXPECT_EQ(of_postfix.proof(), "proved") << "Postfix looks for the whole name first";
}

TEST(Holes, AnOldStalwartThatBeginsWithTlsHandsNothingOn) {
  // Without the setting it does.
  for (const char* const said : {"", "true"}) {
    FromOldStalwart migration({}, said);
    migration.move("alice@legacy.test");
    EXPECT_TRUE(
        finds(migration,
              "mail for alice@legacy.test still waits when all steps of its move are done\n"
              "  moved: a message to alice@legacy.test at source:25\n"
              "  -> source routes alice@legacy.test by `plan-new` (`if` 0 of "
              "queue.strategy.route: key_exists('plan-moved', rcpt))\n"
              "  -> source cannot hand the mail of alice@legacy.test on: it begins with TLS at "
              "port 25 (queue.route.plan-new.tls.implicit)"));
  }
}

TEST(Holes, ASenderForPartsThatStandApartIsTriedAtAnOldStalwart) {
  FromOldStalwart migration(
      "rcpt == 'alice@legacy.test' && sender_domain == 'partner.test' && "
      "starts_with(sender, 'news')");
  migration.move("alice@legacy.test");
  EXPECT_TRUE(finds(migration, "mail for alice@legacy.test is sent to the public MX"));
}

TEST(Holes, WhatAnOldStalwartAsksForSomebodyElseIsNotProved) {
  for (const char* const asked :
       {"key_exists('plan-moved', 'info@other.test')", "is_local_address('*', 'info@other.test')",
        "is_local_domain('*', 'other.test')"}) {
    FromOldStalwart migration(fmt::format("rcpt_domain == 'legacy.test' && {}", asked));
    migration.move("alice@legacy.test");
    migration.move("info@other.test");
    EXPECT_TRUE(finds(migration, "-> source: the route asks for ", true)) << asked;
  }
  FromOldStalwart of_nobody(
      "rcpt_domain == 'legacy.test' && key_exists('plan-moved', 'zoe@elsewhere.test')");
  of_nobody.move("alice@legacy.test");
  EXPECT_EQ(of_nobody.proof(), "proved");
}

TEST(Holes, APartOfTheNameThatAnOldStalwartFindsForSomebodyElse) {
  for (const bool is_somebody : {false, true}) {
    FromOldStalwart migration(std::string(kDashed) + "key_exists('plan-moved', $1 + $2)");
    // Alike but for what the pattern finds in their names.
    for (const char* const name : {"john-doe@legacy.test", "zoe@legacy.test"}) migration.move(name);
    if (is_somebody) migration.move("anna@legacy.test");
    migration.move("anna-maria@legacy.test");
    const Proof proof = proof_of(migration);
    EXPECT_EQ(has(proof, "-> source: the route asks for anna@legacy.test", true), is_somebody);
    EXPECT_FALSE(has(proof, "")) << "nothing is refuted";
  }
}

TEST(Holes, APartOfTheNameThatAnOldStalwartCompares) {
  FromOldStalwart migration(std::string(kDashed) + "$1 == 'anna'");
  for (const char* const name : {"john-doe@legacy.test", "anna-maria@legacy.test"})
    migration.move(name);
  const Proof proof = proof_of(migration);
  EXPECT_TRUE(has(proof, "mail for anna-maria@legacy.test is sent to the public MX"));
  EXPECT_FALSE(has(proof, "mail for john-doe@legacy.test"));
}

}  // namespace
}  // namespace plan::flow
