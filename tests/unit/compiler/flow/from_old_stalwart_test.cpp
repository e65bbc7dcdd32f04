// Moves from an old Stalwart, which goes by its lists: the proof follows what its route asks for.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "compiler/flow/classes.h"
#include "tests/unit/compiler/flow/stamped_migration.h"

namespace plan::flow {
namespace {

const char* const kTagged = "matches('^([^+@]+)[+][^@]*(@.+)$', rcpt) && ";
const char* const kDashed = "matches('^([^-@]+)[-][^@]*(@.+)$', rcpt) && ";

/// From an old Stalwart, by its lists.
class FromOldStalwart : public StampedMigration {
 public:
  /// `first`: a condition of mail that goes to the public MX, in front of those of the lists.
  explicit FromOldStalwart(const std::string& first = {}, const char* tls_at_once = "false")
      : StampedMigration(of_two_domains("false")) {
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
    stamp(StepKind::admin_account);
    stamp(StepKind::archive_copy);
    stamp(StepKind::source_hold, {{"list", "plan-held"}});
    stamp(StepKind::archive_delta);
    stamp(StepKind::admin_keys, {{"namespace", "migrated"}});
    stamp(StepKind::source_forward, {{"list", "plan-moved"}, {"next_hop", "smtp:[new.test]:25"}});
  }
};

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
