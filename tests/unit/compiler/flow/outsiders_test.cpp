// Mail for domains that the plan does not move, where conditions of its routes are about them.
#include <gtest/gtest.h>

#include <array>
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

/// As with_condition, where a step of no row writes this key into the set `partners`.
Migration with_key(const std::string& condition, const std::string& route, const std::string& key) {
  Migration migration = with_condition(condition, route);
  migration.step("key", StepKind::admin_upsert, Stage::prepare, {},
                 Migration::lookup_key("partners", key));
  return migration;
}

Migration with_relay_rule(const std::string& condition) {
  Migration migration(test::kExact, true);
  migration.step(
      "relay", StepKind::admin_update, Stage::prepare, {},
      Migration::object(
          "MtaStageRcpt", {},
          Value::map({{"allowRelaying", test::expression({{condition, "true"}}, "false")}})));
  migration.reload("reload-relay", Stage::prepare, {"relay"});
  migration.exact();
  return migration;
}

TEST(Outsiders, WhomTheRelayRuleNames) {
  const std::vector<std::pair<std::string, std::string>> named = {
      {"rcpt_domain == 'partner.test'", "somebody@partner.test"},
      {"contains(['a.test', 'partner.test'], rcpt_domain)", "somebody@a.test"},
      {"rcpt == 'eva@partner.test'", "eva@partner.test"},
      {"matches('@partner[.]test$', rcpt)", "partner.test"},
      {"rcpt_domain == 'partner.test' && sender_domain == 'friend.test'", "somebody@partner.test"},
      {"sender_domain == 'friend.test'", ""},
      {"matches('@friend[.]test$', sender)", ""},
      {"rcpt_domain != 'elsewhere.test'", ""},
      {"is_local_domain(sender_domain)", ""},
      {"rcpt_domain == 'partner.test' && is_local_domain(sender_domain)", "somebody@partner.test"},
      {"matches('^(.+)@partner[.]test$', rcpt) && $1 == 'eva'", "eva@partner.test"},
      {"is_tls || is_empty(authenticated_as)", ""}};
  for (const auto& [condition, who] : named) {
    Migration migration = with_relay_rule(condition);
    const Proof proof = proof_of(migration, facts_with());
    ASSERT_FALSE(proof.found.empty()) << condition;
    for (const Counterexample& one : proof.found) {
      EXPECT_EQ(one.what, "relay") << to_text(one);
      EXPECT_FALSE(one.is_supposed) << to_text(one);
      EXPECT_EQ(one.claim, "the target relays mail of strangers");
      EXPECT_EQ(one.letter.entry, Entry::target_25);
      EXPECT_NE(one.letter.recipient.find(who), std::string::npos) << to_text(one);
    }
  }
  for (const char* const sound :
       {"remote_ip == '10.9.0.2'", "!is_empty(authenticated_as)", "rcpt_domain == 'legacy.test'",
        "rcpt_domain == 'new.org'", "helo_domain == 'x.test' && !is_empty(authenticated_as)",
        "helo_domain == 'x.test' && remote_ip == '10.9.0.2'",
        "is_tls && !is_empty(authenticated_as)", "!(is_tls || is_empty(authenticated_as))"}) {
    Migration migration = with_relay_rule(sound);
    EXPECT_TRUE(proof_of(migration, facts_with()).found.empty()) << sound;
  }
  Migration allowed = with_relay_rule("key_exists('partners', rcpt_domain)");
  allowed.step("key", StepKind::admin_upsert, Stage::prepare, {},
               Migration::lookup_key("partners", "partner.test"));
  EXPECT_TRUE(finds(allowed,
                    "the target relays mail of strangers\n"
                    "  prepared: a message to somebody@partner.test at target:25",
                    false, facts_with()));
  Migration for_one_or_many =
      with_relay_rule("helo_domain == 'x.test' || rcpt_domain == 'partner.test'");
  EXPECT_TRUE(finds(for_one_or_many,
                    "the target relays mail of strangers\n"
                    "  prepared: a message to somebody@partner.test at target:25",
                    false, facts_with()));
  for (const char* const asks :
       {"key_exists('of-nobody', rcpt_domain)", "key_exists('of-nobody', sender)",
        "dns_query(rcpt_domain, 'mx') == 'x'", "helo_domain == 'x.test'",
        "rcpt_domain == 'partner.test' && helo_domain == 'x.test'",
        "helo_domain == 'x.test' && rcpt_domain == 'partner.test'",
        "is_tls && is_empty(authenticated_as)"}) {
    Migration migration = with_relay_rule(asks);
    EXPECT_TRUE(finds(migration, "whether the target relays mail of strangers cannot be told\n",
                      true, facts_with()))
        << asks;
  }
}

