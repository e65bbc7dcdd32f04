// What the objects that a plan writes on the target do to mail: routes and keys that go before the
// expression that names them, aliases and lists of which each server has its own.
#include <gtest/gtest.h>

#include "compiler/flow/routes.h"
#include "tests/unit/compiler/flow/small_migration.h"

namespace plan::flow {
namespace {

TEST(Holes, ARouteThatGoesBeforeTheExpressionDoes) {
  Migration migration;
  migration.exact();
  migration.step("route-gone", StepKind::admin_destroy, Stage::waves, {"create", "reload"},
                 Migration::object("MtaRoute", {{"name", "source"}}, Value()));
  migration.reload("reload-2", Stage::waves, {"route-gone"});
  EXPECT_TRUE(finds(migration, "target does not have the route `source` now and falls back"));
}

TEST(Holes, AKeyThatGoesBeforeTheExpressionDoes) {
  for (const bool is_used : {false, true}) {
    Migration migration;
    migration.exact();
    migration.step("key-gone", StepKind::admin_destroy, Stage::finalize, {"forward"},
                   Migration::lookup_key("migrated", "alice@legacy.test", Value()));
    if (is_used) {
      migration.reload_lookups("lookups", Stage::finalize, {"key-gone"});
    }
    EXPECT_EQ(finds(migration,
                    "mail for alice@legacy.test goes round between the two servers until it "
                    "bounces\n  finalized: a message to alice@legacy.test at target:25"),
              is_used);
  }
}

TEST(Holes, AnAliasThatOnlyTheSourceHas) {
  Migration migration;
  migration.row = migration.graph.add_row(
      "alice@legacy.test", Value::map({{"aliases", addresses({"al@legacy.test"})}}), {});
  migration.aliases.clear();
  migration.exact();
  migration.update_domain("closed", Stage::finalize, {"forward"},
                          Value::map({{"allowRelaying", false}}));
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

TEST(Holes, AListOfTheTargetWithoutSomebodyWhomThePlanDoesNotMove) {
  const std::vector<std::string> kept = {"alice@legacy.test", "dora@partner.test"};
  for (const std::string left_out : {"", "eva@partner.test", "carol@legacy.test"}) {
    std::vector<std::string> members = kept;
    if (!left_out.empty()) members.push_back(left_out);
    Migration migration;
    migration.exact();
    migration.row = migration.graph.add_row("all@legacy.test",
                                            Value::map({{"members", addresses(members)}}), {});
    migration.step("list", StepKind::admin_list, Stage::waves, {"forward"},
                   Value::map({{"address", "all@legacy.test"}, {"members", addresses(kept)}}),
                   true);
    const Proof proof = proof_of(migration);
    EXPECT_EQ(proof.found.empty(), left_out.empty()) << left_out;
    for (const Counterexample& one : proof.found) {
      EXPECT_EQ(one.what, "member") << to_text(one);
      EXPECT_EQ(one.claim, "mail for all@legacy.test does not reach " + left_out);
      EXPECT_EQ(one.phase, "moved");
    }
  }
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
  EXPECT_EQ(same.proof(), "proved");
  Migration other = with_update({}, Value::map({{"description", "everybody"}}));
  EXPECT_EQ(other.proof(), "proved") << "the members stay";
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
  migration.reload("again", Stage::prepare, {"way", "tls", "hook"});
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

}  // namespace
}  // namespace plan::flow
