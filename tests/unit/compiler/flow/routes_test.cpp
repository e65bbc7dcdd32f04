// Questions about one message: who is asked about, and where everybody else is meanwhile.
#include <gtest/gtest.h>

#include <algorithm>

#include "compiler/flow/routes.h"
#include "compiler/source/source_set.h"
#include "tests/unit/compiler/flow/small_migration.h"

namespace plan::flow {
namespace {

/// Two accounts, the second after the first, and a list of both; finalized with the plain route.
Migration two_of_a_list(bool is_transaction = false) {
  Migration migration;
  migration.is_transaction = is_transaction;
  migration.exact();
  const ir::StepId first = migration.steps.at("forward");
  migration.next_account("bob@legacy.test");
  migration.exact();
  migration.graph.add_edge(first, migration.steps.at("create"));
  migration.step("list", StepKind::admin_list, Stage::waves, {"forward"},
                 Value::map({{"address", "all@legacy.test"},
                             {"members", addresses({"alice@legacy.test", "bob@legacy.test"})}}));
  migration.finalize({"list"});
  return migration;
}

/// "source, target": the ends of one message to that address, in the order of their names.
std::string ends(const ir::StepGraph& graph, Entry entry, const std::string& to,
                 const std::string& account, const std::string& when) {
  const RouteAnswer answer = route_of(graph, {{entry, to}, account, when});
  if (!answer.problem.empty()) return answer.problem;
  std::vector<std::string_view> words;
  for (const Delivery& delivery : answer.deliveries) words.push_back(end_word(delivery.fate));
  std::sort(words.begin(), words.end());
  std::string text;
  for (const std::string_view word : words) text += (text.empty() ? "" : ", ") + std::string(word);
  return text;
}

TEST(Routes, OfNobodysAddressSaysWhatIsMissing) {
  Migration migration = two_of_a_list();
  ASSERT_EQ(migration.graph.freeze(), std::nullopt);
  const auto problem = [&](const std::string& to, const std::string& account) {
    return route_of(migration.graph, {{Entry::target_25, to}, account, "moved"}).problem;
  };
  const std::string hint =
      "; `account` says whose move it is when mail to somebody else is asked about";
  EXPECT_EQ(problem("postmaster@elsewhere.test", ""),
            "the plan moves no account `postmaster@elsewhere.test`" + hint);
  EXPECT_EQ(problem("alcie@legacy.test", ""), "the plan moves no account `alcie@legacy.test`" +
                                                  hint + "; did you mean `alice@legacy.test`?");
  EXPECT_EQ(problem("ALL@legacy.test", ""),
            "the plan moves no account `ALL@legacy.test`, which is a list; `account` says whose "
            "move it is, one of its members");
  // The last row is looked at as well as the first.
  EXPECT_EQ(problem("all@legacy.test", "bobb@legacy.test"),
            "the plan moves no account `bobb@legacy.test`; did you mean `bob@legacy.test`?");
}

TEST(Routes, NobodysMoveIsAskedForWhereItIsTheSameWhoMoves) {
  Migration migration = two_of_a_list();
  ASSERT_EQ(migration.graph.freeze(), std::nullopt);
  for (const char* when : {"before", "prepared", "finalized", "closed"}) {
    for (const char* to : {"nobody@legacy.test", "all@legacy.test", "postmaster@elsewhere.test"}) {
      for (const Entry entry : {Entry::source_25, Entry::target_25, Entry::target_submission}) {
        const std::string found = ends(migration.graph, entry, to, "", when);
        EXPECT_EQ(found, ends(migration.graph, entry, to, "alice@legacy.test", when)) << to << when;
        EXPECT_EQ(found.find("the plan moves"), std::string::npos) << to << when << found;
      }
    }
  }
  const RouteAnswer answer =
      route_of(migration.graph, {{Entry::target_25, "alcie@legacy.test"}, "", "finalized"});
  EXPECT_EQ(answer.note,
            "the plan moves no account `alcie@legacy.test`; did you mean `alice@legacy.test`?");
}

TEST(Routes, AtTheEndEverybodyHasMoved) {
  Migration migration = two_of_a_list();
  ASSERT_EQ(migration.graph.freeze(), std::nullopt);
  for (const char* account : {"alice@legacy.test", "bob@legacy.test"}) {
    for (const Entry entry : {Entry::target_25, Entry::source_25}) {
      EXPECT_EQ(ends(migration.graph, entry, "all@legacy.test", account, "finalized"),
                "target, target")
          << account;
      EXPECT_EQ(ends(migration.graph, entry, "all@legacy.test", account, "closed"),
                "target, target")
          << account;
    }
    EXPECT_EQ(ends(migration.graph, Entry::target_25, "bob@legacy.test", account, "finalized"),
              "target");
  }
}

TEST(Routes, BeforeThatOthersAreWhereTheStepsInFrontHavePutThem) {
  Migration migration = two_of_a_list();
  ASSERT_EQ(migration.graph.freeze(), std::nullopt);
  EXPECT_EQ(ends(migration.graph, Entry::source_25, "all@legacy.test", "alice@legacy.test",
                 "account/alice@legacy.test/forward"),
            "source, target");
  EXPECT_EQ(ends(migration.graph, Entry::target_25, "alice@legacy.test", "bob@legacy.test",
                 "account/bob@legacy.test/create"),
            "target");
  EXPECT_EQ(ends(migration.graph, Entry::source_25, "all@legacy.test", "bob@legacy.test",
                 "account/bob@legacy.test/hold"),
            "source queue, target");
}

TEST(Routes, ThePictureSaysWhoHasNotMoved) {
  Migration migration = two_of_a_list();
  ASSERT_EQ(migration.graph.freeze(), std::nullopt);
  const std::vector<DrawnRoute> routes = drawn_routes(migration.graph, false);
  std::size_t at_the_end = 0;
  for (const DrawnRoute& route : routes) {
    const bool is_moving = route.phase == "created" || route.phase == "held";
    if (is_moving && route.account == "alice@legacy.test") {
      EXPECT_EQ(route.not_moved, std::vector<std::string>{"bob@legacy.test"}) << route.phase;
    }
    if (route.phase != "finalized") continue;
    EXPECT_TRUE(route.not_moved.empty());
    if (route.letter.recipient != "all@legacy.test") continue;
    ++at_the_end;
    EXPECT_EQ(route.delivery.fate, Fate::target_mailbox);
  }
  EXPECT_EQ(at_the_end, 8U) << "two copies at each of four entries";
  const std::string text = routes_text(routes, SourceSet());
  EXPECT_NE(text.find("held: alice@legacy.test; not moved yet: bob@legacy.test\n"),
            std::string::npos)
      << text;
}

TEST(Routes, WhoIsGivenBackIsReadAtTheSourceAgain) {
  Migration migration = two_of_a_list(true);
  ASSERT_EQ(migration.graph.freeze(), std::nullopt);
  const std::string alice = "alice@legacy.test";
  for (const Entry entry : {Entry::target_25, Entry::source_25, Entry::source_submission}) {
    EXPECT_EQ(ends(migration.graph, entry, alice, alice, "rollback"), "source");
    // The list stays on the target, and bob has moved.
    EXPECT_EQ(ends(migration.graph, entry, "all@legacy.test", alice, "rollback"), "source, target");
  }
  EXPECT_NE(routes_text(drawn_routes(migration.graph, false), SourceSet())
                .find("\nrollback: alice@legacy.test\n"),
            std::string::npos);
  Migration without = two_of_a_list();
  ASSERT_EQ(without.graph.freeze(), std::nullopt);
  EXPECT_NE(ends(without.graph, Entry::target_25, alice, alice, "rollback").find("neither"),
            std::string::npos)
      << "no step is the first of a move";
}

TEST(Routes, TakeTagsOffAsTheSourceDoes) {
  Migration migration;
  migration.exact();
  ASSERT_EQ(migration.graph.freeze(), std::nullopt);
  const RouteQuestion question = {{Entry::source_25, "alice-x@legacy.test"}, "", "before"};
  const RouteAnswer of_nobody = route_of(migration.graph, question);
  ASSERT_EQ(of_nobody.deliveries.size(), 1U);
  EXPECT_EQ(of_nobody.deliveries[0].fate, Fate::refused) << "`-` begins no tag";
  MailFacts facts;
  facts.tag_delimiters = "+-";
  const RouteAnswer answer = route_of(migration.graph, question, facts);
  EXPECT_EQ(answer.problem, "");
  ASSERT_EQ(answer.deliveries.size(), 1U);
  EXPECT_EQ(answer.deliveries[0].fate, Fate::source_mailbox);
  EXPECT_EQ(answer.deliveries[0].mailbox, "alice@legacy.test");
}

TEST(Routes, WhatNobodyHasGoesToTheCatchAllOfTheSource) {
  Migration migration = two_of_a_list();
  ASSERT_EQ(migration.graph.freeze(), std::nullopt);
  MailFacts facts;
  const auto asked = [&](const std::string& to, const std::string& when) {
    std::string text;
    for (const Delivery& one :
         route_of(migration.graph, {{Entry::source_25, to}, "alice@legacy.test", when}, facts)
             .deliveries)
      text += std::string(text.empty() ? "" : ", ") + std::string(end_word(one.fate)) + " " +
              one.mailbox;
    return text;
  };
  const std::string nobody = "nobody@legacy.test";
  EXPECT_EQ(asked(nobody, "before"), "refused ");
  facts.catch_alls["legacy.test"] = {"bob@legacy.test"};
  EXPECT_EQ(asked(nobody, "before"), "source bob@legacy.test");
  EXPECT_EQ(asked(nobody, "account/bob@legacy.test/forward"), "target bob@legacy.test")
      << "bob is followed as far as he has moved";
  facts.catch_alls["legacy.test"] = {"zoe@legacy.test", "out@elsewhere.test"};
  EXPECT_EQ(asked(nobody, "moved"), "source zoe@legacy.test, outside out@elsewhere.test");
  EXPECT_EQ(asked("alice@legacy.test", "before"), "source alice@legacy.test");

  bool is_drawn = false;
  for (const DrawnRoute& route : drawn_routes(migration.graph, false, facts)) {
    is_drawn = is_drawn || (route.phase == "before" && route.letter.entry == Entry::source_25 &&
                            route.letter.recipient.starts_with("no-such-address@") &&
                            route.delivery.mailbox == "zoe@legacy.test");
  }
  EXPECT_TRUE(is_drawn);
}

}  // namespace
}  // namespace plan::flow
