#include "compiler/diff/wrap.h"

#include <gtest/gtest.h>

#include "compiler/source/text.h"

namespace plan::diff {
namespace {

TEST(Wrap, BreaksAtBlanksAndGoesOnDeeper) {
  EXPECT_EQ(wrapped("  one two three\n", 40), "  one two three\n");
  EXPECT_EQ(wrapped("  one two three four five six\n", 20),
            "  one two three four\n        five six\n");
  EXPECT_EQ(wrapped("", 40), "");
  EXPECT_EQ(wrapped("\n\na", 40), "\n\na");
}

TEST(Wrap, TakesNoRoomForColours) {
  EXPECT_EQ(wrapped("\x1b[1mone two\x1b[0m three", 13), "\x1b[1mone two\x1b[0m three");
  // The blanks of a column that is too wide go, the colour's end stays.
  EXPECT_EQ(wrapped("\x1b[32m+ target/route          \x1b[0m create; reversible", 30),
            "\x1b[32m+ target/route\x1b[0m\n      create; reversible");
}

TEST(Wrap, KeepsAWordThatIsTooLong) {
  const std::string word(50, 'x');
  EXPECT_EQ(wrapped("  a " + word + " b", 20), "  a\n        " + word + "\n        b");
  EXPECT_EQ(wrapped("  " + word, 20), "  " + word);
}

TEST(Wrap, CountsColumnsNotBytes) {
  EXPECT_EQ(wrapped("» éééé » éééé", 13), "» éééé » éééé");
  EXPECT_EQ(wrapped("宛宛宛宛 宛宛宛宛", 17), "宛宛宛宛 宛宛宛宛");
  EXPECT_EQ(wrapped("宛宛宛宛 宛宛宛宛", 16), "宛宛宛宛\n      宛宛宛宛");
}

TEST(Wrap, LosesNoWordAtAnyWidth) {
  const std::string text =
      "prepare: nothing changes for anybody\n"
      "  ~ source/door        update; reversible\n"
      "        /etc/dovecot/conf.d/00-plan.conf: (none) ->\n"
      "            \"# Written by plan. Refuses the logins of accounts that have moved\"\n";
  const auto words = [](std::string_view of) {
    std::string all;
    for (const char c : of) {
      if (c != ' ' && c != '\n') all += c;
    }
    return all;
  };
  for (std::size_t width = 1; width < 100; ++width) {
    const std::string narrow = wrapped(text, width);
    EXPECT_EQ(words(narrow), words(text)) << width;
    for (const std::string_view line : split(narrow, '\n')) {
      const bool is_one_word = trim(line).find(' ') == std::string_view::npos;
      EXPECT_TRUE(is_one_word || display_width(line) <= width) << width << ": " << line;
    }
  }
}

}  // namespace
}  // namespace plan::diff
