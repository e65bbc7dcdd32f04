#include "compiler/source/error.h"

#include <gtest/gtest.h>

#include "compiler/source/check.h"

namespace plan {
namespace {
constexpr ErrorCode kCode{"some-code", "something happened", "do something"};

TEST(Error, TellsItsStoryInOneLine) {
  const Error error = Error(kCode, "the disk is gone")
                          .while_doing("writing a")
                          .while_doing("copying b")
                          .with_detail("I/O\x01");
  EXPECT_EQ(error.to_line(),
            "the disk is gone (while writing a, while copying b): I/O\\x01 [some-code]");
}

TEST(Error, NoNameInItReachesATerminalAsACommandOrWithoutEnd) {
  const Error error =
      Error(kCode, "\x1b]0;owned\x07 is no mailbox").while_doing("copying a\r\nb\u009b2J");
  EXPECT_EQ(error.to_line(),
            "\\x1b]0;owned\\x07 is no mailbox (while copying a\\x0d\\x0ab\\xc2\\x9b2J) "
            "[some-code]");
  const std::string line = Error(kCode, std::string(10U << 20U, 'x')).to_line();
  EXPECT_LT(line.size(), 10'000U);
  EXPECT_TRUE(line.ends_with("… [some-code]"));
}

TEST(Error, StaysWhatItIsWhenItIsChangedInPlace) {
  Error error = Error(kCode, "a message that is longer than the small string buffer of a string");
  error = std::move(error).with_effect(Effect::applied);
  EXPECT_EQ(error.message(), "a message that is longer than the small string buffer of a string");
  EXPECT_EQ(error.effect(), Effect::applied);
}

TEST(BugDeathTest, EndsTheProcessWithCode70AndSaysWhatDidNotHold) {
  EXPECT_EXIT(PLAN_CHECK(1 > 2, "numbers have an order"), testing::ExitedWithCode(70),
              "a bug in plan: .*1 > 2 does not hold: numbers have an order");
}

}  // namespace
}  // namespace plan
