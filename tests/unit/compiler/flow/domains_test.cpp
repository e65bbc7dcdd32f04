// Plans with many domains: those that are treated alike are looked at once, and the one that is not
// is found wherever it stands.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "compiler/flow/classes.h"
#include "tests/unit/compiler/flow/stamped_migration.h"

namespace plan::flow {
namespace {

std::string domain_name(std::size_t number) { return fmt::format("d{}.test", number); }

struct Hole {
  std::size_t at = SIZE_MAX;
  bool is_without_route = false;     // the expression forgets the domain
  bool is_without_relaying = false;  // the domain refuses those it does not know
  std::size_t list_of = 0;  // so many domains are named by one condition; 0: each by its own
};

/// A condition of the target's own, which sends mail out.
struct Asked {
  std::string_view condition = {};
  bool is_first = false;  // in front of those of the domains
};
constexpr Asked kPattern = {"matches('^x[.]', rcpt_domain)"};
/// What only the server can say of a part of the name.
constexpr Asked kLookedUp = {"key_exists('old', strip_prefix(rcpt_domain, 'x.'))"};

/// `count` domains with one account each, all moved in the order that is right; the domains' steps
/// are stamped out of one shape, as lowering does.
class ManyDomains : public StampedMigration {
 public:
  explicit ManyDomains(std::size_t count, const Hole& hole = {}, const Asked& asked = {})
      : StampedMigration(arms(count, hole, asked)) {
    ir::StepShape shape;
    shape.kind = StepKind::admin_upsert;
    shape.stage = Stage::prepare;
    shape.id_pattern = "domain/{}";
    shape.arguments = object("Domain", {{"name", ir::OutputRef{"$row", "name"}}},
                             Value::map({{"allowRelaying", ir::OutputRef{"$row", "relays"}}}));
    domain_shape_ = graph.add_shape(std::move(shape));
    for (std::size_t i = 0; i < count; ++i)
      domain(domain_name(i), !(hole.is_without_relaying && i == hole.at));
    stamp_exact();
  }

  void everybody(std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) move("user@" + domain_name(i));
  }

 private:
  static test::Arms arms(std::size_t count, const Hole& hole, const Asked& asked) {
    test::Arms arms;
    const auto ask = [&] { arms.emplace_back(asked.condition, "'mx'"); };
    if (asked.is_first) ask();
    const auto add = [&](const std::string& condition) {
      arms.emplace_back(condition +
                            " && is_local_address(to_lowercase(rcpt)) && "
                            "key_exists('migrated', to_lowercase(rcpt))",
                        "'local'");
      arms.emplace_back(condition, "'source'");
    };
    std::string names;
    std::size_t in_list = 0;
    for (std::size_t i = 0; i < count; ++i) {
      if (hole.is_without_route && i == hole.at) continue;
      if (hole.list_of == 0) {
        add(fmt::format("rcpt_domain == '{}'", domain_name(i)));
        continue;
      }
      names += fmt::format("{}'{}'", in_list++ == 0 ? "" : ", ", domain_name(i));
      if (in_list < hole.list_of && i + 1 < count) continue;
      add(fmt::format("contains([{}], rcpt_domain)", names));
      names.clear();
      in_list = 0;
    }
    if (!asked.condition.empty() && !asked.is_first) ask();
    arms.emplace_back("is_local_domain(rcpt_domain)", "'local'");
    return arms;
  }

  void domain(const std::string& of, bool relays) {
    const ir::RowId one = graph.add_row(of, Value::map({{"name", of}, {"relays", relays}}), {});
    before_accounts_.push_back(graph.add_step(domain_shape_, one, ir::WaveId::none));
    graph.add_edge(steps.at("reload"), before_accounts_.back());
  }

