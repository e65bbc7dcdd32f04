// Whom a message is tried from: a text for each pattern that asks who sends.
#include "compiler/flow/senders.h"

#include <gtest/gtest.h>

#include <regex>

namespace plan::flow {
namespace {

TEST(Senders, ATextForAPatternIsFoundByIt) {
  for (const char* const pattern :
       {"^boss@", "[.]partner[.]test$", "^(sales|news)[0-9]{2,}@partner", "^[^@x]+[+]list@", "a.c",
        "x*y?z+", "^[]a]$", "[^a-z]", "[a-]", "\\d\\w\\.", "(?:ab){3}", "", "a|b", "^$", "[^]a]",
        "(a(b|c)d)+?"}) {
    const auto text = text_for_pattern(pattern);
    ASSERT_TRUE(text) << pattern;
    // A bracket in front is no member of a class to this matcher.
    if (std::string_view(pattern).find("[]") != std::string_view::npos ||
        std::string_view(pattern).find("[^]") != std::string_view::npos)
      continue;
    EXPECT_TRUE(std::regex_search(*text, std::regex(pattern))) << pattern << " " << *text;
  }
  EXPECT_EQ(text_for_pattern("(?i)^Boss@"), "Boss@");
  EXPECT_EQ(text_for_pattern("@partner.test$"), "@partner.test");
}

TEST(Senders, OfWhatIsNoPlainPatternThereIsNone) {
  for (const char* const pattern : {"(?=a)", "[[:alpha:]]", "(", ")", "a)", "[", "[a", "*", "{2}",
                                    "\\", "\\p", "a{,2}", "a{", "[\\", "a{99999}", "(?P<x>a)"})
    EXPECT_FALSE(text_for_pattern(pattern)) << pattern;
  EXPECT_FALSE(text_for_pattern(std::string(1'000, '(')));
  EXPECT_FALSE(text_for_pattern(std::string(1'000, 'a')));
}

}  // namespace
}  // namespace plan::flow
