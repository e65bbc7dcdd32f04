// What a review says of accounts, aliases and lists that came and went at the source since the lock
// was written.
#include "runtime/command/source_names.h"

#include <gtest/gtest.h>

#include <map>

#include "runtime/server/source/source.h"
#include "runtime/server/source/survey.h"
#include "tests/support/fake_host.h"

namespace plan::command {
namespace {

using ir::Value;
using Lines = std::vector<std::string>;

Value document(const char* address, const char* member, ir::List names) {
  return Value::map({{"address", address}, {member, std::move(names)}});
}

/// Two accounts and a list, as the lock has them, and a plan that moves them.
class NamesOfTheSource : public ::testing::Test {
 protected:
  void SetUp() override {
    const Value account = ir::OutputRef{"$row", "account"};
    const auto create = plan_.graph.add_shape({ir::StepKind::admin_account,
                                               ir::Stage::waves,
                                               ir::TransactionRole::none,
                                               "account/{}/create",
                                               Value::map({{"account", account}}),
                                               {}});
    const auto release = plan_.graph.add_shape({ir::StepKind::proxy_release,
                                                ir::Stage::waves,
                                                ir::TransactionRole::commit,
                                                "account/{}/release",
                                                Value::map({{"account", account}}),
                                                {}});
    const auto list = plan_.graph.add_shape({ir::StepKind::admin_list,
                                             ir::Stage::waves,
                                             ir::TransactionRole::none,
                                             "list/{}",
                                             Value::map({{"address", ir::OutputRef{"$row", "a"}}}),
                                             {}});
    for (const char* address : {"alice@x.test", "bob@x.test"}) {
      const ir::RowId row = plan_.graph.add_row(address, Value::map({{"account", address}}), {});
      const ir::StepId made = plan_.graph.add_step(create, row, ir::WaveId::none);
      commits_[address] = plan_.graph.add_step(release, row, ir::WaveId::none);
      plan_.graph.add_edge(made, commits_[address]);
      facts::LockAccount known;
      known.address = address;
      if (known.address == "alice@x.test") known.aliases = {"info@x.test", "sales@x.test"};
      lock_.accounts.push_back(std::move(known));
    }
    const ir::RowId row =
        plan_.graph.add_row("team@x.test", Value::map({{"a", "team@x.test"}}), {});
    list_ = plan_.graph.add_step(list, row, ir::WaveId::none);
    facts::LockList team;
    team.address = "team@x.test";
    team.members = {"alice@x.test", "bob@x.test"};
    lock_.lists.push_back(std::move(team));
    ASSERT_FALSE(plan_.graph.freeze().has_value());
  }

  NameChanges compare(ir::List accounts, ir::List lists) const {
    return compare_names(
        plan_, lock_, Value::map({{"accounts", std::move(accounts)}, {"lists", std::move(lists)}}));
  }
  void is_over(ir::StepId step) {
    plan_.observations[static_cast<std::uint32_t>(step)].standing = ir::Standing::satisfied;
  }

