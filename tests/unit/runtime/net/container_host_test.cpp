#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "runtime/net/errors.h"
#include "runtime/net/host.h"
#include "tests/support/fake_host.h"
#include "tests/support/temp_dir.h"

namespace plan::net {
namespace {

using namespace std::chrono_literals;
using Words = std::vector<std::string>;

Deadline soon() { return Deadline::after(60s); }

/// The machine, which answers `docker exec` and `docker inspect` as it is told.
class ContainerArguments : public testing::Test {
 protected:
  ContainerArguments() {
    machine_.program = [this](const Words& arguments, const std::string& input) {
      if (arguments.at(1) == "inspect") return Result<CommandResult>(state_);
      input_ = input;
      return Result<CommandResult>(answer_);
    };
  }
  test::FakeHost machine_;
  std::unique_ptr<Host> host_ = container_host(machine_, "mailcow-dovecot-1");
  CommandResult answer_ = {};
  CommandResult state_ = {.output = "true\n"};
  std::string input_ = {};
};

TEST_F(ContainerArguments, AreHandedOnAsTheyAre) {
  answer_.output = "yes\n";
  const auto result = host_->run({"doveadm", "auth", "lookup", "--", "a b'`$x"}, soon());
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->output, "yes\n");
  EXPECT_EQ(machine_.commands,
            (std::vector<Words>{{"docker", "exec", "--env", "LC_ALL=C", "mailcow-dovecot-1",
                                 "doveadm", "auth", "lookup", "--", "a b'`$x"}}));
}

TEST_F(ContainerArguments, HaveInputOnlyWhenThereIsSome) {
  ASSERT_TRUE(host_->run({"cat"}, soon(), {.input = "secret", .directory = "/srv"}));
  EXPECT_EQ(machine_.commands,
            (std::vector<Words>{{"docker", "exec", "--env", "LC_ALL=C", "--interactive",
                                 "--workdir", "/srv", "mailcow-dovecot-1", "cat"}}));
  EXPECT_EQ(input_, "secret");
}

TEST_F(ContainerArguments, OfAProgramThatFailsAreAResultWhileTheContainerRuns) {
  answer_ = {.exit_code = 67, .errors = "unknown user"};
  const auto result = host_->run({"doveadm", "auth", "lookup"}, soon());
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->exit_code, 67);
  EXPECT_EQ(machine_.commands.back(), (Words{"docker", "inspect", "--type", "container", "--format",
                                             "{{.State.Running}}", "mailcow-dovecot-1"}));
}

TEST_F(ContainerArguments, OfAContainerThatDoesNotRunSayNothingAboutFiles) {
  answer_ = {.exit_code = 1, .errors = "Error response from daemon: container 1f is not running"};
  const auto refused = host_->exists("/etc/postfix/plan_transport", soon());
  ASSERT_FALSE(refused) << "a container that is down was taken for a file that is not there";
  EXPECT_TRUE(refused.error().is(errors::command_failed)) << refused.error().to_line();
  EXPECT_EQ(refused.error().effect(), Effect::none);

  // It ended while the program ran: docker has no words for that.
  answer_ = {.exit_code = 1};
  state_.output = "false\n";
  const auto ended = host_->exists("/etc/postfix/plan_transport", soon());
  ASSERT_FALSE(ended);
  EXPECT_EQ(ended.error().effect(), Effect::unknown);

  state_ = {.exit_code = 1, .errors = "Error: No such container: mailcow-dovecot-1"};
  const auto unknown = host_->read_file("/etc/dovecot/users", 100, soon());
  ASSERT_FALSE(unknown);
  EXPECT_NE(unknown.error().detail().find("No such container"), std::string::npos)
      << unknown.error().to_line();
}

TEST_F(ContainerArguments, NameAProgramThatTheContainerHasNot) {
  answer_ = {.exit_code = 127, .errors = "exec: \"doveconf\": executable file not found in $PATH"};
  const auto result = host_->run({"doveconf"}, soon());
  ASSERT_FALSE(result);
  EXPECT_NE(result.error().to_line().find("`doveconf` in the container mailcow-dovecot-1 of"),
            std::string::npos)
      << result.error().to_line();
}

/// A `docker` of the test that runs what it is given on this machine, in a folder of its own.
class ContainerFiles : public testing::Test {
 protected:
  void SetUp() override {
    const std::string docker = folder_.file("docker");
    std::ofstream(docker) << "#!/bin/sh\n"
                             "[ \"$1\" = inspect ] && { echo true; exit 0; }\n"
                             "[ \"$1 $2 $3\" = 'exec --env LC_ALL=C' ] || exit 99\n"
                             "shift 3\n"
                             "[ \"$1\" = --interactive ] && shift || exec < /dev/null\n"
                             "[ \"$1\" = box ] && shift || exit 98\n"
                             "exec \"$@\"\n";
    ASSERT_EQ(chmod(docker.c_str(), 0755), 0);
    setenv("PATH", (folder_.path().string() + ":" + path_).c_str(), 1);
  }
  void TearDown() override { setenv("PATH", path_.c_str(), 1); }

  const std::string path_ = getenv("PATH");
  test::TempDir folder_;
  std::unique_ptr<Host> machine_ = local_host();
  std::unique_ptr<Host> host_ = container_host(*machine_, "box");
};

TEST_F(ContainerFiles, AreWrittenReadAndReplacedWithTheirRights) {
  const std::string file = folder_.file("plan-deny");
  std::string text = "line\n";
  text += '\0';
  text += std::string(300'000, 'x');
  EXPECT_FALSE(*host_->exists(file, soon()));
  const Outcome written = host_->replace_file(file, text, 0640, soon());
  ASSERT_TRUE(written) << written.error().to_line();
  EXPECT_TRUE(*host_->exists(file, soon()));
  EXPECT_EQ(*host_->read_file(file, 1'000'000, soon()), text);
  ASSERT_EQ(chmod(file.c_str(), 0600), 0);
  ASSERT_TRUE(host_->replace_file(file, "", 0644, soon()));
  EXPECT_EQ(*host_->read_file(file, 1'000'000, soon()), "");
  struct stat status {};
  ASSERT_EQ(stat(file.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0600U) << "a file that is there keeps its mode";
  EXPECT_FALSE(host_->read_file(folder_.file("none"), 100, soon()));
  ASSERT_TRUE(host_->replace_file(file, "0123456789", 0644, soon()));
  const auto large = host_->read_file(file, 5, soon());
  ASSERT_FALSE(large);
  EXPECT_NE(large.error().to_line().find("larger than 5 bytes"), std::string::npos);
}

TEST_F(ContainerFiles, OfAnotherContainerAreNotThese) {
  const auto other = container_host(*machine_, "other");
  const auto result = other->run({"true"}, soon());
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->exit_code, 98);
}

}  // namespace
}  // namespace plan::net