// Two domains on the same route are not alike where a sender tells them apart.
TEST(Outsiders, OfEachRouteFromEachSenderOneIsTried) {
  Migration migration(
      in_front({{"rcpt_domain == 'a.test'", "'provider'"},
                {"rcpt_domain == 'b.test' && sender == 'boss@legacy.test'", "'local'"},
                {"rcpt_domain == 'b.test'", "'provider'"}}),
      true);
  migration.exact();
  const Proof proof = proof_of(migration, facts_with());
  EXPECT_TRUE(has(proof, "a message to somebody@b.test at target submission"));
  for (const Counterexample& one : proof.found)
    EXPECT_EQ(one.letter.sender, "boss@legacy.test") << to_text(one);
}

// At most 16 senders are tried of one expression.
TEST(Outsiders, ASenderWhoIsNotTriedIsTold) {
  for (const int count : {12, 20}) {
    for (const bool leaves : {false, true}) {
      test::Arms arms;
      for (int i = 0; i < count; ++i)
        arms.emplace_back(
            fmt::format("rcpt_domain == 'd{0}.test' && sender == 's{0}@friend.test'", i),
            i == count - 1 && !leaves ? "'local'" : "'provider'");
      Migration migration(in_front(arms), true);
      migration.exact();
      const Proof proof = proof_of(migration, facts_with());
      EXPECT_EQ(has(proof, fmt::format("a message to somebody@d{}.test", count - 1)),
                !leaves && count == 12);
      EXPECT_EQ(has(proof,
                    "mail from senders for whom `rcpt_domain == 'd19.test' && sender == "
                    "'s19@friend.test'` is true, of whom none was found to be tried",
                    true),
                !leaves && count == 20);
      EXPECT_EQ(proof.found.empty(), leaves);
    }
  }
}

TEST(Outsiders, WhomNoConditionNames) {
  for (const char* const condition :
       {"sender == 'boss@legacy.test' && rcpt_domain != 'legacy.test'",
        "!is_local_domain(rcpt_domain) && sender_domain == 'friend.test'"}) {
    Migration migration = with_condition(condition, "'local'");
    EXPECT_TRUE(finds(migration, "mail to another domain ends as: bounced\n", false, facts_with()))
        << condition;
  }
  Migration leaves = with_condition("!is_local_domain(rcpt_domain)", "'provider'");
  EXPECT_TRUE(proof_of(leaves, facts_with()).found.empty());
}

TEST(Outsiders, WhomAKeyNames) {
  const std::vector<std::array<std::string, 3>> asked = {
      {"key_exists('partners', rcpt_domain)", "partner.test", "somebody@partner.test"},
      {"key_exists('partners', rcpt)", "eva@partner.test", "eva@partner.test"},
      {"key_exists('partners', rcpt)", "*@partner.test", "@partner.test"},
      {"matches('^(.+)[.]test$', rcpt_domain) && key_exists('partners', $1)", "partner",
       "@partner.test"}};
  for (const auto& [condition, key, who] : asked) {
    Migration migration = with_key(condition, "'local'", key);
    const Proof proof = proof_of(migration, facts_with());
    EXPECT_TRUE(has(proof, "mail to another domain ends as: bounced\n")) << condition << key;
    for (const Counterexample& one : proof.found)
      EXPECT_NE(one.letter.recipient.find(who), std::string::npos) << to_text(one);
    Migration other = with_key(condition, "'mx'", key);
    EXPECT_TRUE(proof_of(other, facts_with()).found.empty()) << condition << key;
  }
  Migration not_asked = with_key("rcpt_domain == 'b.test'", "'mx'", "partner.test");
  EXPECT_TRUE(proof_of(not_asked, facts_with()).found.empty());
}

TEST(Outsiders, MoreThanAreTriedAreTold) {
  for (const int count : {40, 100}) {
    // Each is told apart from all others by who may not write to it.
    test::Arms arms;
    for (int i = 1; i <= count; ++i) {
      for (int bit = 0; bit < 7; ++bit) {
        if ((i >> bit & 1) != 0)
          arms.emplace_back(
              fmt::format("rcpt_domain == 'd{}.test' && sender == 's{}@friend.test'", i, bit),
              "'local'");
      }
    }
    Migration migration(in_front(arms), true);
    migration.exact();
    EXPECT_EQ(finds(migration, "its route names more domains that the plan does not move than are",
                    false, facts_with()),
              count > 64)
        << count;
  }
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
