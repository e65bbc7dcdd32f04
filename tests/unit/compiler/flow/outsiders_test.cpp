// Mail for domains that the plan does not move, where conditions of its routes are about them.
#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "tests/unit/compiler/flow/small_migration.h"

namespace plan::flow {
namespace {

MailFacts facts_with(std::shared_ptr<const schema::MtaContainer> route_before = {}) {
  auto names = std::make_shared<MeasuredNames>();
  names->target_domains = {"new.org"};
  names->target_addresses = {"ada@new.org", "boss@new.org"};
  names->source_domains = {"legacy.test", "stays.test"};
  names->route_before = std::move(route_before);
  MailFacts facts;
  facts.measured = std::move(names);
  return facts;
}

Migration with_condition(const std::string& condition, const std::string& route) {
  Migration migration(in_front({{condition, route}}), true);
  migration.exact();
  return migration;
}

TEST(Outsiders, WhoLivesOnTheTargetAlone) {
  const std::vector<std::pair<std::string, std::string>> named = {
      {"rcpt_domain == 'new.org'", "ada@new.org"},
      {"contains(['old.org', 'new.org'], rcpt_domain)", "ada@new.org"},
      {"rcpt == 'boss@new.org'", "boss@new.org"},
      {"matches('^boss@new[.]org$', rcpt)", "boss@new.org"},
      {"ends_with(rcpt_domain, '.org')", "ada@new.org"},
      {"rcpt_domain != 'legacy.test' && rcpt_domain != 'only-on-the-target.test' && "
       "is_local_domain(rcpt_domain)",
       "ada@new.org"}};
  for (const auto& [condition, who] : named) {
    for (const char* const route : {"'source'", "'mx'"}) {
      Migration migration = with_condition(condition, route);
      EXPECT_TRUE(finds(
          migration,
          fmt::format("mail for a domain that lives only on the target is sent away from it\n"
                      "  prepared: a message to {} at target:25\n"
                      "  -> target routes {} by `{}` (`if` 0 of MtaOutboundStrategy.route: {})",
                      who, who, std::string_view(route) == "'mx'" ? "mx" : "source", condition),
          false, facts_with()))
          << condition;
    }
    Migration kept = with_condition(condition, "'local'");
    if (condition.starts_with("ends_with")) continue;  // other domains would be kept as well
    if (condition.starts_with("contains")) continue;
    EXPECT_TRUE(proof_of(kept, facts_with()).found.empty()) << condition;
  }
  Migration of_nobody = with_condition("rcpt == 'nobody@new.org'", "'source'");
  EXPECT_TRUE(proof_of(of_nobody, facts_with()).found.empty());
}

TEST(Outsiders, WhoLivesElsewhere) {
  for (const char* const condition :
       {"rcpt_domain == 'partner.test'", "rcpt == 'eva@partner.test'",
        "matches('@partner[.]test$', rcpt)", "ends_with(rcpt_domain, '.partner.test')"}) {
    for (const char* const route : {"'source'", "'local'"}) {
      Migration migration = with_condition(condition, route);
      const Proof proof = proof_of(migration, facts_with());
      // Whether the source relays it nobody has measured; the target is known not to have it.
      const bool is_to_source = std::string_view(route) == "'source'";
      EXPECT_TRUE(has(proof, "mail to another domain ends as: bounced\n", is_to_source))
          << condition << route;
      for (const Counterexample& one : proof.found) {
        EXPECT_EQ(one.what, is_to_source ? "relayed" : "foreign") << to_text(one);
        EXPECT_EQ(one.is_supposed, is_to_source) << to_text(one);
        EXPECT_EQ(one.letter.entry, Entry::target_submission) << to_text(one);
        EXPECT_NE(one.letter.recipient.find("partner.test"), std::string::npos);
      }
    }
    Migration leaves = with_condition(condition, "'mx'");
    EXPECT_TRUE(proof_of(leaves, facts_with()).found.empty()) << condition;
  }
}

TEST(Outsiders, WhoStaysAtTheSource) {
  Migration migration = with_condition("rcpt_domain == 'stays.test'", "'source'");
  EXPECT_TRUE(proof_of(migration, facts_with()).found.empty());
  Migration kept = with_condition("rcpt_domain == 'stays.test'", "'local'");
  EXPECT_TRUE(finds(kept, "mail to another domain ends as: bounced\n", false, facts_with()));
}

TEST(Outsiders, WhomTheTargetSentThatWayBefore) {
  const std::string condition = "rcpt_domain == 'partner.test'";
  for (const bool is_before : {false, true}) {
    Migration migration = with_condition(condition, "'local'");
    const test::Arms own = {{"is_local_domain(rcpt_domain)", "'local'"}};
    test::Arms before = own;
    if (is_before) before.insert(before.begin(), {condition, "'local'"});
    EXPECT_EQ(proof_of(migration, facts_with(test::route(before))).found.empty(), is_before);
  }
}

TEST(Outsiders, OfEachRouteOneIsTried) {
  test::Arms arms;
  for (int i = 0; i < 200; ++i)
    arms.emplace_back(fmt::format("rcpt_domain == 'd{}.test'", i), "'provider'");
  arms.emplace_back("rcpt_domain == 'partner.test'", "'source'");
  Migration migration(in_front(arms), true);
  migration.exact();
  EXPECT_TRUE(finds(migration, "a message to somebody@partner.test at target submission", true,
                    facts_with()));
}

TEST(Outsiders, WhoSendsFromTheTargetWhileItIsPrepared) {
  for (const bool is_domain_last : {false, true}) {
    for (const bool has_users : {false, true}) {
      Migration migration(test::kExact, is_domain_last);
      migration.exact();
      const Proof proof = proof_of(migration, has_users ? facts_with() : MailFacts());
      EXPECT_EQ(proof.found.empty(), is_domain_last || !has_users);
      for (const Counterexample& one : proof.found) {
        EXPECT_EQ(one.what, "unready") << to_text(one);
        EXPECT_EQ(one.claim,
                  "mail for alice@legacy.test is bounced while the target is prepared, where users "
                  "like ada@new.org send already");
        EXPECT_EQ(one.phase, "being prepared");
        EXPECT_EQ(one.letter.entry, Entry::target_submission);
        EXPECT_EQ(one.done, std::vector<std::string>{"domain"});
      }
    }
  }
}

TEST(Outsiders, WhatIsLookedAtWhileTheTargetIsPrepared) {
  Migration migration(test::kExact, true);
  migration.exact();
  ASSERT_EQ(migration.graph.freeze(), std::nullopt);
  for (const bool has_users : {false, true}) {
    std::set<LookedAt> looked_at;
    const Proof proof =
        prove(migration.graph, &looked_at, {}, has_users ? facts_with() : MailFacts());
    EXPECT_TRUE(proof.found.empty());
    for (const char* const phase : {"before", "being prepared"}) {
      for (const char* const whose :
           {"disabled account", "alias", "foreign domain", "domain of the target"}) {
        for (const Entry entry :
             {Entry::target_submission, Entry::target_local, Entry::target_queue}) {
          EXPECT_EQ(looked_at.contains({phase, entry, whose, ""}), has_users)
              << phase << ' ' << to_string(entry) << ' ' << whose;
        }
        EXPECT_FALSE(looked_at.contains({phase, Entry::target_25, whose, ""})) << phase << whose;
      }
    }
  }
}

TEST(Outsiders, WhoSendsFromTheTargetToAnAliasOfAnotherDomain) {
  Migration migration(test::kExact, true);
  migration.aliases = {"al@other.test"};
  // Nobody has said where its mail goes when it is a domain of the target.
  migration.step("domain-2", StepKind::admin_upsert, Stage::prepare, {},
                 Migration::object("Domain", {{"name", "other.test"}}, migration.domain_set));
  migration.exact();
  EXPECT_TRUE(finds(migration,
                    "mail for al@other.test is bounced while the target is prepared, where users "
                    "like ada@new.org send already\n"
                    "  being prepared: a message to al@other.test at target submission",
                    false, facts_with()));
}

TEST(Outsiders, WhoSendsFromTheTargetIsNoneOfThoseWhoMove) {
  auto names = std::make_shared<MeasuredNames>();
  names->target_domains = {"legacy.test"};
  names->target_addresses = {"alice@legacy.test"};
  MailFacts facts;
  facts.measured = std::move(names);
  Migration migration;
  migration.exact();
  EXPECT_TRUE(proof_of(migration, facts).found.empty());
}

}  // namespace
}  // namespace plan::flow
