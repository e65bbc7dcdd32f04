#include "runtime/server/source/strays.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "compiler/source/text.h"
#include "tests/support/fake_host.h"

namespace plan::server::source {
namespace {

using ir::Value;
using Folders = std::set<std::string>;
using Names = std::vector<std::string>;

std::string listing_of(const Names& folders) {
  std::string listing;
  for (const std::string& folder : folders) listing.append(folder).push_back('\0');
  return listing;
}

/// As doveadm 2.3 prints them: nothing tells where one user ends, and one whom it does not know is
/// in it with the words of an error.
TEST(ToldPlaces, AreTheOutermostFoldersThatAreOneAccountsAlone) {
  const ToldPlaces told = told_places(
      "field\tvalue\nuid\t5000\ngid\t5000\nhome\t/var/vmail/e.test/alice\n"
      "mail\tmaildir:~/Maildir:LAYOUT=fs\n"
      "uid\t5000\ngid\t5000\nhome\t/var/vmail//e.test/bob/\nmail\tmdbox:~/mdbox\n\n\n"
      "userdb lookup: user gone@e.test doesn't exist\n\n"
      "uid\t5000\ngid\t5000\nhome\t/var/mail/e.test/carol/home\n"
      "mail\tmaildir:/var/mail/e.test/carol\n"
      "uid\t5000\ngid\t5000\nhome\t/home/dave\nmail\tmaildir:/srv/mail/e.test/dave/\n"
      "uid\t5000\ngid\t5000\nhome\t/home/erin\nmail\t\n"
      "uid\t5000\ngid\t5000\nmail\tmbox:/srv/spool/frank:INDEX=MEMORY\n");
  EXPECT_EQ(told.folders, (Folders{"/home/erin", "/srv/mail/e.test/dave", "/srv/spool/frank",
                                   "/var/mail/e.test/carol", "/var/vmail/e.test/alice",
                                   "/var/vmail/e.test/bob"}));
  EXPECT_EQ(told.accounts, 6U);
}

TEST(ToldPlaces, AHomeOfAllAccountsIsNoAccounts) {
  const ToldPlaces told = told_places(
      "home\t/var/vmail\nmail\tmaildir:/var/vmail/alice\nhome\t/var/vmail\n"
      "mail\tmaildir:/var/vmail/bob\nhome\t/var/vmail\nmail\t\n");
  EXPECT_EQ(told.folders, (Folders{"/var/vmail/alice", "/var/vmail/bob"}));
  EXPECT_EQ(told.accounts, 2U);
}

TEST(ToldPlaces, NeedAnAbsolutePath) {
  const ToldPlaces told = told_places(
      "home\tvmail\nmail\tmaildir:~/Maildir\nhome\t/\nmail\tmaildir:Maildir\nmail\timapc:\n"
      "mail\n\n");
  EXPECT_EQ(told.folders, Folders{});
  EXPECT_EQ(told.accounts, 0U);
}

TEST(ParentsOf, AreAboveTheDomainWhereAFolderHasItsName) {
  using Parents = std::map<std::string, std::size_t>;
  EXPECT_EQ(parents_of({"/var/vmail/e.test/alice", "/var/vmail/o.test/bob"}, {"e.test", "o.test"}),
            (Parents{{"/var/vmail", 2}}));
  EXPECT_EQ(parents_of({"/var/vmail/v1/E.test/a/l/alice-2009"}, {"e.test"}),
            (Parents{{"/var/vmail/v1", 4}}));
  EXPECT_EQ(parents_of({"/home/alice", "/home/bob"}, {"e.test"}), (Parents{{"/home", 1}}));
  EXPECT_EQ(parents_of({"/srv/e.test"}, {"e.test"}), (Parents{{"/srv", 1}}));
  EXPECT_EQ(parents_of({"/alice", "/e.test"}, {"e.test"}), Parents{})
      << "beside it are the folders of the machine";
  EXPECT_EQ(parents_of({"/e.test/alice"}, {"e.test"}), (Parents{{"/e.test", 1}}));
}

TEST(FoldersOfNobody, AreTheOuterOnesOfThoseWithoutAnAccount) {
  const Folders own = {"/v/e.test/alice", "/v/e.test/bob", "/v/o.test/h/carol"};
  EXPECT_EQ(
      folders_of_nobody(
          own, listing_of({"/v/_garbage", "/v/_garbage/1_alice", "/v/e.test", "/v/e.test/alice",
                           "/v/e.test/alice/Maildir", "/v/e.test/bob", "/v/e.test/bobby",
                           "/v/e.test/gone", "/v/gone.test x", "/v/gone.test", "/v/gone.test/dave",
                           "/v/o.test", "/v/o.test/h", "/v/o.test/h/carol", "/v/o.test/x"})),
      (Names{"/v/_garbage", "/v/e.test/bobby", "/v/e.test/gone", "/v/gone.test", "/v/gone.test x",
             "/v/o.test/x"}));
  EXPECT_EQ(folders_of_nobody(own, ""), Names{});
  EXPECT_EQ(folders_of_nobody(own, listing_of({"find: no", "", "/v/e.test/alice"})), Names{});
}

/// A Dovecot whose doveadm, find and sh answer as they are told.
class MeasureStrays : public testing::Test {
 protected:
  MeasureStrays() {
    host_.program = [this](const Names& arguments, const std::string&) {
      net::CommandResult result;
      if (arguments.front() == "doveadm") {
        for (const std::string& name : arguments) {
          if (name.ends_with("@e.test") && name != untold)
            result.output += "uid\t1\nhome\t/v/e.test/" + name.substr(0, name.find('@')) +
                             "\nmail\tmaildir:~/Maildir\n";
        }
      } else if (arguments.front() == "find") {
        result.output = listing_of(there);
        result.exit_code = find_exit_code;
        result.errors = "find: /v/x: Permission denied\n";
      } else {
        EXPECT_EQ(arguments[4], "7") << "two levels to a home, five to a message";
        Names held;
        for (auto one = arguments.begin() + 5; one < arguments.end(); ++one) {
          if (one->find("empty") == std::string::npos) held.push_back(*one);
        }
        result.output = listing_of(held);
      }
      return result;
    };
    Block block;
    block.address = "203.0.113.20";
    source_ = std::make_unique<Source>(std::move(block), host_, net::system_clock());
  }

