// Other ways to write a name: spellings that an expression tells apart, and tags, which the source
// and the target may not take off alike.
#include <gtest/gtest.h>

#include <fmt/format.h>

#include "tests/unit/compiler/flow/small_migration.h"

namespace plan::flow {
namespace {

using test::expression;

TEST(Holes, ATagThatOnlyTheSourceKnows) {
  const std::string_view loop =
      "mail for alice-tag@legacy.test goes round between the two servers until it bounces";
  Migration migration;
  migration.exact();
  EXPECT_TRUE(finds(migration, loop, false, {"-"}));
  Migration of_plus;
  of_plus.exact();
  EXPECT_TRUE(proof_of(of_plus, {"+"}).found.empty());
  Migration without;
  without.exact();
  EXPECT_TRUE(proof_of(without, {""}).found.empty()) << "the source knows no tags: no mail is lost";
}

TEST(Holes, ARuleOfTheDomainTakesTheTagOff) {
  for (const char* then : {"$1", "'nobody'"}) {
    Migration migration;
    migration.domain_set.set(
        "subAddressing",
        Value::map(
            {{"@type", "Custom"},
             {"customRule", expression({{"matches('^([^-+]+)[-+]', rcpt)", then}}, "rcpt")}}));
    // The fixture writes its domain first; this one comes with the rule.
    migration.update_domain("domain-rule", Stage::prepare, {"reload"}, migration.domain_set);
    migration.steps["reload"] = migration.steps.at("domain-rule");
    migration.exact();
    EXPECT_EQ(finds(migration, "mail for alice-tag@legacy.test", false, {"-+"}),
              std::string_view(then) != "$1")
        << then;
  }
}

TEST(Holes, ARuleForTagsThatOnlyTheTargetCanTell) {
  Migration migration;
  migration.update_domain(
      "domain-rule", Stage::prepare, {"reload"},
      Value::map({{"subAddressing",
                   Value::map({{"@type", "Custom"},
                               {"customRule", expression({}, "sql_query('', 'x', rcpt)")}})}}));
  migration.steps["reload"] = migration.steps.at("domain-rule");
  migration.exact();
  EXPECT_TRUE(finds(migration, "only the target can tell which account ", true));
}

TEST(Holes, ASpellingThatAnExpressionTellsApartIsTried) {
  for (const auto& [asked, recipient] :
       {std::pair("rcpt == 'Zoe@legacy.test'", "Zoe@legacy.test"),
        std::pair("starts_with(rcpt, 'zOe@')", "zOe@legacy.test"),
        std::pair("matches('^[A-Z][a-z]', rcpt)", "Alice@legacy.test"),
        std::pair("rcpt == 'ZO@legacy.test'", "ZO@legacy.test"),
        std::pair("matches('^ZO@', rcpt)", "ZO@legacy.test"),
        std::pair("matches('[+]sales@', rcpt)", "alice+sales@legacy.test"),
        std::pair("contains(rcpt, '+sales@')", "alice+sales@legacy.test"),
        std::pair("rcpt == 'zoe+sales@legacy.test'", "zoe+sales@legacy.test"),
        std::pair("rcpt == 'zo+sales@legacy.test'", "zo+sales@legacy.test"),
        std::pair("rcpt == 'Zoe@legacy.test' && sender_domain == 'partner.test'",
                  "Zoe@legacy.test")}) {
    Migration migration(in_front({{asked, "'mx'"}}));
    migration.exact();
    // Who is named is not of the class of the first one.
    migration.next_account("zoe@legacy.test");
    migration.aliases = {"zo@legacy.test"};
    migration.exact();
    const Proof proof = proof_of(migration);
    EXPECT_TRUE(has(proof, "is sent to the public MX")) << asked;
    EXPECT_TRUE(has(proof, fmt::format("a message to {} at", recipient))) << asked;
  }
}

TEST(Holes, ATagOfANameThatIsSomebodyElsesIsNotTried) {
  Migration migration(
      in_front({{"rcpt == 'alice+sales@legacy.test' && key_exists('migrated', rcpt)", "'local'"},
                {"rcpt == 'alice+sales@legacy.test'", "'source'"}}));
  migration.exact();
  migration.next_account("alice+sales@legacy.test");
  migration.exact();
  EXPECT_EQ(migration.proof(), "proved");
}

TEST(Holes, ASpellingThatWhatIsGivenTellsApartIsTried) {
  Migration migration({{"rcpt_domain == 'legacy.test' && is_local_address(to_lowercase(rcpt)) && "
                        "key_exists('migrated', to_lowercase(rcpt))",
                        "if_then(rcpt == 'ALice@legacy.test', 'mx', 'local')"},
                       test::kExact[1],
                       test::kExact[2]});
  migration.exact();
  EXPECT_TRUE(finds(migration, "a message to ALice@legacy.test at"));
}

/// For nobody here, of so many parts of an address in turn.
test::Arms asking_for(const std::vector<std::string>& asked) {
  test::Arms arms;
  for (const std::string& one : asked)
    arms.emplace_back(fmt::format("{} && rcpt_domain == 'elsewhere.test'", one), "'mx'");
  arms.insert(arms.end(), test::kExact.begin(), test::kExact.end());
  return arms;
}

TEST(Holes, MoreTagsThanAreTriedAreTold) {
  for (const std::size_t count : {8U, 9U, 40U}) {
    std::vector<std::string> asked;
    for (std::size_t i = 1; i <= count; ++i)
      asked.push_back(fmt::format("contains(rcpt, '+t{}@')", i));
    Migration migration(asking_for(asked));
    migration.exact();
    const Proof proof = proof_of(migration);
    if (count == 8) {
      EXPECT_TRUE(proof.found.empty()) << to_text(proof.found.front());
      continue;
    }
    ASSERT_EQ(proof.found.size(), 1U) << count;
    EXPECT_TRUE(proof.found[0].is_supposed);
    EXPECT_EQ(proof.found[0].claim,
              "mail for alice+t9@legacy.test, of which `contains(rcpt, '+t9@') && rcpt_domain == "
              "'elsewhere.test'` asks: more than 8 tags are asked for, and no more are tried");
  }
}

TEST(Holes, MoreSpellingsOfANameThanAreTriedAreTold) {
  const auto written = [](unsigned capitals) {
    std::string name = "alice";
    for (std::size_t i = 0; i < name.size(); ++i) {
      if ((capitals >> i & 1U) != 0) name[i] = static_cast<char>(name[i] - 32);
    }
    return name + "@legacy.test";
  };
  for (const unsigned count : {13U, 20U}) {
    std::vector<std::string> asked;
    for (unsigned i = 1; i <= count; ++i) asked.push_back(fmt::format("rcpt == '{}'", written(i)));
    Migration migration(asking_for(asked));
    migration.exact();
    const Proof proof = proof_of(migration);
    if (count == 13) {
      EXPECT_TRUE(proof.found.empty()) << to_text(proof.found.front());
      continue;
    }
    ASSERT_EQ(proof.found.size(), 1U);
    EXPECT_TRUE(proof.found[0].is_supposed);
    EXPECT_EQ(proof.found[0].claim,
              fmt::format("mail for {0}, of which `rcpt == '{0}' && rcpt_domain == "
                          "'elsewhere.test'` asks: more than 16 ways to write the name are asked "
                          "for, and no more are tried",
                          written(17)));
  }
}

}  // namespace
}  // namespace plan::flow
