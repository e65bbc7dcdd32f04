// Holes that are easily overlooked: what stays held, what is loaded by somebody else's reload,
// whose step it is; and how what is found is told.
#include <gtest/gtest.h>

#include <algorithm>

#include <fmt/format.h>

#include "compiler/flow/classes.h"
#include "tests/unit/compiler/flow/small_migration.h"

namespace plan::flow {
namespace {

TEST(Holes, AHoldThatNothingLetsGo) {
  Migration migration;
  migration.until_delta();
  migration.account("keys", StepKind::admin_keys, {"delta"});
  EXPECT_TRUE(finds(migration,
                    "mail for alice@legacy.test still waits when all steps of its move are done\n"
                    "  moved: a message to alice@legacy.test at source:25\n"
                    "  -> source holds the mail of alice@legacy.test in its queue"));
}

TEST(Holes, AnAliasThatNoStepNames) {
  Migration migration;
  migration.next_account("bob@legacy.test");
  migration.row = migration.graph.add_row(
      "bob@legacy.test", Value::map({{"aliases", addresses({"bobby@legacy.test"})}}), {});
  migration.exact();
  migration.finalize({"forward"});
  const Proof proof = proof_of(migration);
  EXPECT_TRUE(has(proof,
                  "mail for bobby@legacy.test is bounced\n"
                  "  being finalized: a message to bobby@legacy.test at target:25"));
  for (const Counterexample& one : proof.found) EXPECT_EQ(one.what, "alias") << to_text(one);
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
      Migration::lookup_key("migrated", "*@legacy.test", Value::map({{"isGlobPattern", true}})));
  migration.exact();
  EXPECT_TRUE(finds(migration,
                    "mail for an account that has not moved (a-colleague-created@legacy.test) "
                    "reaches the target"));
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

TEST(Holes, TheFirstStateThatFailsIsNamed) {
  // Nothing waits for the step, so it may run as late as the last one of finalize.
  Migration migration;
  migration.exact();
  migration.update_domain("catch-all", Stage::waves, {"reload"},
                          Value::map({{"catchAllAddress", "other@legacy.test"}}));
  for (const char* id : {"end-1", "end-2"}) migration.reload(id, Stage::finalize, {"forward"});
  EXPECT_EQ(migration.graph.freeze(), std::nullopt);
  const Proof proof = prove(migration.graph);
  ASSERT_FALSE(proof.found.empty());
  for (const Counterexample& one : proof.found) {
    EXPECT_FALSE(one.phase.ends_with("finalized")) << to_text(one);
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
      return one.message.starts_with("`strategy` writes an expression that cannot be read: ") &&
             one.message.find("there is no function `is_moved`") != std::string::npos;
    });
    EXPECT_EQ(count, is_said ? 0 : 1);
  }
}

TEST(Holes, WhatGoesWrongByOneRuleIsOneDiagnosticWithTheOtherEntriesCounted) {
  Migration migration;
  migration.exact_without_hold();
  ASSERT_EQ(migration.graph.freeze(), std::nullopt);
  Sink sink;
  report_mail_flow(migration.graph, {}, sink);
  std::vector<std::string> claims;
  bool is_counted = false;
  for (const Diagnostic& one : sink.sorted()) {
    if (one.kind != Kind::mail_flow) continue;
    claims.push_back(one.message);
    for (const Label& note : one.notes)
      is_counted = is_counted || note.text.starts_with("and the same of ");
  }
  EXPECT_TRUE(is_counted);
  ASSERT_FALSE(claims.empty());
  std::sort(claims.begin(), claims.end());
  EXPECT_EQ(std::adjacent_find(claims.begin(), claims.end()), claims.end()) << claims.front();
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

}  // namespace
}  // namespace plan::flow