  const Value alice_ = document("alice@x.test", "aliases", {"sales@x.test", "info@x.test"});
  const Value bob_ = document("Bob@x.test", "aliases", {});
  const Value team_ = document("team@x.test", "members", {"bob@x.test", "alice@x.test"});
  ir::SavedPlan plan_ = {};
  facts::Lock lock_ = {};
  std::map<std::string, ir::StepId> commits_ = {};
  ir::StepId list_ = {};
};

TEST_F(NamesOfTheSource, ThatAreAsTheyWereSayNothing) {
  const NameChanges same = compare({bob_, alice_}, {team_});
  EXPECT_EQ(same.drift, Lines());
  EXPECT_EQ(same.remarks, Lines());
}

TEST_F(NamesOfTheSource, AnAccountAnAliasAndAMemberThatAreGoneAreDrift) {
  const NameChanges gone = compare({document("alice@x.test", "aliases", {"info@x.test"})},
                                   {document("team@x.test", "members", {"alice@x.test"})});
  EXPECT_EQ(gone.drift, (Lines{"alias sales@x.test of alice@x.test is not at the source any more",
                               "account bob@x.test is not among the source's accounts any more",
                               "member bob@x.test of team@x.test is not at the source any more"}));
  EXPECT_EQ(compare({alice_, bob_}, {}).drift,
            Lines{"list team@x.test is not at the source any more"});
}

TEST_F(NamesOfTheSource, ANewAliasOfAnAccountThatMovesIsDrift) {
  EXPECT_EQ(compare({alice_, document("bob@x.test", "aliases", {"robert@x.test"})}, {team_}).drift,
            Lines{"alias robert@x.test of bob@x.test is new at the source since `plan fetch`"});
}

TEST_F(NamesOfTheSource, ANewAccountOfADomainThatMovesIsARemark) {
  const NameChanges fresh = compare({alice_, bob_, document("carol@x.test", "aliases", {}),
                                     document("dave@elsewhere.test", "aliases", {})},
                                    {team_});
  EXPECT_EQ(fresh.drift, Lines());
  EXPECT_EQ(fresh.remarks, Lines{"account carol@x.test is new at the source since `plan fetch`; "
                                 "this plan does not move it"});
}

TEST_F(NamesOfTheSource, WhatHasMovedMayGo) {
  is_over(commits_["bob@x.test"]);
  is_over(list_);
  const NameChanges after = compare({alice_}, {});
  EXPECT_EQ(after.drift, Lines());
  EXPECT_EQ(after.remarks, Lines());
}

TEST_F(NamesOfTheSource, WhatAReviewHasShownIsNoNews) {
  NameChanges gone = compare({alice_}, {team_});
  ASSERT_EQ(gone.drift.size(), 1U);
  EXPECT_EQ(since_review(plan_, gone).drift, gone.drift);
  plan_.notes = gone.drift;
  EXPECT_EQ(since_review(plan_, gone).drift, Lines());
}

TEST_F(NamesOfTheSource, ManyAreCounted) {
  ir::List accounts = {alice_, bob_};
  for (int i = 0; i < 25; ++i)
    accounts.push_back(document(("n" + std::to_string(i) + "@x.test").c_str(), "aliases", {}));
  const Lines remarks = compare(std::move(accounts), {team_}).remarks;
  ASSERT_EQ(remarks.size(), 21U);
  EXPECT_EQ(remarks.back(), "and 5 more");
}

TEST(SurveyNames, ReadsTheUsersFileAndTheAliasMapsAndOpensNoMailbox) {
  test::FakeHost host;
  host.files["/etc/dovecot/users"] = "alice:{PLAIN}x\nbob@x.test:{PLAIN}y\n";
  host.program = [](const std::vector<std::string>& words, const std::string&) {
    const std::string& last = words.back();
    net::CommandResult result;
    if (last == "auth_default_realm" || last == "myorigin") result.output = "x.test\n";
    if (last == "virtual_alias_maps") result.output = "hash:/etc/postfix/virtual\n";
    if (last == "recipient_delimiter") result.output = "+\n";
    if (last == "hash:/etc/postfix/virtual")
      result.output = "info@x.test\talice@x.test\nteam@x.test\talice@x.test, bob@x.test\n";
    return Result<net::CommandResult>(std::move(result));
  };
  server::source::Source source({.address = "10.9.0.2"}, host, net::system_clock());
  const auto names = server::source::survey_names(source);
  ASSERT_TRUE(names) << names.error().to_line();
  EXPECT_EQ(*names,
            Value::map({{"accounts", ir::List{document("alice@x.test", "aliases", {"info@x.test"}),
                                              document("bob@x.test", "aliases", {})}},
                        {"lists", ir::List{document("team@x.test", "members",
                                                    {"alice@x.test", "bob@x.test"})}}}));
  for (const auto& command : host.commands)
    EXPECT_NE(command.front(), "doveadm") << "no mailbox is opened for this";
}

}  // namespace
}  // namespace plan::command
