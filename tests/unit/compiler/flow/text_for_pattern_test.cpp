// A text that each pattern finds.
#include "compiler/flow/text_for_pattern.h"

#include <gtest/gtest.h>

#include <regex>
#include <string>

namespace plan::flow {
namespace {

TEST(TextForPattern, IsFoundByIt) {
  for (const char* const pattern :
       {"^boss@", "[.]partner[.]test$", "^(sales|news)[0-9]{2,}@partner", "^[^@x]+[+]list@", "a.c",
        "x*y?z+", "[^a-z]", "[a-]", "\\d\\w\\.", "(?:ab){3}", "", "a|b", "^$", "(a(b|c)d)+?"}) {
    const auto text = text_for_pattern(pattern);
    ASSERT_TRUE(text) << pattern;
    EXPECT_TRUE(std::regex_search(*text, std::regex(pattern))) << pattern << " " << *text;
  }
  // A bracket in front is a member of a class to the server, and not to the matcher above.
  EXPECT_EQ(text_for_pattern("^[]a]$"), "a");
  EXPECT_EQ(text_for_pattern("[^]a]"), "b");
  EXPECT_EQ(text_for_pattern("(?i)^Boss@"), "Boss@");
  EXPECT_EQ(text_for_pattern("@partner.test$"), "@partner.test");
}

TEST(TextForPattern, ThereIsNoneOfWhatIsNoPlainPattern) {
  for (const char* const pattern : {"(?=a)", "[[:alpha:]]", "(", ")", "a)", "[", "[a", "*", "{2}",
                                    "\\", "\\p", "a{,2}", "a{", "[\\", "a{99999}", "(?P<x>a)"})
    EXPECT_FALSE(text_for_pattern(pattern)) << pattern;
  EXPECT_FALSE(text_for_pattern(std::string(1'000, '(')));
  EXPECT_FALSE(text_for_pattern(std::string(1'000, 'a')));
}

}  // namespace
}  // namespace plan::flow
