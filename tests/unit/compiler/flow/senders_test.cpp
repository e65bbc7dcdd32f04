// Whom a message is tried from: senders that route expressions name or find by a pattern, and what
// becomes of conditions that nobody was found for.
#include "compiler/flow/senders.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "tests/unit/compiler/flow/small_migration.h"

namespace plan::flow {
namespace {

TEST(Holes, MailBetweenColleaguesThatARuleOfTheSenderSendsAway) {
  Migration migration(in_front({{"sender_domain == 'legacy.test'", "'mx'"}}));
  migration.exact();
  EXPECT_TRUE(finds(migration, "mail for alice@legacy.test is sent to the public MX"));
  EXPECT_TRUE(finds(migration,
                    "  -> target routes alice@legacy.test by `mx` (`if` 0 of "
                    "MtaOutboundStrategy.route: sender_domain == 'legacy.test')"));
}

TEST(Holes, ARouteForOneSenderAlone) {
  for (const char* const asked :
       {"sender == 'boss@partner.test'", "sender_domain == 'partner.test'",
        "ends_with(sender, '@partner.test')", "starts_with(sender, 'boss@')"}) {
    Migration migration(in_front({{asked, "'mx'"}}));
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
    Migration migration(in_front({{asked, "'mx'"}}));
    migration.exact();
    EXPECT_TRUE(finds(migration, "mail for alice@legacy.test is sent to the public MX")) << asked;
  }
}

TEST(Holes, ASenderWhomNobodyFoundIsTold) {
  for (const char* const asked : {"matches('^(?=boss@)', sender)", "len(sender) > 300"}) {
    Migration migration(in_front({{asked, "'mx'"}}));
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
    Migration migration(in_front({{asked, "'mx'"}}));
    migration.exact();
    EXPECT_TRUE(finds(migration, "mail for alice@legacy.test is sent to the public MX")) << asked;
  }
}

TEST(Holes, WhatAPatternFindsInTheSenderIsAsked) {
  for (const char* const asked :
       {"matches('^(.*)@partner.test$', sender) && $1 == 'boss'",
        "matches('^(.*)@(.*)$', sender) && rcpt == 'alice@legacy.test' && $1 == 'boss' && "
        "$2 == 'partner.test'"}) {
    Migration migration(in_front({{asked, "'mx'"}}));
    migration.exact();
    EXPECT_TRUE(finds(migration, "mail for alice@legacy.test is sent to the public MX")) << asked;
  }
  Migration later(
      in_front({{"matches('^(.*)@partner.test$', sender) && rcpt == 'zoe@legacy.test'", "'mx'"},
                {"$1 == 'boss'", "'mx'"}}));
  later.exact();
  EXPECT_TRUE(finds(later, "mail from senders for whom `$1 == 'boss'` is true", true));
}

TEST(Holes, ASenderWhomAConditionInFrontCatchesDoesNotStandForOthers) {
  for (const char* const asked : {"contains(sender, 'partner')", "matches('^.*@partner', sender)",
                                  "sender_domain == 'partner.test'"}) {
    Migration migration(in_front(
        {{"sender == 'ceo@partner.test' && rcpt_domain == 'legacy.test' && "
          "is_local_address(to_lowercase(rcpt)) && key_exists('migrated', to_lowercase(rcpt))",
          "'local'"},
         {"sender == 'ceo@partner.test' && rcpt_domain == 'legacy.test'", "'source'"},
         {asked, "'mx'"}}));
    migration.exact();
    EXPECT_TRUE(finds(migration, "mail for alice@legacy.test is sent to the public MX")) << asked;
  }
}

TEST(Holes, ASenderWhomNobodyFoundAndWhoseMailGoesTheSameWayIsProved) {
  const std::string same = test::kExact[0].first;
  for (const char* const asked : {"len(sender) > 300", "matches('^(?=boss@)', sender)"}) {
    for (const std::string& condition :
         {fmt::format("{} && {}", same, asked), fmt::format("{} && {}", asked, same)}) {
      Migration migration(in_front({{condition, "'local'"}}));
      migration.exact();
      EXPECT_EQ(migration.proof(), "proved") << condition;
    }
    Migration both(in_front({{fmt::format("{} && {}", asked, same), "'local'"},
                             {fmt::format("{} && {}", asked, test::kExact[1].first), "'source'"}}));
    both.exact();
    EXPECT_EQ(both.proof(), "proved") << asked;
    Migration astray(in_front({{fmt::format("{} && {}", asked, same), "'source'"}}));
    astray.exact();
    EXPECT_TRUE(finds(astray, "of whom none was found to be tried", true)) << asked;
  }
}

TEST(Holes, ARouteForOneSenderToAnAlias) {
  Migration migration(
      in_front({{"rcpt == 'al@legacy.test' && sender == 'boss@partner.test'", "'mx'"}}));
  migration.exact();
  EXPECT_TRUE(finds(migration, "mail for al@legacy.test is sent to the public MX"));
}

TEST(Holes, ASenderWhoseKeyAStepWritesIsTried) {
  for (const auto& [asked, key] :
       {std::pair("sender", "boss@partner.test"), std::pair("sender_domain", "partner.test"),
        std::pair("sender", "*@partner.test")}) {
    Migration migration(in_front({{fmt::format("key_exists('vip', {})", asked), "'mx'"}}));
    migration.step("vip", StepKind::admin_upsert, Stage::prepare, {"reload"},
                   Migration::lookup_key("vip", key));
    migration.exact();
    EXPECT_TRUE(finds(migration, "partner.test; suppose that it is true", true)) << key;
  }
}

TEST(Holes, ASenderWhoIsComparedWithTheRecipientIsTried) {
  for (const char* const asked :
       {"sender == rcpt", "rcpt == sender && sender != ''",
        "rcpt == 'alice@legacy.test' && sender == rcpt", "sender == 'boss@' + rcpt_domain",
        "contains(sender, rcpt_domain) && ends_with(sender, '.partner.test')",
        "contains([rcpt, 'boss@partner.test'], sender) && sender_domain == 'legacy.test'",
        "starts_with(sender, email_part(rcpt, 'local')) && sender_domain == 'partner.test'",
        "if_then(sender == rcpt, rcpt_domain == 'legacy.test', false)",
        "matches('^(.*)@partner.test$', sender) && $1 + '@legacy.test' == rcpt"}) {
    Migration migration({{asked, "'mx'"}, test::kExact[0], test::kExact[1], test::kExact[2]});
    migration.exact();
    EXPECT_TRUE(finds(migration, "mail for alice@legacy.test is sent to the public MX")) << asked;
  }
}

TEST(Holes, ASenderWhoIsComparedWithTheRecipientAndGoesTheSameWayIsProved) {
  for (const char* const asked : {"sender == rcpt", "len(sender) > len(rcpt) + 300"}) {
    Migration migration({{fmt::format("{} && {}", test::kExact[0].first, asked), "'local'"},
                         test::kExact[0],
                         test::kExact[1],
                         test::kExact[2]});
    migration.exact();
    EXPECT_EQ(migration.proof(), "proved") << asked;
  }
}

TEST(Holes, ASenderWhomNobodyFoundForTheRecipientIsTold) {
  for (const char* const asked :
       {"len(sender) > len(rcpt) + 300", "matches('^(.*)@', rcpt) && $1 == sender"}) {
    Migration migration({{asked, "'mx'"}, test::kExact[0], test::kExact[1], test::kExact[2]});
    migration.exact();
    const Proof proof = proof_of(migration);
    ASSERT_EQ(proof.found.size(), 1U) << asked;
    EXPECT_EQ(proof.found[0].what, "sender");
    EXPECT_TRUE(proof.found[0].is_supposed);
    EXPECT_NE(proof.found[0].claim.find(asked), std::string::npos) << proof.found[0].claim;
  }
  Migration later({{"matches('^(.*)@', rcpt) && rcpt == 'zoe@legacy.test'", "'local'"},
                   {"$1 == sender", "'mx'"},
                   test::kExact[0],
                   test::kExact[1],
                   test::kExact[2]});
  later.exact();
  EXPECT_TRUE(finds(later, "mail from senders for whom `$1 == sender` is true", true));
}

TEST(Holes, AKeyThatIsMadeOfSenderAndRecipientIsNotTakenForNone) {
  for (const char* const made :
       {"sender + ':' + rcpt", "to_lowercase(sender) + ':' + to_lowercase(rcpt)",
        "substring(sender, 0, 17) + ':' + rcpt"}) {
    Migration migration({{fmt::format("key_exists('pairs', {})", made), "'mx'"},
                         test::kExact[0],
                         test::kExact[1],
                         test::kExact[2]});
    migration.step(
        "pair", StepKind::admin_upsert, Stage::prepare, {"reload"},
        Migration::object("MemoryLookupKey",
                          {{"namespace", "pairs"}, {"key", "boss@partner.test:alice@legacy.test"}},
                          Value::map()));
    migration.exact();
    const Proof proof = proof_of(migration);
    EXPECT_TRUE(
        has(proof, "this condition asks for boss@partner.test:alice@legacy.test; suppose", true))
        << made;
  }
  Migration empty({{"key_exists('pairs', sender + ':' + rcpt)", "'mx'"},
                   test::kExact[0],
                   test::kExact[1],
                   test::kExact[2]});
  empty.exact();
  EXPECT_EQ(empty.proof(), "proved") << "no step writes a key into this set";
}

TEST(Holes, ARelayRuleThatComparesSenderAndRecipientIsTried) {
  Migration migration;
  migration.step(
      "relay", StepKind::admin_update, Stage::prepare, {"route"},
      Migration::object(
          "MtaStageRcpt", {},
          Value::map({{"allowRelaying",
                       test::expression({{"sender_domain == rcpt_domain", "true"}}, "false")}})));
  migration.exact();
  EXPECT_TRUE(finds(migration, "the target relays mail of strangers"));
}

TEST(Holes, ASenderForWhomAnotherTextIsGivenIsTried) {
  const auto migration_giving = [](const std::string& given) {
    Migration migration({{test::kExact[0].first, given}, test::kExact[1], test::kExact[2]});
    migration.exact();
    return migration;
  };
  for (const char* const given :
       {"if_then(sender_domain == 'partner.test', 'mx', 'local')",
        "if_then(sender != 'boss@partner.test', 'local', 'mx')",
        "if_then(rcpt_domain == 'legacy.test', if_then(matches('^news-', sender), 'mx', 'local'), "
        "'source')",
        "if_then(sender == rcpt, 'mx', 'local')"}) {
    Migration migration = migration_giving(given);
    EXPECT_TRUE(finds(migration, "mail for alice@legacy.test is sent to the public MX")) << given;
  }
  for (const char* const given :
       {"if_then(len(sender) > 300, 'mx', 'local')", "strip_suffix('local' + sender, sender)"}) {
    Migration migration = migration_giving(given);
    EXPECT_TRUE(finds(migration, "mail from senders for whom `then, for rcpt_domain == ", true))
        << given;
  }
  Migration same = migration_giving("if_then(sender == 'boss@partner.test', 'local', 'local')");
  EXPECT_EQ(same.proof(), "proved");
  Migration in_condition(
      {{"sender_domain == 'partner.test'", "if_then(starts_with(sender, 'news-'), 'mx', 'local')"},
       test::kExact[0],
       test::kExact[1],
       test::kExact[2]});
  in_condition.exact();
  EXPECT_TRUE(finds(in_condition, "mail for alice@legacy.test is sent to the public MX"));
}

}  // namespace
}  // namespace plan::flow