  std::uint32_t domain_shape_ = 0;
};

/// The proof tells the one, and not the other.
void expect_told(const std::string& proof, std::string_view told, std::string_view untold) {
  EXPECT_NE(proof.find(told), std::string::npos) << told << " in\n" << proof;
  EXPECT_EQ(proof.find(untold), std::string::npos) << untold << " in\n" << proof;
}

TEST(Domains, ThatAreAlikeAreOneClass) {
  ManyDomains migration(200);
  migration.everybody(200);
  ASSERT_EQ(migration.proof(), "proved");
  const Classes classes = account_classes(migration.graph);
  ASSERT_EQ(classes.subjects.size(), 1U);
  EXPECT_EQ(classes.subjects.front().stands_for, 200U);
  EXPECT_EQ(classes.left_out.accounts, 0U);
}

TEST(Domains, TheOneThatTheRouteForgetsIsFound) {
  ManyDomains migration(200, {149, true, false});
  migration.everybody(200);
  expect_told(migration.proof(), "mail for user@d149.test", "user@d0.test");
}

TEST(Domains, ThatAListNamesAreOneClass) {
  ManyDomains migration(200, {.list_of = 30});
  migration.everybody(200);
  ASSERT_EQ(migration.proof(), "proved");
  const Classes classes = account_classes(migration.graph);
  ASSERT_EQ(classes.subjects.size(), 1U);
  EXPECT_EQ(classes.subjects.front().stands_for, 200U);
}

TEST(Domains, TheOneThatAListForgetsIsFound) {
  ManyDomains migration(200, {.at = 149, .is_without_route = true, .list_of = 30});
  migration.everybody(200);
  expect_told(migration.proof(), "mail for user@d149.test", "user@d0.test");
  EXPECT_EQ(account_classes(migration.graph).subjects.size(), 2U);
}

TEST(Domains, AListThatIsAskedForTheAddressIsAQuestionOfEach) {
  Migration migration(in_front({{"contains(['zoe@legacy.test', 'x@legacy.test'], rcpt)", "'mx'"}}));
  migration.exact_for({"alice@legacy.test", "zoe@legacy.test"});
  const std::string proof = migration.proof();
  EXPECT_NE(proof.find("mail for zoe@legacy.test is sent to the public MX"), std::string::npos)
      << proof;
}

TEST(Domains, TheOneThatRefusesWhoHasNotMovedIsFound) {
  ManyDomains migration(200, {149, false, true});
  migration.everybody(200);
  expect_told(migration.proof(), "@d149.test", "@d0.test");
}

TEST(Domains, ThatAPatternAnswersAlikeAreOneClass) {
  ManyDomains migration(12, {11, false, true}, kPattern);
  migration.everybody(12);
  const std::string proof = migration.proof();
  EXPECT_NE(proof.find("@d11.test"), std::string::npos) << proof;
  EXPECT_EQ(account_classes(migration.graph).subjects.size(), 2U);
}

TEST(Domains, TheOneThatAPatternPicksIsFound) {
  ManyDomains migration(12, {}, {"matches('7[.]test$', rcpt_domain)", true});
  migration.everybody(12);
  expect_told(migration.proof(), "mail for user@d7.test is sent to the public MX", "user@d0.test");
  EXPECT_EQ(account_classes(migration.graph).subjects.size(), 2U);
}

TEST(Domains, APatternOverSendersIsAQuestionOfTheDomainToo) {
  ManyDomains alike(12, {}, {"matches('^x[.]', sender_domain)"});
  alike.everybody(12);
  EXPECT_EQ(alike.proof(), "proved");
  EXPECT_EQ(account_classes(alike.graph).subjects.size(), 1U);
  ManyDomains migration(12, {}, {"matches('7[.]test$', sender_domain)", true});
  migration.everybody(12);
  const std::string proof = migration.proof();
  EXPECT_NE(proof.find("mail for user@d0.test is sent to the public MX"), std::string::npos)
      << proof;
  EXPECT_EQ(account_classes(migration.graph).subjects.size(), 2U);
}

TEST(Domains, APatternBesideAnAddressIsAQuestionOfTheDomainToo) {
  ManyDomains migration(12, {},
                        {"matches('7[.]test$', rcpt_domain) && rcpt != 'user@d7.test'", true});
  migration.everybody(12);
  expect_told(migration.proof(), "@d7.test", "@d0.test");
}

TEST(Domains, AreEachTheirOwnWhereTheServerIsAskedForAPartOfTheirNames) {
  ManyDomains migration(12, {11, false, true}, kLookedUp);
  migration.everybody(12);
  const std::string proof = migration.proof();
  EXPECT_NE(proof.find("@d11.test"), std::string::npos) << proof;
  EXPECT_EQ(account_classes(migration.graph).subjects.size(), 12U);
}

TEST(Domains, AnAliasInTheOneWithTheHoleIsFound) {
  ManyDomains migration(8, {7, true, false});
  std::vector<std::string> names;
  for (std::size_t i = 1; i < 8; ++i) names.push_back("info@" + domain_name(i));
  migration.move("user@" + domain_name(0), names);
  expect_told(migration.proof(), "mail for info@d7.test", "info@d1.test");
}

TEST(Domains, AliasesOfSeveralDomainsAreProved) {
  ManyDomains migration(3);
  migration.move("user@d0.test", {"user@d1.test", "user@d2.test"});
  EXPECT_EQ(migration.proof(), "proved");
}

TEST(Domains, AnExpressionThatNamesAnAccountMakesItUnlikeTheOthers) {
  Migration migration(in_front({{"rcpt == 'zoe@legacy.test'", "'mx'"}}));
  migration.exact_for({"alice@legacy.test", "bob@legacy.test", "zoe@legacy.test"});
  const std::string proof = migration.proof();
  EXPECT_NE(proof.find("mail for zoe@legacy.test is sent to the public MX"), std::string::npos)
      << proof;
}

TEST(Domains, AnAccountThatAPatternPicksIsFound) {
  Migration migration(in_front({{"matches('^z[a-z]+@', rcpt)", "'mx'"}}));
  migration.exact_for({"alice@legacy.test", "bob@legacy.test", "zoe@legacy.test"});
  expect_told(migration.proof(), "mail for zoe@legacy.test is sent to the public MX",
              "mail for alice@legacy.test");
}

TEST(Domains, APatternThatEndsInADomainIsAQuestionOfThatOne) {
  ManyDomains migration(12, {}, {"matches('^[a-z]+@d7[.]test$', rcpt)", true});
  migration.everybody(12);
  expect_told(migration.proof(), "mail for user@d7.test is sent to the public MX", "user@d0.test");
  EXPECT_EQ(account_classes(migration.graph).subjects.size(), 2U);
  // A part of a larger question: of that one, too.
  ManyDomains inside(12, {}, {"!matches('^[a-z]+@d7[.]test$', rcpt) && rcpt_domain == 'd7.test'"});
  inside.everybody(12);
  EXPECT_EQ(inside.proof(), "proved");
  EXPECT_EQ(account_classes(inside.graph).subjects.size(), 2U);
}

TEST(Domains, AccountsBeyondWhatPatternsMayCostAreLeftOut) {
  ManyDomains migration(20, {}, {"matches('[a-z]*[.]tes.$', rcpt)"});
  migration.everybody(20);
  ASSERT_EQ(migration.graph.freeze(), std::nullopt);
  EXPECT_EQ(account_classes(migration.graph).left_out.accounts, 0U);
  ProofLimits limits;
  limits.pattern_work_max = 1'000;
  const Classes classes = account_classes(migration.graph, limits);
  EXPECT_GT(classes.left_out.accounts, 10U);
  EXPECT_LT(classes.left_out.accounts, 20U);
}

TEST(Domains, AQuestionThatTheServerAnswersMakesEachAddressItsOwn) {
  Migration migration(in_front({{"matches('^z', key_get('migrated', rcpt))", "'mx'"}}));
  migration.exact_for({"alice@legacy.test", "bob@legacy.test", "zoe@legacy.test"});
  ASSERT_EQ(migration.graph.freeze(), std::nullopt);
  EXPECT_EQ(account_classes(migration.graph).subjects.size(), 3U);
}

TEST(Domains, AListOfAnotherDomainReachesItsMembers) {
  ManyDomains migration(3);
  migration.everybody(3);
  migration.step("list", StepKind::admin_list, Stage::waves,
                 {"moved user@d0.test", "moved user@d1.test"},
                 Value::map({{"address", "list@d2.test"},
                             {"members", addresses({"user@d0.test", "user@d1.test"})}}));
  EXPECT_EQ(migration.proof(), "proved");
}

TEST(Domains, AListInTheDomainWithTheHoleIsFound) {
  ManyDomains migration(3, {2, true, false});
  migration.move("user@d0.test");
  migration.step(
      "list", StepKind::admin_list, Stage::waves, {"moved user@d0.test"},
      Value::map({{"address", "list@d2.test"}, {"members", addresses({"user@d0.test"})}}));
  EXPECT_NE(migration.proof().find("mail for list@d2.test"), std::string::npos);
}

TEST(Domains, WhoIsBehindTheBoundIsTold) {
  ManyDomains migration(8, {}, kLookedUp);
  migration.everybody(8);
  ASSERT_EQ(migration.graph.freeze(), std::nullopt);
  ProofLimits limits;
  limits.subjects_max = 6;
  const Proof proof = prove(migration.graph, nullptr, limits);
  EXPECT_EQ(proof.left_out.accounts, 2U);
  EXPECT_EQ(proof.left_out.domains, 2U);
  EXPECT_EQ(proof.left_out.examples, (std::vector<std::string>{"user@d6.test", "user@d7.test"}));
  limits.work_max = 1;
  const Proof less = prove(migration.graph, nullptr, limits);
  EXPECT_EQ(less.left_out.accounts, 7U);
  EXPECT_EQ(less.left_out.domains, 7U);
}

TEST(Domains, OneThatIsBehindBothBoundsIsCountedOnce) {
  ManyDomains migration(8, {}, kLookedUp);
  migration.everybody(8);
  migration.move("zoe@d1.test", {"z@d1.test"});
  ASSERT_EQ(migration.graph.freeze(), std::nullopt);
  ProofLimits limits;
  limits.subjects_max = 6;
  limits.work_max = 1;
  const Proof proof = prove(migration.graph, nullptr, limits);
  EXPECT_EQ(proof.left_out.accounts, 8U);
  EXPECT_EQ(proof.left_out.domains, 7U);
}

TEST(Domains, OfAClassThatIsLeftOutAllAreCounted) {
  ManyDomains migration(8);
  migration.everybody(8);
  ASSERT_EQ(migration.graph.freeze(), std::nullopt);
  ProofLimits limits;
  limits.work_max = 0;
  const Proof proof = prove(migration.graph, nullptr, limits);
  EXPECT_EQ(proof.left_out.accounts, 8U);
  EXPECT_EQ(proof.left_out.domains, 8U);
}

TEST(Domains, TheFifthKindOfListIsLookedAtInTurn) {
  Migration migration;
  migration.exact();
  for (int i = 0; i < 5; ++i) {
    migration.step(fmt::format("list{}", i), StepKind::admin_list, Stage::waves, {"forward"},
                   Value::map({{"address", fmt::format("list{}@legacy.test", i)},
                               {"members", addresses({"alice@legacy.test"})}}));
  }
  ASSERT_EQ(migration.graph.freeze(), std::nullopt);
  const Classes classes = account_classes(migration.graph);
  ASSERT_EQ(classes.subjects.size(), 2U);
  EXPECT_EQ(classes.subjects[0].lists.size(), 4U);
  EXPECT_EQ(classes.subjects[1].lists.size(), 1U);
  EXPECT_TRUE(prove(migration.graph).found.empty());
}

}  // namespace
}  // namespace plan::flow
