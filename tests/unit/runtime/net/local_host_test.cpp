#include <gtest/gtest.h>
#include <sys/stat.h>

#include <chrono>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "runtime/net/errors.h"
#include "runtime/net/host.h"
#include "tests/support/temp_dir.h"
#include "tests/support/told_error.h"

namespace plan::net {
namespace {

using namespace std::chrono_literals;

Deadline soon() { return Deadline::after(60s); }

unsigned mode_of(const std::string& path) {
  struct stat status {};
  EXPECT_EQ(stat(path.c_str(), &status), 0);
  return status.st_mode & 07777U;
}

class LocalHostTest : public testing::Test {
 protected:
  test::TempDir folder_;
  std::unique_ptr<Host> host_ = local_host();
};

TEST_F(LocalHostTest, OutputErrorsAndExitCodeComeApart) {
  const auto result = host_->run({"sh", "-c", "echo out; echo err >&2; exit 3"}, soon());
  ASSERT_TRUE(result);
  EXPECT_EQ(result->output, "out\n");
  EXPECT_EQ(result->errors, "err\n");
  EXPECT_EQ(result->exit_code, 3);
}

TEST_F(LocalHostTest, ArgumentsAreNotReadByAShell) {
  const auto result = host_->run({"printf", "%s|", "$HOME", "a b", "", "`id`", "'"}, soon());
  ASSERT_TRUE(result);
  EXPECT_EQ(result->output, "$HOME|a b||`id`|'|");
}

TEST_F(LocalHostTest, InputOfAnyBytesReachesTheProgramAndIsNotNeeded) {
  std::string input = "secret\n";
  input += '\0';
  input += std::string(1'000'000, 'x');
  const auto result = host_->run({"cat"}, soon(), {.input = input});
  ASSERT_TRUE(result);
  EXPECT_EQ(result->output, input);
  EXPECT_TRUE(host_->run({"true"}, soon(), {.input = input}));
}

TEST_F(LocalHostTest, WithoutInputAProgramReadsTheEndOfFile) {
  const auto result = host_->run({"cat"}, soon());
  ASSERT_TRUE(result);
  EXPECT_EQ(result->output, "");
}

TEST_F(LocalHostTest, AProgramStartsInTheFolderThatWasAskedFor) {
  CommandOptions options;
  options.directory = "/usr";
  EXPECT_EQ(host_->run({"pwd"}, Deadline::after(std::chrono::seconds(10)), options)->output,
            "/usr\n");
}

TEST_F(LocalHostTest, AProgramThatIsMissingIsAnError) {
  const auto result = host_->run({"/nonexistent/program"}, soon());
  ASSERT_FALSE(result);
  EXPECT_TRUE(test::told_as("command-failed", result.error()));
}

TEST_F(LocalHostTest, AProgramThatHangsIsKilledAtTheDeadlineWithItsChildren) {
  const std::string file = folder_.file("child");
  const auto began = std::chrono::steady_clock::now();
  const auto result =
      host_->run({"sh", "-c", "sleep 60 & echo $! > " + file + "; wait"}, Deadline::after(2s));
  ASSERT_FALSE(result);
  EXPECT_TRUE(result.error().is(errors::timed_out));
  EXPECT_EQ(result.error().effect(), Effect::unknown);
  EXPECT_LT(std::chrono::steady_clock::now() - began, 40s);
  const std::string child = *host_->read_file(file, 100, soon());
  ASSERT_FALSE(child.empty());
  // The kill is sent, not waited for; and a dead child may wait for its new parent for a moment:
  // then it has no command line any more.
  const std::vector<std::string> look = {"cat",
                                         "/proc/" + child.substr(0, child.size() - 1) + "/cmdline"};
  std::string command_line;
  for (const Deadline until = Deadline::after(30s); !until.is_over();
       std::this_thread::sleep_for(20ms)) {
    const auto seen = host_->run(look, soon());
    ASSERT_TRUE(seen);
    command_line = seen->output;
    if (command_line.empty()) break;
  }
  EXPECT_EQ(command_line, "") << "the child would sleep for a minute";
}

TEST_F(LocalHostTest, WhatAProgramLeavesInTheBackgroundIsNotWaitedFor) {
  const auto began = std::chrono::steady_clock::now();
  const auto result = host_->run({"sh", "-c", "sleep 50 & echo started"}, soon());
  ASSERT_TRUE(result);
  EXPECT_EQ(result->output, "started\n");
  EXPECT_LT(std::chrono::steady_clock::now() - began, 40s);
}

TEST_F(LocalHostTest, OutputAtTheBoundIsTakenAndOneByteMoreIsNot) {
  EXPECT_TRUE(host_->run({"printf", "%s", "12345"}, soon(), {.output_bytes_max = 5}));
  const auto result = host_->run({"printf", "%s", "123456"}, soon(), {.output_bytes_max = 5});
  ASSERT_FALSE(result);
  EXPECT_TRUE(result.error().is(errors::answer_too_large));
}

TEST_F(LocalHostTest, EndlessErrorsAreCutAndDoNotBlockTheProgram) {
  const auto result = host_->run({"sh", "-c", "head -c 500000 /dev/zero >&2; echo end"}, soon());
  ASSERT_TRUE(result);
  EXPECT_EQ(result->errors.size(), 65536U);
  EXPECT_EQ(result->output, "end\n");
}

TEST_F(LocalHostTest, AProgramKilledByASignalHasTheShellsExitCode) {
  const auto result = host_->run({"sh", "-c", "kill -9 $$"}, soon());
  ASSERT_TRUE(result);
  EXPECT_EQ(result->exit_code, 137);
}

TEST_F(LocalHostTest, ReplacingCreatesWithTheModeAndKeepsTheModeOfWhatIsThere) {
  const std::string path = folder_.file("file");
  ASSERT_TRUE(host_->replace_file(path, "one", 0640, soon()));
  EXPECT_EQ(mode_of(path), 0640U);
  chmod(path.c_str(), 0604);
  ASSERT_TRUE(host_->replace_file(path, "two", 0640, soon()));
  EXPECT_EQ(mode_of(path), 0604U);
  EXPECT_EQ(*host_->read_file(path, 100, soon()), "two");
}

TEST_F(LocalHostTest, AReaderSeesTheOldFileOrTheNewOneAndNothingIsLeftBeside) {
  const std::string path = folder_.file("file");
  ASSERT_TRUE(host_->replace_file(path, "old", 0600, soon()));
  std::ifstream before(path);
  ASSERT_TRUE(host_->replace_file(path, "a new text that is longer", 0600, soon()));
  std::string seen;
  before >> seen;
  EXPECT_EQ(seen, "old");
  std::size_t files = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator(folder_.path()))
    ++files;
  EXPECT_EQ(files, 1U);
}

TEST_F(LocalHostTest, WhatACrashLeftBesideDoesNotHinder) {
  const std::string path = folder_.file("file");
  std::ofstream(folder_.file(".file.plan-new")) << "half";
  ASSERT_TRUE(host_->replace_file(path, "whole", 0600, soon()));
  EXPECT_EQ(*host_->read_file(path, 100, soon()), "whole");
  EXPECT_FALSE(*host_->exists(folder_.file(".file.plan-new"), soon()));
}

TEST_F(LocalHostTest, ASymbolicLinkStaysOneAndItsTargetIsReplaced) {
  const std::string real = folder_.file("real");
  const std::string link = folder_.file("link");
  ASSERT_TRUE(host_->replace_file(real, "one", 0600, soon()));
  std::filesystem::create_symlink("real", link);
  ASSERT_TRUE(host_->replace_file(link, "two", 0600, soon()));
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_EQ(*host_->read_file(real, 100, soon()), "two");
}

TEST_F(LocalHostTest, AFolderThatIsMissingIsAnErrorWithoutEffect) {
  const auto outcome = host_->replace_file(folder_.file("no/file"), "x", 0600, soon());
  ASSERT_FALSE(outcome);
  EXPECT_TRUE(test::told_as("file-unreadable", outcome.error()));
}

TEST_F(LocalHostTest, FilesAreReadUpToTheirBound) {
  const std::string path = folder_.file("file");
  ASSERT_TRUE(host_->replace_file(path, "12345", 0600, soon()));
  EXPECT_EQ(*host_->read_file(path, 5, soon()), "12345");
  EXPECT_TRUE(host_->read_file(path, 4, soon()).error().is(errors::file_unreadable));
  EXPECT_TRUE(
      host_->read_file(folder_.file("none"), 4, soon()).error().is(errors::file_unreadable));
  EXPECT_TRUE(
      host_->read_file(folder_.path().string(), 4, soon()).error().is(errors::file_unreadable));
  EXPECT_TRUE(host_->read_file("/dev/zero", 4, soon()).error().is(errors::file_unreadable));
}

}  // namespace
}  // namespace plan::net