  Value measure(const Names& users) { return measure_strays(*source_, users, {"e.test"}); }

  test::FakeHost host_;
  std::unique_ptr<Source> source_;
  Names there = {"/v/e.test", "/v/e.test/alice"};
  std::string untold = {};
  int find_exit_code = 0;
};

TEST_F(MeasureStrays, CountsThoseThatHoldMessagesAndNamesTheFirst) {
  there.insert(there.end(), {"/v/e.test/empty", "/v/e.test/gone", "/v/_garbage"});
  const Value measured = measure({"alice@e.test"});
  ASSERT_EQ(measured.size(), 2U);
  EXPECT_EQ(measured.item(0)["what"], Value("source/strays"));
  EXPECT_EQ(measured.item(0)["value"], Value(2));
  EXPECT_EQ(measured.item(1)["what"], Value("source/strays/first"));
  EXPECT_EQ(measured.item(1)["value"], Value::list({"/v/_garbage", "/v/e.test/gone"}));
}

TEST_F(MeasureStrays, NoneIsAnAnswer) {
  const Value measured = measure({"alice@e.test"});
  ASSERT_EQ(measured.size(), 2U);
  EXPECT_EQ(measured.item(0)["value"], Value(0));
  EXPECT_EQ(measured.item(1)["value"].size(), 0U);
}

TEST_F(MeasureStrays, ManyAreCountedAndTwentyNamed) {
  for (int number = 0; number < 3000; ++number)
    there.push_back("/v/e.test/gone" + std::to_string(number));
  const Value measured = measure({"alice@e.test"});
  ASSERT_EQ(measured.size(), 2U);
  EXPECT_EQ(measured.item(0)["value"], Value(2000));
  EXPECT_NE(measured.item(0)["how"].as_string().find("the first 2,000 of 3,000"),
            std::string::npos);
  EXPECT_EQ(measured.item(1)["value"].size(), 20U);
  for (const Names& command : host_.commands) EXPECT_LE(command.size(), 210U);
  EXPECT_LE(host_.commands.size(), 1U + 1U + 10U);
}

TEST_F(MeasureStrays, WhatIsNamedLikeAnAccountMayBeThatOfOneWhoseHomeNobodyTells) {
  there.insert(there.end(), {"/v/e.test/bob", "/v/e.test/gone"});
  untold = "bob@e.test";
  const Value measured = measure({"alice@e.test", "bob@e.test"});
  ASSERT_EQ(measured.size(), 2U);
  EXPECT_EQ(measured.item(1)["value"], Value::list({"/v/e.test/gone"}));
  EXPECT_NE(measured.item(0)["how"].as_string().find("1 of 2 accounts"), std::string::npos);
}

TEST_F(MeasureStrays, WhatCannotBeToldIsNullWithTheReason) {
  untold = "alice@e.test";
  const Value measured = measure({"alice@e.test"});
  ASSERT_EQ(measured.size(), 1U);
  EXPECT_TRUE(measured.item(0)["value"].is_null());
  EXPECT_NE(measured.item(0)["how"].as_string().find("the home of none"), std::string::npos);
  untold.clear();
  find_exit_code = 1;
  EXPECT_NE(measure({"alice@e.test"}).item(0)["how"].as_string().find("Permission denied"),
            std::string::npos);
  host_.calls_until_cut = 2;
  const Value cut = measure({"alice@e.test"});
  ASSERT_EQ(cut.size(), 1U);
  EXPECT_TRUE(cut.item(0)["value"].is_null());
  EXPECT_EQ(measure({}).size(), 0U) << "nobody was asked for";
}

}  // namespace
}  // namespace plan::server::source
