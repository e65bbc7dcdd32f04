#include "compiler/flow/proof.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "compiler/flow/classes.h"
#include "tests/unit/compiler/flow/stamped_migration.h"

namespace plan::flow {
namespace {

using test::expression;

TEST(Proof, OurOwnMovePasses) {
  Migration migration;
  migration.exact();
  EXPECT_EQ(migration.proof(), "proved");
}

TEST(Proof, OurOwnMoveWithListsAndFinalizePasses) {
  Migration migration;
  migration.exact();
  migration.step("list", StepKind::admin_list, Stage::waves, {"forward"},
                 Value::map({{"address", "all@legacy.test"},
                             {"members", addresses({"alice@legacy.test", "bob@legacy.test"})}}));
  migration.finalize({"list"});
  migration.step("key", StepKind::admin_destroy, Stage::finalize, {"closed"},
                 Migration::lookup_key("migrated", "alice@legacy.test", Value()));
  migration.reload_lookups("lookups", Stage::finalize, {"key"});
  // bob stays on the source in this test: the list reaches him there until the strategy is
  // restored, so only alice counts.
  EXPECT_EQ(migration.proof(), "proved");
}

TEST(Proof, ThePublishedGuideFailsInItsTwoPlaces) {
  Migration migration(test::kGuideLower);
  migration.account("create", StepKind::admin_account, {"reload"});
  migration.account("copy", StepKind::archive_copy, {"create"});
  const std::string proof = migration.proof();
  EXPECT_NE(
      proof.find("mail for alice@legacy.test reaches the target before its mailbox is copied\n"
                 "  created, not moved: a message to alice@legacy.test at target:25\n"
                 "  -> target routes alice@legacy.test by `local` (`if` 0 of "
                 "MtaOutboundStrategy.route: is_local_address(to_lowercase(rcpt)))\n"
                 "  -> target delivers to alice@legacy.test\n"
                 "  when account/alice@legacy.test/create is done and "
                 "account/alice@legacy.test/copy is not"),
      std::string::npos)
      << proof;
  EXPECT_NE(
      proof.find(
          "mail for alice@legacy.test reaches the old mailbox after the last copy of it was made\n"
          "  moved: a message to alice@legacy.test at source submission\n"
          "  -> source delivers to alice@legacy.test (no entry in the transport map)"),
      std::string::npos)
      << proof;
  // The first hole at both doors of the target; the second at both doors of the source, and for
  // what waits in the target's queue with a tag.
  EXPECT_EQ(std::count(proof.begin(), proof.end(), '>'), 8) << proof;
}

TEST(Proof, FindsThatOtherDomainsOfTheTargetGoToTheOldServer) {
  Migration migration(test::kSet);
  migration.exact();
  EXPECT_NE(migration.proof().find(
                "mail for a domain that lives only on the target is sent away from it"),
            std::string::npos);
}

TEST(Proof, FindsTheLoopOfTheWrongOrder) {
  Migration migration;
  migration.until_delta();
  migration.account("forward", StepKind::postfix_forward, {"delta"});
  migration.account("keys", StepKind::admin_keys, {"forward"});
  EXPECT_NE(migration.proof().find("goes round between the two servers"), std::string::npos);
}

TEST(Proof, TwoStepsWithoutAnOrderAreTriedInBoth) {
  Migration migration;
  migration.until_delta();
  migration.account("keys", StepKind::admin_keys, {"delta"});
  migration.account("forward", StepKind::postfix_forward, {"delta"});
  EXPECT_NE(migration.proof().find("goes round between the two servers"), std::string::npos);
}

TEST(Proof, FindsMailThatIsNotHeldDuringTheDelta) {
  Migration migration;
  migration.exact_without_hold();
  EXPECT_NE(migration.proof().find("reaches the old mailbox after the last copy"),
            std::string::npos);
}

TEST(Proof, FindsLettersInCapitalsThatTheRuleForgets) {
  Migration migration(
      {{"rcpt_domain == 'legacy.test' && is_local_address(rcpt) && key_exists('migrated', rcpt)",
        "'local'"},
       {"rcpt_domain == 'legacy.test'", "'source'"},
       {"is_local_domain(rcpt_domain)", "'local'"}});
  migration.exact();
  const std::string proof = migration.proof();
  EXPECT_NE(proof.find("ALICE@legacy.test"), std::string::npos) << proof;
}

TEST(Proof, FindsARouteThatDoesNotExist) {
  Migration migration(
      {{"is_local_address(to_lowercase(rcpt)) && key_exists('migrated', to_lowercase(rcpt))",
        "'local'"},
       {"rcpt_domain == 'legacy.test'", "'sorce'"},
       {"is_local_domain(rcpt_domain)", "'local'"}});
  migration.exact();
  EXPECT_NE(migration.proof().find("leaves the target by `sorce`, a route that no step makes"),
            std::string::npos);
}

TEST(Proof, FindsAKeySetOfAnotherName) {
  Migration migration(
      {{"is_local_address(to_lowercase(rcpt)) && key_exists('moved', to_lowercase(rcpt))",
        "'local'"},
       {"rcpt_domain == 'legacy.test'", "'source'"},
       {"is_local_domain(rcpt_domain)", "'local'"}});
  migration.exact();
  EXPECT_NE(migration.proof().find("goes round between the two servers"), std::string::npos);
}

TEST(Proof, TakesNoSettingForUsedThatIsNeverReloaded) {
  Migration migration;
  migration.step("late-route", StepKind::admin_update, Stage::prepare, {"reload"},
                 Migration::object("MtaRoute", {{"name", "source"}},
                                   Value::map({{"@type", "Relay"}, {"address", "127.0.0.1"}})));
  migration.exact();
  EXPECT_EQ(migration.proof(), "proved")
      << "a route that was written after the last reload is not used";
}

TEST(Proof, FindsARelayToLoopback) {
  Migration migration;
  migration.step("loopback", StepKind::admin_update, Stage::prepare, {"route"},
                 Migration::object("MtaRoute", {{"name", "source"}},
                                   Value::map({{"@type", "Relay"}, {"address", "127.0.0.1"}})));
  migration.reload("reload-2", Stage::prepare, {"loopback", "reload"});
  migration.exact();
  EXPECT_NE(migration.proof().find("the relay address 127.0.0.1 is a loopback address"),
            std::string::npos);
}

TEST(Proof, TakesNoKeyForAPatternThatIsNone) {
  Migration migration;
  migration.exact();
  migration.step(
      "plain", StepKind::admin_upsert, Stage::waves, {"forward"},
      Migration::lookup_key("migrated", "*@legacy.test", Value::map({{"isGlobPattern", false}})));
  migration.reload_lookups("lookups", Stage::waves, {"plain"});
  EXPECT_EQ(migration.proof(), "proved");
}

TEST(Proof, FindsAGlobKeyThatTakesTheWholeDomain) {
  Migration migration;
  migration.exact();
  migration.step(
      "glob", StepKind::admin_upsert, Stage::waves, {"forward"},
      Migration::lookup_key("migrated", "*@legacy.test", Value::map({{"isGlobPattern", true}})));
  migration.reload_lookups("lookups", Stage::waves, {"glob"});
  const std::string proof = migration.proof();
  EXPECT_NE(proof.find("mail for an account that has not moved "
                       "(a-colleague-created@legacy.test) reaches the target"),
            std::string::npos)
      << proof;
}

TEST(Proof, FindsASubdomainThatIsTakenForTheDomain) {
  Migration migration({{"rcpt_domain == 'legacy.test' && is_local_address(to_lowercase(rcpt)) && "
                        "key_exists('migrated', to_lowercase(rcpt))",
                        "'local'"},
                       {"ends_with(rcpt_domain, 'legacy.test')", "'source'"},
                       {"is_local_domain(rcpt_domain)", "'local'"},
                       {"ends_with(rcpt_domain, 'elsewhere.test')", "'local'"}});
  migration.exact();
  const std::string proof = migration.proof();
  EXPECT_NE(proof.find("mail to another domain ends as: bounced\n"), std::string::npos) << proof;
}

TEST(Proof, ListsTheStateByItsPhase) {
  Migration migration;
  migration.until_delta();
  migration.account("forward", StepKind::postfix_forward, {"delta"});
  migration.account("keys", StepKind::admin_keys, {"forward"});
  EXPECT_NE(migration.proof().find("  moving: a message to "), std::string::npos);
}

TEST(Proof, FindsACatchAll) {
  Migration migration;
  migration.update_domain("catch-all", Stage::prepare, {"reload"},
                          Value::map({{"catchAllAddress", "boss@legacy.test"}}));
  migration.exact();
  const std::string proof = migration.proof();
  EXPECT_NE(proof.find("target: the catch-all of legacy.test takes alice@legacy.test"),
            std::string::npos)
      << proof;
}

TEST(Proof, FindsAnOpenRelay) {
  Migration migration;
  migration.step("relay-rule", StepKind::admin_update, Stage::prepare, {"route"},
                 Migration::object("MtaStageRcpt", {},
                                   Value::map({{"allowRelaying", expression({}, "true")}})));
  migration.reload("reload-2", Stage::prepare, {"relay-rule", "reload"});
  migration.exact();
  EXPECT_NE(migration.proof().find("the target relays mail of strangers"), std::string::npos);
}

TEST(Proof, FindsALoginThatIsWantedOfServers) {
  const auto proof_with = [](const Value& require) {
    Migration migration;
    migration.step("login", StepKind::admin_update, Stage::prepare, {"route"},
                   Migration::object("MtaStageAuth", {}, Value::map({{"require", require}})));
    migration.reload("reload-2", Stage::prepare, {"login", "reload"});
    migration.exact();
    return migration.proof();
  };
  const std::string proof = proof_with(expression({}, "true"));
  EXPECT_NE(proof.find("mail for alice@legacy.test is refused"), std::string::npos) << proof;
  EXPECT_NE(proof.find("target: 503 5.5.1 You must authenticate first."), std::string::npos)
      << proof;
  EXPECT_EQ(proof_with(expression({}, "local_port != 25")), "proved");
  EXPECT_EQ(proof_with(expression({{"local_port == 25", "false"}}, "true")), "proved");
  EXPECT_NE(proof_with(expression({}, "remote_ip == '10.9.0.2'")).find("cannot be told"),
            std::string::npos)
      << "who the source is to the target nobody says here";
  EXPECT_EQ(proof_with(Value()), "proved") << "as the server has it";
}

TEST(Proof, AThousandAlikeAccountsCostLittleMoreThanOne) {
  StampedMigration migration;
  migration.stamp_exact();
  for (int i = 0; i < 1000; ++i) migration.move(fmt::format("user{}@legacy.test", i));
  EXPECT_EQ(migration.proof(), "proved");
  const Classes classes = account_classes(migration.graph);
  ASSERT_EQ(classes.subjects.size(), 1U) << "one is followed";
  EXPECT_EQ(classes.subjects.front().stands_for, 1'000U);
}

}  // namespace
}  // namespace plan::flow
