// The way back: what `plan rollback` undoes, what stays, and where mail goes meanwhile.
#include <gtest/gtest.h>

#include <algorithm>

#include <fmt/format.h>

#include "compiler/flow/states.h"
#include "tests/unit/compiler/flow/small_migration.h"

namespace plan::flow {
namespace {

constexpr std::string_view kAlice = "account/alice@legacy.test/";

/// The route that keeps whoever the target knows; the one with keys comes before the first wave.
Migration with_a_route_of_two_times() {
  Migration migration({{"is_local_address(to_lowercase(rcpt))", "'local'"},
                       {"rcpt_domain == 'legacy.test'", "'source'"},
                       {"is_local_domain(rcpt_domain)", "'local'"}});
  migration.is_transaction = true;
  migration.step(
      "exact", StepKind::admin_update, Stage::waves, {"reload"},
      Migration::object("MtaOutboundStrategy", {},
                        Value::map({{"route", test::expression(test::kExact, "'mx'")}})));
  migration.reload("reload-2", Stage::waves, {"exact"});
  return migration;
}

/// The first steps of a move come behind this one.
void begin_behind(Migration& migration, const std::string& step) {
  migration.steps["reload"] = migration.steps.at(step);
}

/// Our own move, and a list behind it that has alice and somebody else.
Migration with_a_list_of_alice_and(const std::string& other) {
  Migration migration;
  migration.is_transaction = true;
  migration.point("start", {});
  migration.exact();
  migration.step("list", StepKind::admin_list, Stage::waves, {"forward"},
                 Value::map({{"address", "all@legacy.test"},
                             {"members", addresses({"alice@legacy.test", other})}}));
  migration.finalize({"list"});
  return migration;
}

TEST(WayBack, OfOurOwnMoveIsProved) {
  Migration migration = with_a_list_of_alice_and("bob@legacy.test");
  std::set<LookedAt> looked_at;
  EXPECT_EQ(migration.proof(&looked_at), "proved");
  // No step opens the account here.
  for (const std::string_view whose :
       {"disabled account", "alias", "list", "colleague, not moved"}) {
    for (const Entry entry : {Entry::target_25, Entry::source_25, Entry::source_submission})
      EXPECT_TRUE(looked_at.contains({"rollback", entry, whose}))
          << whose << ", " << to_string(entry);
  }
}

// Before the migration she gets one copy: Postfix drops the second of one mailbox. Given back she
// gets two of what comes in at the target, which hands on each name by itself.
TEST(WayBack, FindsAListThatNamesSomebodyTwice) {
  Migration migration = with_a_list_of_alice_and("al@legacy.test");
  const Proof proof = proof_of(migration);
  ASSERT_FALSE(proof.found.empty());
  for (const Counterexample& one : proof.found) {
    EXPECT_EQ(one.what, "named twice") << to_text(one);
    EXPECT_EQ(one.claim, "alice@legacy.test gets a message to all@legacy.test 2 times");
    EXPECT_EQ(one.phase, "rollback") << "on the way there the list comes behind the move";
    EXPECT_TRUE(is_at_target(one.letter.entry)) << "at the source she gets one: " << to_text(one);
  }
  Sink sink;
  report_mail_flow(migration.graph, {}, sink);
  ASSERT_EQ(sink.sorted().size(), 1U);
  EXPECT_EQ(sink.sorted()[0].kind, Kind::mail_flow);
  EXPECT_EQ(sink.sorted()[0].severity, Severity::warning) << "nothing is lost or late";
}

// Whoever else is on it, by whichever of the names, with how many other aliases.
TEST(WayBack, FindsTheOneWhomAListNamesTwiceAmongThoseWhomItNamesOnce) {
  for (const std::vector<std::string>& of_bob :
       {std::vector<std::string>{"bob@legacy.test", "b2@legacy.test"},
        {"bob@legacy.test", "b4@legacy.test"},
        {"b3@legacy.test", "b4@legacy.test"}}) {
    Migration migration;
    migration.is_transaction = true;
    migration.exact();
    migration.next_account("bob@legacy.test");
    migration.aliases = {"b2@legacy.test", "b3@legacy.test", "b4@legacy.test"};
    const ir::StepId forward_of_alice = migration.steps.at("forward");
    migration.exact();
    migration.steps["forward-of-alice"] = forward_of_alice;
    migration.step(
        "list", StepKind::admin_list, Stage::waves, {"forward", "forward-of-alice"},
        Value::map({{"address", "all@legacy.test"},
                    {"members", addresses({"alice@legacy.test", of_bob[0], of_bob[1]})}}));
    migration.finalize({"list"});
    const Proof proof = proof_of(migration);
    EXPECT_TRUE(has(proof, "bob@legacy.test gets a message to all@legacy.test 2 times"))
        << of_bob[0] << ", " << of_bob[1];
    for (const Counterexample& one : proof.found)
      EXPECT_EQ(one.what, "named twice") << to_text(one);
  }
}

TEST(WayBack, FindsAListThatNamesSomebodyTwiceAheadOfTheMoveAsAnError) {
  Migration migration;
  migration.is_transaction = true;
  migration.step("list", StepKind::admin_list, Stage::waves, {"reload"},
                 Value::map({{"address", "all@legacy.test"},
                             {"members", addresses({"alice@legacy.test", "al@legacy.test"})}}));
  migration.exact();
  EXPECT_EQ(migration.graph.freeze(), std::nullopt);
  Sink sink;
  report_mail_flow(migration.graph, {}, sink);
  const auto told = sink.sorted();
  EXPECT_TRUE(std::any_of(told.begin(), told.end(), [](const Diagnostic& one) {
    return one.severity == Severity::error &&
           one.message == "alice@legacy.test gets a message to all@legacy.test 2 times";
  }));
}

TEST(WayBack, WithoutAMoveOrAPointThereIsNone) {
  Migration migration;
  migration.exact();
  std::set<LookedAt> looked_at;
  EXPECT_EQ(migration.proof(&looked_at), "proved");
  EXPECT_TRUE(std::none_of(looked_at.begin(), looked_at.end(), [](const LookedAt& one) {
    return one.phase.find("rollback") != std::string::npos;
  }));
}

TEST(WayBack, FindsAForwardThatIsNoPartOfTheMove) {
  Migration migration;
  migration.is_transaction = true;
  migration.until_delta();
  migration.account("keys", StepKind::admin_keys, {"delta"});
  // Of no row: `plan rollback --account` leaves it, and the key goes.
  add_apart(migration, "forward", StepKind::postfix_forward, Stage::waves, {"keys"},
            {"alice@legacy.test", "al@legacy.test"});
  const std::string proof = migration.proof();
  EXPECT_TRUE(proof.starts_with(
      "mail for alice@legacy.test goes round between the two servers until it bounces\n"
      "  rollback: a message to alice@legacy.test at target:25\n"))
      << proof;
  EXPECT_NE(proof.find(fmt::format("\n  when {}keys is undone and forward is not", kAlice)),
            std::string::npos)
      << proof;
}

TEST(WayBack, FindsAHoldThatIsNoPartOfTheMove) {
  Migration migration;
  migration.account("create", StepKind::admin_account, {"reload"});
  migration.account("copy", StepKind::archive_copy, {"create"});
  migration.account("hold", StepKind::postfix_hold, {"copy"});
  migration.is_transaction = true;
  migration.account("delta", StepKind::archive_delta, {"hold"});
  migration.account("keys", StepKind::admin_keys, {"delta"});
  migration.account("forward", StepKind::postfix_forward, {"keys"});
  const std::string proof = migration.proof();
  EXPECT_TRUE(
      proof.starts_with("mail for alice@legacy.test still waits when the account is given back\n"
                        "  rollback: a message to alice@legacy.test at target:25\n"))
      << proof;
  EXPECT_NE(proof.find(fmt::format("\n  when {0}delta is undone and {0}hold is not", kAlice)),
            std::string::npos)
      << proof;
}

TEST(WayBack, FindsAnAccountThatStaysWhereTheRouteOfBeforeKeepsItsMail) {
  Migration migration = with_a_route_of_two_times();
  migration.point("before-the-key", {"reload"});
  begin_behind(migration, "reload-2");
  migration.exact();
  const std::string proof = migration.proof();
  EXPECT_TRUE(proof.starts_with(
      "mail for alice@legacy.test reaches the target before its mailbox is copied\n"
      "  rollback: a message to alice@legacy.test at target:25\n"))
      << proof;
  EXPECT_NE(proof.find("\n  when exact is undone"), std::string::npos) << proof;
}

TEST(WayBack, GoesNoFurtherThanThePoint) {
  for (const std::string_view where : {"nowhere", "reload-2"}) {
    Migration migration = with_a_route_of_two_times();
    if (where != "nowhere") migration.point("point", {std::string(where)});
    begin_behind(migration, "reload-2");
    migration.exact();
    EXPECT_EQ(migration.proof(), "proved") << where;
  }
}

TEST(WayBack, GoesOverNothingThatCannotBeUndone) {
  Migration migration = with_a_route_of_two_times();
  migration.point("before-the-key", {"reload"});
  migration.step("gone", StepKind::address_finalize, Stage::waves, {"reload-2"}, Value::map());
  begin_behind(migration, "gone");
  migration.exact();
  EXPECT_EQ(migration.proof(), "proved");
}

TEST(WayBack, FindsAMoveThatCarriesNothingBack) {
  Migration migration;
  migration.is_transaction = true;
  migration.account("create", StepKind::admin_account, {"reload"});
  migration.account("hold", StepKind::postfix_hold, {"create"});
  migration.account("copy", StepKind::archive_copy, {"hold"});
  migration.account("keys", StepKind::admin_keys, {"copy"});
  migration.account("forward", StepKind::postfix_forward, {"keys"});
  EXPECT_EQ(migration.proof(),
            fmt::format("what alice@legacy.test has got on the target stays there when the account "
                        "is given back: `{0}copy` carries nothing back\n"
                        "  when {0}copy is undone",
                        kAlice));
}

/// What a reload has made live stays so when the reload is gone back over.
TEST(WayBack, TakesNoReloadBack) {
  Migration migration;
  migration.point("start", {});
  migration.exact();
  ASSERT_EQ(migration.graph.freeze(), std::nullopt);
  auto subject = subject_with(migration.graph, "alice@legacy.test");
  ASSERT_TRUE(subject);
  MailSteps all(migration.graph, {*subject});
  const AccountStates states(all, *subject);
  const auto prepared = states.at_phase("prepared");
  ASSERT_TRUE(prepared);
  EXPECT_EQ(states.undoable(prepared->done), prepared->done);
  Standing standing = *prepared;
  const auto undo = [&](const char* id) {
    for (std::size_t i = 0; i < states.steps().size(); ++i) {
      if (migration.graph.id(states.steps()[i].step) == id) standing = states.undone(standing, i);
    }
  };
  undo("reload");
  EXPECT_NE(standing.done, prepared->done);
  EXPECT_EQ(standing.effects, prepared->effects);
  EXPECT_NE(states.effects(standing.done), prepared->effects)
      << "on the way there it is not loaded";
  undo("strategy");
  // The undo of one setting loads the others too: the route is used, although no step loads it.
  EXPECT_EQ(standing.effects, standing.done);
}

}  // namespace
}  // namespace plan::flow
