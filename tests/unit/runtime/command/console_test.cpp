// Questions on a terminal of the test's own.
#include "runtime/command/console.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>
#include <thread>
#include <utility>

#include "runtime/step/step_driver.h"

namespace plan::command {
namespace {

/// stdin is a terminal while this lives; `type` is the person at it.
class Terminal {
 public:
  Terminal() : before_(dup(STDIN_FILENO)) {
    int slave = -1;
    if (openpty(&master_, &slave, nullptr, nullptr, nullptr) != 0) return;
    is_open_ = dup2(slave, STDIN_FILENO) == STDIN_FILENO;
    close(slave);
  }
  ~Terminal() {
    dup2(before_, STDIN_FILENO);
    close(before_);
    if (master_ >= 0) close(master_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  [[nodiscard]] bool is_open() const { return is_open_; }
  void type(std::string_view text) const {
    ASSERT_EQ(write(master_, text.data(), text.size()), static_cast<ssize_t>(text.size()));
  }

 private:
  int before_ = -1;
  int master_ = -1;
  bool is_open_ = false;
};

TEST(TerminalColumns, AreThoseOfTheTerminalHoweverFewTheyAre) {
  int master = -1;
  int slave = -1;
  if (openpty(&master, &slave, nullptr, nullptr, nullptr) != 0)
    GTEST_SKIP() << "no pseudo-terminal";
  const int before = dup(STDERR_FILENO);
  dup2(slave, STDERR_FILENO);
  close(slave);
  const auto columns_with = [](unsigned short columns) {
    winsize size{};
    size.ws_row = 24;
    size.ws_col = columns;
    ioctl(STDERR_FILENO, TIOCSWINSZ, &size);
    return std::pair(terminal_columns(), terminal_width_columns());
  };
  const auto narrow = columns_with(20);
  const auto wide = columns_with(200);
  const auto unknown = columns_with(0);
  dup2(before, STDERR_FILENO);
  close(before);
  close(master);
  EXPECT_EQ(narrow, std::pair(std::size_t{20}, std::size_t{40}));
  EXPECT_EQ(wide, std::pair(std::size_t{200}, std::size_t{200}));
  EXPECT_EQ(unknown, std::pair(std::size_t{120}, std::size_t{120}));
}

TEST(TakesColour, IsWhatATerminalCanAndAPersonWants) {
  int master = -1;
  int slave = -1;
  if (openpty(&master, &slave, nullptr, nullptr, nullptr) != 0)
    GTEST_SKIP() << "no pseudo-terminal";
  const auto with = [&](const char* no_colour, const char* term) {
    no_colour == nullptr ? unsetenv("NO_COLOR") : setenv("NO_COLOR", no_colour, 1);
    setenv("TERM", term, 1);
    return takes_colour(slave);
  };
  EXPECT_TRUE(with(nullptr, "xterm"));
  EXPECT_TRUE(with("", "xterm")) << "empty is not set";
  EXPECT_FALSE(with("1", "xterm"));
  EXPECT_FALSE(with(nullptr, "dumb"));
  close(slave);
  close(master);
  int ends[2] = {-1, -1};
  ASSERT_EQ(pipe(ends), 0);
  EXPECT_FALSE(takes_colour(ends[1])) << "a pipe";
  close(ends[0]);
  close(ends[1]);
}

TEST(AskYes, OnlyYesIsAYes) {
  const Terminal terminal;
  if (!terminal.is_open()) GTEST_SKIP() << "no pseudo-terminal";
  const step::StopSignal stop;
  for (const auto& [typed, is_yes] : {std::pair{"yes\n", true},
                                      {"y\n", false},
                                      {"\n", false},
                                      {" yes \n", true},
                                      {"YES\n", false}}) {
    terminal.type(typed);
    EXPECT_EQ(ask_yes("Sure?", stop), is_yes) << typed;
  }
}

TEST(AskYes, AWishToStopIsANoAndNobodyHasToPressAKey) {
  const Terminal terminal;
  if (!terminal.is_open()) GTEST_SKIP() << "no pseudo-terminal";
  step::StopSignal stop;
  std::thread person([&] { stop.request(); });
  EXPECT_FALSE(ask_yes("Sure?", stop));  // would wait for ever
  person.join();
}

TEST(AskYes, WithoutATerminalTheAnswerIsNo) {
  const int before = dup(STDIN_FILENO);
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  dup2(null, STDIN_FILENO);
  const step::StopSignal stop;
  EXPECT_FALSE(ask_yes("Sure?", stop));
  dup2(before, STDIN_FILENO);
  close(null);
  close(before);
}

}  // namespace
}  // namespace plan::command
