#include "runtime/server/postfix/alias_table.h"

#include <gtest/gtest.h>

namespace plan::server::postfix {
namespace {

AliasTable table_of(std::string_view listing) {
  AliasTable table;
  table.add(listing, "legacy.test");
  return table;
}

using Names = std::vector<std::string>;

TEST(AliasTable, AnAddressThatReachesOneAccountIsItsAliasHoweverManyStepsItTakes) {
  const AliasTable table = table_of(
      "info@legacy.test\terin@legacy.test\nhelp@legacy.test\tinfo@legacy.test\nold\tErin\n"
      "team@legacy.test\talice@legacy.test, "
      "bob@legacy.test\nouter@legacy.test\tteam@legacy.test\nout@legacy.test\tx@else.test\n");
  const AliasRoles roles =
      roles_of(table, {"alice@legacy.test", "bob@legacy.test", "erin@legacy.test"});
  EXPECT_EQ(roles.aliases.at("erin@legacy.test"),
            (Names{"help@legacy.test", "info@legacy.test", "old@legacy.test"}));
  EXPECT_EQ(roles.aliases.size(), 1U);
  EXPECT_EQ(roles.lists.at("team@legacy.test"), (Names{"alice@legacy.test", "bob@legacy.test"}));
  EXPECT_EQ(roles.lists.at("outer@legacy.test"), (Names{"team@legacy.test"}))
      << "nested lists are not flattened";
  EXPECT_EQ(roles.lists.at("out@legacy.test"), (Names{"x@else.test"}))
      << "a foreign member makes a list";
}

TEST(AliasTable, AnAccountThatNamesItselfIsNoAliasAndOneThatNamesMoreIsAList) {
  const AliasTable table = table_of(
      "alice@legacy.test\talice@legacy.test\nbob@legacy.test\tbob@legacy.test,copy@else.test\nerin@"
      "legacy.test\tbob@legacy.test\n");
  const AliasRoles roles =
      roles_of(table, {"alice@legacy.test", "bob@legacy.test", "erin@legacy.test"});
  EXPECT_TRUE(roles.aliases.empty());
  EXPECT_EQ(roles.lists.count("alice@legacy.test"), 0U);
  EXPECT_EQ(roles.lists.at("bob@legacy.test"), (Names{"bob@legacy.test", "copy@else.test"}));
  EXPECT_EQ(roles.lists.at("erin@legacy.test"), (Names{"bob@legacy.test"}))
      << "an account whose mail goes elsewhere";
}

TEST(AliasTable, ACatchAllSwallowsAccountsWithoutAnEntryOfTheirOwn) {
  const AliasTable table =
      table_of("@legacy.test\tbob@legacy.test\nbob@legacy.test\tbob@legacy.test\n");
  const AliasRoles roles = roles_of(table, {"alice@legacy.test", "bob@legacy.test"});
  EXPECT_EQ(roles.catch_alls.at("@legacy.test"), (Names{"bob@legacy.test"}));
  EXPECT_EQ(roles.lists.at("alice@legacy.test"), (Names{"bob@legacy.test"}));
  EXPECT_EQ(roles.lists.count("bob@legacy.test"), 0U);
}

TEST(AliasTable, ADomainThatStandsForAnotherGivesEveryAddressATwin) {
  const AliasTable table = table_of(
      "@old.test\t@legacy.test\ninfo@legacy.test\talice@legacy.test\nsales@old.test\tbob@legacy."
      "test\n");
  const AliasRoles roles = roles_of(table, {"alice@legacy.test", "bob@legacy.test"});
  EXPECT_EQ(roles.domain_aliases.at("@old.test"), "@legacy.test");
  EXPECT_EQ(roles.aliases.at("alice@legacy.test"),
            (Names{"alice@old.test", "info@legacy.test", "info@old.test"}));
  EXPECT_EQ(roles.aliases.at("bob@legacy.test"), (Names{"bob@old.test", "sales@old.test"}));
}

TEST(AliasTable, LoopsAndHugeExpansionsEnd) {
  std::string listing = "a@x.test\tb@x.test\nb@x.test\ta@x.test\n";
  for (int number = 0; number < 300; ++number) {
    listing +=
        "c" + std::to_string(number) + "@x.test\tc" + std::to_string(number + 1) + "@x.test\n";
  }
  const AliasTable table = table_of(listing);
  EXPECT_TRUE(table.resolve("a@x.test").empty());
  EXPECT_TRUE(table.resolve("c0@x.test").empty()) << "deeper than the bound";
  EXPECT_EQ(table.resolve("c299@x.test"), (std::set<std::string>{"c300@x.test"}));
}

TEST(AliasTable, TheTagIsDroppedWhenTheWholeAddressHasNoEntry) {
  const AliasTable table = table_of("info@legacy.test\terin@legacy.test\n");
  EXPECT_EQ(table.resolve("info+x@legacy.test"), (std::set<std::string>{"erin@legacy.test"}));
}

TEST(AliasTable, RightSidesAreSplitByCommasAndBlanksOutsideQuotes) {
  EXPECT_EQ(split_members(" a@x, b@x\tc@x ,, \"d, e\"@x "),
            (Names{"a@x", "b@x", "c@x", "\"d, e\"@x"}));
  EXPECT_EQ(split_members("\"unclosed, b"), (Names{"\"unclosed, b"}));
  EXPECT_TRUE(split_members(" , ").empty());
}

}  // namespace
}  // namespace plan::server::postfix
