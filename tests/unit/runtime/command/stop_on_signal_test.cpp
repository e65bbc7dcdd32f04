// What ends other programs only asks this one to stop: accounts may be held.
#include "runtime/command/stop_on_signal.h"

#include <gtest/gtest.h>

#include <csignal>

namespace plan::command {
namespace {

TEST(StopOnSignal, TakesInterruptTerminateAndHangUpForAWishToStop) {
  // Who runs the tests may have said nohup; here nobody did.
  auto* const before = std::signal(SIGHUP, SIG_DFL);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) {
    step::StopSignal stop;
    const StopOnSignal signals(stop);
    EXPECT_FALSE(stop.is_requested());
    ASSERT_EQ(std::raise(number), 0);
    EXPECT_TRUE(stop.is_requested()) << number;
    ASSERT_EQ(std::raise(number), 0);  // once more: still alive
  }
  std::signal(SIGHUP, before);
}

TEST(StopOnSignal, GoesOnWithoutATerminalWhenNohupSaysSo) {
  auto* const before = std::signal(SIGHUP, SIG_IGN);
  {
    step::StopSignal stop;
    const StopOnSignal signals(stop);
    ASSERT_EQ(std::raise(SIGHUP), 0);
    EXPECT_FALSE(stop.is_requested());
  }
  EXPECT_EQ(std::signal(SIGHUP, before), SIG_IGN);  // left as it was found
}

}  // namespace
}  // namespace plan::command
