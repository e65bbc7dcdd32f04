// What a route asks of somebody else than whom the mail is for: others' keys, addresses and
// domains, which their own moves change.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "tests/unit/compiler/flow/small_migration.h"

namespace plan::flow {
namespace {

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
    Migration migration(in_front({{"key_exists('vip', 'boss@partner.test')", "'mx'"}}));
    migration.step("vip", StepKind::admin_upsert, Stage::prepare, {"reload"},
                   Migration::lookup_key("vip", key));
    migration.exact();
    EXPECT_TRUE(finds(migration, "this condition asks for boss@partner.test; suppose", true))
        << key;
  }
}

TEST(Holes, TheKeyOfWhoSendsIsTakenBothWays) {
  Migration migration(in_front({{"key_exists('migrated', sender)", "'mx'"}}));
  migration.exact();
  EXPECT_TRUE(
      finds(migration, "this condition asks for a-colleague-not-moved@legacy.test; suppose", true));
}

TEST(Holes, APartOfTheNameThatIsSomebodyElse) {
  for (const bool is_somebody : {false, true}) {
    Migration migration(in_front(
        {{"matches('^([a-z]+)-[^@]*(@.+)$', rcpt) && key_exists('migrated', $1 + $2)", "'mx'"}}));
    migration.next_account("anna-maria@legacy.test");
    migration.exact();
    migration.next_account(is_somebody ? "anna@legacy.test" : "zoe@legacy.test");
    migration.exact();
    EXPECT_EQ(finds(migration, "this condition asks for anna@legacy.test; suppose", true),
              is_somebody);
  }
}

}  // namespace
}  // namespace plan::flow
