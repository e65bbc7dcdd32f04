#include "compiler/schema/mta_pattern.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <regex>

#include "compiler/schema/mta_container.h"

namespace plan::schema {
namespace {

const MtaContext& route() { return context_of("x:MtaOutboundStrategy", "route"); }

/// "needed / domain", with "^" in front of what is found at the first character or nowhere.
std::string read(std::string_view pattern) {
  const PatternText text = read_pattern(pattern);
  return fmt::format("{}{} / {}", text.is_from_first ? "^" : "", text.needed, text.domain);
}

TEST(MtaPattern, SaysWhatEveryTextHas) {
  EXPECT_EQ(read("^(sales|info)@d7[.]example[.]org$"), "^@d7.example.org / d7.example.org");
  EXPECT_EQ(read("@d7\\.test$"), "@d7.test / d7.test");
  EXPECT_EQ(read("^a@b@c[.]test$"), "^a@b@c.test / c.test");
  EXPECT_EQ(read("^old[.]"), "^old. / ");
  EXPECT_EQ(read("@x?test$"), "test / ");
  EXPECT_EQ(read("@x*test$"), "test / ");
  EXPECT_EQ(read("@x{0,2}test$"), "test / ");
  EXPECT_EQ(read("ab+cde"), "cde / ");
  EXPECT_EQ(read("abc(@test)?$"), "abc / ");
  EXPECT_EQ(read("@[a-z]+[.]test$"), ".test / ");
  EXPECT_EQ(read("@test\\$"), "@test$ / ");
  EXPECT_EQ(read("(?i)^Boss@X[.]Test$"), "^boss@x.test / ");
  EXPECT_EQ(read("\\w+@test$"), "@test / test");
}

TEST(MtaPattern, SaysNothingOfWhatMayBeOneOrTheOther) {
  for (const char* const pattern : {"^a@x[.]test$|^b@y[.]test$", "@x[.]test$|", "\\x41@test$",
                                    "[[:alpha:]]@test$", "a{2", "a)b", "", "\\"})
    EXPECT_EQ(read(pattern), " / ") << pattern;
}

TEST(MtaPattern, FindsWhatTheRegularExpressionFinds) {
  const char* const patterns[] = {"^(sales|info)@d7[.]test$",
                                  "@d7[.]test$",
                                  "^([^+@]+)[+][^@]*(@.+)$",
                                  "(?i)^INFO@",
                                  "^a|b$",
                                  "(a)|(b)",
                                  "x?y*z",
                                  "(?!sales)info",
                                  "^$",
                                  "",
                                  "[.]",
                                  "d{1,2}7",
                                  "(s)?info",
                                  "\\binfo\\b",
                                  "info@|@d7",
                                  "(?:info)@(d7|d8)",
                                  "fo@d7[.]t",
                                  "i+nfo@",
                                  "^.*@(.*)$",
                                  "[^@]*@d7[.]test$",
                                  "a$b",
                                  "x^info",
                                  "(?=info)info@d7",
                                  "[+]tag@d7[.]test$"};
  const std::string texts[] = {"",
                               "info@d7.test",
                               "sales@d7.test",
                               "INFO@d7.test",
                               "info+tag@d7.test",
                               "info@d8.test",
                               "info@d7.test.org",
                               "xinfo@d7.test",
                               "info@ddd7.test",
                               "a",
                               "b",
                               "xyz",
                               "info",
                               "@d7.test"};
  for (const std::string pattern : patterns) {
    const bool is_any_case = pattern.starts_with("(?i)");
    auto flags = std::regex::ECMAScript | std::regex_constants::__polynomial;
    if (is_any_case) flags |= std::regex::icase;
    const std::regex regex(pattern.substr(is_any_case ? 4 : 0), flags);
    // Twice: the second answer is the one that was kept.
    for (int turn = 0; turn < 2; ++turn) {
      for (const std::string& text : texts) {
        std::smatch found;
        const bool is_found = std::regex_search(text, found, regex);
        const PatternAnswer answer = find_pattern(pattern, text);
        ASSERT_TRUE(answer.is_readable) << pattern;
        ASSERT_EQ(answer.found.has_value(), is_found) << pattern << " in " << text;
        if (!is_found) continue;
        const auto& [begin, end] = answer.found->front();
        EXPECT_EQ(text.substr(begin, end - begin), found.str(0)) << pattern << " in " << text;
        EXPECT_EQ(answer.found->size(), found.size()) << pattern;
      }
    }
  }
}

TEST(MtaPattern, WhatIsTooLargeToKeepIsFoundAgain) {
  // Each has thousands of states: not all of them are kept.
  for (int turn = 0; turn < 2; ++turn) {
    for (int i = 0; i < 40; ++i) {
      const std::string pattern = fmt::format("^x{}y{{2000}}$", i);
      const std::string text = fmt::format("x{}", i) + std::string(2'000, 'y');
      EXPECT_TRUE(find_pattern(pattern, text).found) << pattern;
      const PatternAnswer longer = find_pattern(pattern, text + "y");
      EXPECT_TRUE(longer.is_readable) << pattern;
      EXPECT_FALSE(longer.found) << pattern;
      EXPECT_TRUE(find_pattern(fmt::format("^x{}y{{2}}", i), text).found) << pattern;
    }
  }
}

TEST(MtaPattern, BackReferencesAndWhatIsTooLargeOnlyTheServerReads) {
  EXPECT_FALSE(find_pattern("(a", "(a").is_readable);
  EXPECT_FALSE(find_pattern("(a", "b").is_readable);
  EXPECT_FALSE(find_pattern("(a)\\1", "aa").is_readable);
  EXPECT_FALSE(find_pattern("(a?){9000}", "a").is_readable);
  EXPECT_TRUE(find_pattern("^([0-9]{1,3}[.]){3}[0-9]{1,3}$", "10.0.0.1").found);
}

TEST(MtaPattern, WorkIsTheSameWhateverIsKept) {
  const auto work = [] {
    const std::size_t before = pattern_work();
    for (const char* text : {"zoe@d7.test", "zoe@d8.test", "zoe@d7.test"})
      (void)find_pattern("^z.*@d7", text);
    return pattern_work() - before;
  };
  const std::size_t first = work();
  EXPECT_GT(first, 0U);
  EXPECT_EQ(work(), first);
}

TEST(MtaPattern, AConditionThatEndsInADomainIsAskedForMailToThatOne) {
  const auto arm = [](const char* condition, const char* result) {
    return ir::Value::map({{"if", condition}, {"then", result}});
  };
  ir::Value match = ir::Value::map();
  match.set("0", arm("matches('^sales@d7[.]test$', rcpt) && retry_num == 0", "'seven'"));
  match.set("1", arm("matches('^sales@d8[.]test$', rcpt)", "'eight'"));
  match.set("2", arm("matches('^sales@', rcpt)", "'any'"));
  const auto container =
      MtaContainer::parse(ir::Value::map({{"match", match}, {"else", "'mx'"}}), route());
  ASSERT_TRUE(container) << container.error().to_line();
  EXPECT_EQ(container->asked_for("d7.test"), 2U);
  EXPECT_EQ(container->asked_for("d9.test"), 1U);
  const auto chosen = [&](std::string rcpt, std::string domain) {
    MtaEnvironment environment;
    environment.variable = [&](std::string_view name) -> ir::Value {
      if (name == "rcpt") return rcpt;
      if (name == "rcpt_domain") return domain;
      return 0;
    };
    const auto result = container->evaluate(environment);
    return result ? text_of(*result) : result.error().to_line();
  };
  EXPECT_EQ(chosen("sales@d7.test", "d7.test"), "seven");
  EXPECT_EQ(chosen("sales@d8.test", "d8.test"), "eight");
  EXPECT_EQ(chosen("sales@d9.test", "d9.test"), "any");
  EXPECT_EQ(chosen("info@d7.test", "d7.test"), "mx");
  // Where the two do not go together all are asked.
  EXPECT_EQ(chosen("sales@d7.test", "d9.test"), "seven");
}

}  // namespace
}  // namespace plan::schema
