// Against a real sshd on loopback; skipped where there is none.
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <fstream>
#include <thread>

#include "runtime/net/connect_once.h"
#include "runtime/net/errors.h"
#include "runtime/net/host.h"
#include "runtime/net/stream.h"
#include "tests/support/script_peer.h"
#include "tests/support/temp_dir.h"
#include "tests/support/told_error.h"

extern char** environ;

namespace {

std::atomic<bool> are_reads_late{false};
std::atomic<unsigned> reads{0};

}  // namespace

// Stands in front of the C library's: libssh2 reads its sockets with it.
extern "C" ssize_t recv(int socket, void* bytes, std::size_t size, int flags) {
  if (are_reads_late && reads++ % 2 == 0) {
    errno = EAGAIN;
    return -1;
  }
  return recvfrom(socket, bytes, size, flags, nullptr, nullptr);
}

namespace plan::net {
namespace {

using namespace std::chrono_literals;

/// As long as it lives, what a socket has is seen by every second look only: it came in between.
class LateReads {
 public:
  LateReads() { are_reads_late = true; }
  LateReads(const LateReads&) = delete;
  LateReads& operator=(const LateReads&) = delete;
  ~LateReads() { are_reads_late = false; }
};

Deadline soon() { return Deadline::after(60s); }

class SshHostTest : public testing::Test {
 protected:
  void SetUp() override {
    if (access("/usr/sbin/sshd", X_OK) != 0) GTEST_SKIP() << "sshd is not installed";
    if (getuid() != 0) GTEST_SKIP() << "sshd lets root in only when root starts it";
    mkdir("/run/sshd", 0755);
    for (const std::string name : {"host", "other", "user", "stranger"}) make_key(name, "ed25519");
    make_key("ecdsa", "ecdsa");
    ASSERT_EQ(local_->run({"cp", folder_.file("user.pub"), folder_.file("authorized")}, soon())
                  ->exit_code,
              0);
    port_ = std::move(*listen_tcp("127.0.0.1", 0))->port();
    start("host");
  }
  void TearDown() override { stop(); }

  void make_key(const std::string& name, const std::string& type) {
    ASSERT_EQ(
        local_->run({"ssh-keygen", "-q", "-t", type, "-N", "", "-f", folder_.file(name)}, soon())
            ->exit_code,
        0);
  }

  void start(const std::string& host_key, const std::string& more = {}) {
    std::ofstream config(folder_.file("sshd_config"));
    config << "Port " << port_ << "\nListenAddress 127.0.0.1\nHostKey " << folder_.file(host_key)
           << "\nAuthorizedKeysFile " << folder_.file("authorized")
           << "\nStrictModes no\nUsePAM no\nPidFile none\nPermitRootLogin yes\n"
           << "PasswordAuthentication no\nMaxStartups 100\n"
           << more << "\n";
    config.close();
    const std::string file = folder_.file("sshd_config");
    const std::string log = folder_.file("sshd.log");
    std::string arguments[] = {"/usr/sbin/sshd", "-D", "-e", "-f", file, "-E", log};
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    ASSERT_EQ(posix_spawn(&sshd_, argv[0], nullptr, &attributes, argv.data(), environ), 0);
    posix_spawnattr_destroy(&attributes);
    for (int attempt = 0; attempt < 200; ++attempt) {
      if (connect_tcp("127.0.0.1", port_, soon())) return;
      std::this_thread::sleep_for(10ms);
    }
    FAIL() << "sshd did not start";
  }

  void stop() {
    if (sshd_ <= 0) return;
    kill(-sshd_, SIGKILL);  // the sessions have groups of their own and end with their connections
    waitpid(sshd_, nullptr, 0);
    sshd_ = 0;
  }

  std::string fingerprint(const std::string& name) {
    const std::string text =
        local_->run({"ssh-keygen", "-lf", folder_.file(name + ".pub")}, soon())->output;
    const std::size_t begin = text.find("SHA256:") + 7;
    return text.substr(begin, text.find(' ', begin) - begin);
  }

  SshOptions options(const std::string& key = "user", const std::string& host_key = "host") {
    return {.user = "root",
            .host = "127.0.0.1",
            .port = port_,
            .private_key_file = folder_.file(key),
            .host_key_sha256_base64 = fingerprint(host_key)};
  }

  test::TempDir folder_;
  std::unique_ptr<Host> local_ = local_host();
  std::uint16_t port_ = 0;
  pid_t sshd_ = 0;
};

TEST_F(SshHostTest, OutputErrorsInputAndExitCodeCrossTheNetwork) {
  auto host = ssh_host(options(), soon());
  ASSERT_TRUE(host) << host.error().to_line();
  EXPECT_EQ((*host)->name(), "root@127.0.0.1");
  const auto result =
      (*host)->run({"sh", "-c", "cat; echo err >&2; exit 3"}, soon(), {.input = "in"});
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->output, "in");
  EXPECT_EQ(result->errors, "err\n");
  EXPECT_EQ(result->exit_code, 3);
}

TEST_F(SshHostTest, ArgumentsArriveAsTheyWere) {
  auto host = std::move(*ssh_host(options(), soon()));
  const auto result =
      host->run({"printf", "%s|", "$HOME", "a b", "", "`id`", "it's", "\n"}, soon());
  ASSERT_TRUE(result);
  EXPECT_EQ(result->output, "$HOME|a b||`id`|it's|\n|");
}

TEST_F(SshHostTest, MegabytesGoBothWaysAtOnce) {
  auto host = std::move(*ssh_host(options(), soon()));
  std::string much(4'000'000, 'x');
  for (std::size_t index = 0; index < much.size(); ++index)
    much[index] = static_cast<char>(index * 31 % 251);
  const auto result = host->run({"cat"}, soon(), {.input = much});
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_TRUE(result->output == much);
}

TEST_F(SshHostTest, OutputOverTheBoundIsAnErrorAndTheHostGoesOn) {
  auto host = std::move(*ssh_host(options(), soon()));
  const auto result =
      host->run({"head", "-c", "1000000", "/dev/zero"}, soon(), {.output_bytes_max = 1000});
  ASSERT_FALSE(result);
  EXPECT_TRUE(result.error().is(errors::answer_too_large));
  EXPECT_EQ(host->run({"echo", "still here"}, soon())->output, "still here\n");
}

TEST_F(SshHostTest, AnotherHostKeyIsRefusedBeforeAnythingIsSaid) {
  const auto host = ssh_host(options("user", "other"), soon());
  ASSERT_FALSE(host);
  EXPECT_TRUE(
      test::told_as("host-key-changed", host.error(),
                    {{fingerprint("other"), "<pinned>"}, {fingerprint("host"), "<shown>"}}));
}

TEST(SshHost, WhatIsNoSshServerIsSaidToBeNone) {
  test::ScriptPeer peer("S: SSH-1.5-ancient\ncut\n");
  const auto key = ssh_host_key_sha256("127.0.0.1", peer.port(), soon());
  ASSERT_FALSE(key);
  EXPECT_TRUE(
      test::told_as("ssh-failed", key.error(), {{key.error().detail(), "<libssh2's words>"}}));
}

/// The system takes its connections, as it does for an sshd that hangs.
TEST(SshHost, AServerThatSaysNothingIsWaitedForOnceInALookAtTheWorld) {
  const auto listener = std::move(*listen_tcp("127.0.0.1", 0));
  const SshOptions options{.user = "root",
                           .host = "127.0.0.1",
                           .port = listener->port(),
                           .private_key_file = "/nonexistent/key",
                           .host_key_sha256_base64 = std::string(43, 'A')};
  ConnectOnce look;
  const ConnectOnce::OfThread of_look(&look);
  const auto first = ssh_host(options, Deadline::after(100ms));
  ASSERT_FALSE(first);
  EXPECT_TRUE(first.error().is(errors::timed_out)) << first.error().to_line();
  const auto begun = std::chrono::steady_clock::now();
  const auto second = ssh_host(options, soon());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().to_line(), first.error().to_line());
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 30s);
}

TEST_F(SshHostTest, WithoutAPinThereIsNoSession) {
  SshOptions unpinned = options();
  unpinned.host_key_sha256_base64.clear();
  const auto host = ssh_host(unpinned, soon());
  ASSERT_FALSE(host);
  EXPECT_TRUE(host.error().is(errors::ssh_failed));
}

TEST_F(SshHostTest, AnEcdsaKeyCanBePinnedToo) {
  stop();
  start("ecdsa");
  EXPECT_TRUE(ssh_host(options("user", "ecdsa"), soon()));
  EXPECT_EQ(*ssh_host_key_sha256("127.0.0.1", port_, soon()), fingerprint("ecdsa"));
}

TEST_F(SshHostTest, TheShownHostKeyIsTheOneToPin) {
  EXPECT_EQ(*ssh_host_key_sha256("127.0.0.1", port_, soon()), fingerprint("host"));
}

TEST_F(SshHostTest, AStrangersKeyIsALoginRefused) {
  const auto host = ssh_host(options("stranger"), soon());
  ASSERT_FALSE(host);
  EXPECT_TRUE(host.error().is(errors::login_refused)) << host.error().to_line();
}

TEST_F(SshHostTest, AProgramThatIsMissingIsAnError) {
  auto host = std::move(*ssh_host(options(), soon()));
  const auto result = host->run({"/nonexistent/program"}, soon());
  ASSERT_FALSE(result);
  EXPECT_TRUE(result.error().is(errors::command_failed));
}

TEST_F(SshHostTest, ACommandThatHangsEndsAtTheDeadlineAndTheNextOneGetsANewSession) {
  auto host = std::move(*ssh_host(options(), soon()));
  const auto result = host->run({"sleep", "5"}, Deadline::after(200ms));
  ASSERT_FALSE(result);
  EXPECT_TRUE(result.error().is(errors::timed_out));
  EXPECT_EQ(result.error().effect(), Effect::unknown);
  EXPECT_EQ(host->run({"echo", "again"}, soon())->output, "again\n");
}

TEST_F(SshHostTest, ASessionThatDiedIsMadeAgain) {
  auto host = std::move(*ssh_host(options(), soon()));
  const auto parent = host->run({"sh", "-c", "echo $PPID"}, soon());
  ASSERT_TRUE(parent);
  kill(std::stoi(parent->output), SIGKILL);  // the server's process for our session
  std::this_thread::sleep_for(50ms);
  const auto result = host->run({"echo", "again"}, soon());
  ASSERT_TRUE(result) << result.error().to_line();
  EXPECT_EQ(result->output, "again\n");
}

TEST_F(SshHostTest, ASessionThatDiesUnderACommandLeavesTheEffectUnknown) {
  auto host = std::move(*ssh_host(options(), soon()));
  const auto result = host->run({"sh", "-c", "kill -9 $PPID; sleep 1"}, soon());
  ASSERT_FALSE(result);
  EXPECT_TRUE(result.error().is(errors::connection_lost)) << result.error().to_line();
  EXPECT_EQ(result.error().effect(), Effect::unknown);
}

TEST_F(SshHostTest, FilesAreReadReplacedAndLookedFor) {
  auto host = std::move(*ssh_host(options(), soon()));
  const std::string path = folder_.file("it's a file");
  EXPECT_FALSE(*host->exists(path, soon()));
  EXPECT_TRUE(host->read_file(path, 100, soon()).error().is(errors::file_unreadable));
  const std::string bytes("one\0two\n", 8);
  ASSERT_TRUE(host->replace_file(path, bytes, 0640, soon()));
  EXPECT_TRUE(*host->exists(path, soon()));
  EXPECT_EQ(*host->read_file(path, 100, soon()), bytes);
  EXPECT_TRUE(host->read_file(path, 7, soon()).error().is(errors::file_unreadable));
  chmod(path.c_str(), 0604);
  ASSERT_TRUE(host->replace_file(path, "", 0640, soon()));
  struct stat status {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777U, 0604U);
  EXPECT_EQ(status.st_size, 0);
  EXPECT_TRUE(host->replace_file(folder_.file("no/file"), "x", 0600, soon())
                  .error()
                  .is(errors::file_unreadable));
}

TEST_F(SshHostTest, ThePoolKeepsOneHostForABlockAndThisMachineForNone) {
  HostPool pool;
  const auto local = pool.open(ir::Value(), soon());
  ASSERT_TRUE(local);
  EXPECT_EQ((*local)->name(), "this machine");
  const SshOptions wanted = options();
  const ir::Value block = ir::Value::map({{"ssh", "root@127.0.0.1:" + std::to_string(port_)},
                                          {"key", ir::SecretRef{"file", wanted.private_key_file}},
                                          {"host_key", wanted.host_key_sha256_base64}});
  const auto first = pool.open(block, soon());
  ASSERT_TRUE(first) << first.error().to_line();
  EXPECT_EQ(*first, *pool.open(block, soon()));
  EXPECT_FALSE(pool.open(ir::Value::map({{"ssh", "root@127.0.0.1:none"}}), soon()));
}

TEST_F(SshHostTest, AKeyFileIsLookedForBesideThePlan) {
  const ir::Value block = ir::Value::map({{"ssh", "root@127.0.0.1:" + std::to_string(port_)},
                                          {"key", ir::SecretRef{"file", "user"}},
                                          {"host_key", fingerprint("host")}});
  HostPool beside(folder_.path().string());
  const auto opened = beside.open(block, soon());
  EXPECT_TRUE(opened) << opened.error().to_line();
  HostPool elsewhere;
  EXPECT_TRUE(elsewhere.open(block, soon()).error().is(errors::file_unreadable));
}

TEST_F(SshHostTest, AKeyThatOthersCanReadIsNotUsed) {
  chmod(folder_.file("user").c_str(), 0640);
  HostPool pool(folder_.path().string());
  const auto opened = pool.open(ir::Value::map({{"ssh", "root@127.0.0.1:" + std::to_string(port_)},
                                                {"key", ir::SecretRef{"file", "user"}},
                                                {"host_key", fingerprint("host")}}),
                                soon());
  ASSERT_FALSE(opened);
  EXPECT_NE(opened.error().message().find("mode 640"), std::string::npos);
}

TEST_F(SshHostTest, ACommandStartsInTheFolderThatWasAskedFor) {
  auto host = std::move(*ssh_host(options(), soon()));
  CommandOptions in_folder;
  in_folder.directory = folder_.path().string();
  EXPECT_EQ(host->run({"pwd"}, soon(), in_folder)->output, folder_.path().string() + "\n");
  in_folder.directory = "/no/such folder";
  EXPECT_NE(host->run({"pwd"}, soon(), in_folder)->exit_code, 0);
}

TEST_F(SshHostTest, TheShownHostKeyIsThePinnedOneWhileTheMachineStillHasIt) {
  const auto shown = [&](const std::string& pin) {
    return *shown_host_key(
        ir::Value::map({{"ssh", "root@127.0.0.1:" + std::to_string(port_)}, {"host_key", pin}}),
        soon());
  };
  EXPECT_EQ(shown(""), fingerprint("host"));
  EXPECT_EQ(shown(fingerprint("other")), fingerprint("host")) << "another one is shown as it is";
  stop();
  start("host", "HostKey " + folder_.file("ecdsa"));
  EXPECT_EQ(shown(fingerprint("ecdsa")), fingerprint("ecdsa"));
  EXPECT_EQ(shown("SHA256:" + fingerprint("host")), fingerprint("host"));
}

TEST_F(SshHostTest, CommandsOfSeveralThreadsRunAtTheSameTime) {
  auto host = std::move(*ssh_host(options(), soon()));
  // Each waits for a file that the next one makes: in turns none but the last would end.
  std::vector<std::thread> threads;
  std::atomic<int> ended{0};
  for (int number = 0; number < 4; ++number) {
    threads.emplace_back([&, number] {
      const std::string wait = number == 3 ? "true" : "test -e " + std::to_string(number + 1);
      CommandOptions here;
      here.directory = folder_.path().string();
      const auto result = host->run(
          {"sh", "-c", "until " + wait + "; do sleep 0.05; done; touch " + std::to_string(number)},
          soon(), here);
      ASSERT_TRUE(result) << result.error().to_line();
      ++ended;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(ended, 4);
}

TEST_F(SshHostTest, OutputThatComesBetweenTwoLooksIsNotWaitedFor) {
  auto host = std::move(*ssh_host(options(), soon()));
  const LateReads late;
  for (int turn = 0; turn < 20; ++turn) {
    const auto output = host->run({"echo", "said"}, Deadline::after(20s));
    ASSERT_TRUE(output) << output.error().to_line();
    EXPECT_EQ(output->output, "said\n");
    const auto errors = host->run({"sh", "-c", "echo said >&2"}, Deadline::after(20s));
    ASSERT_TRUE(errors) << errors.error().to_line();
    EXPECT_EQ(errors->errors, "said\n");
  }
}

TEST_F(SshHostTest, SeveralThreadsTakeTurns) {
  auto host = std::move(*ssh_host(options(), soon()));
  std::vector<std::thread> threads;
  for (int number = 0; number < 4; ++number) {
    threads.emplace_back([&, number] {
      for (int turn = 0; turn < 3; ++turn) {
        const auto result = host->run({"echo", std::to_string(number)}, soon());
        ASSERT_TRUE(result) << result.error().to_line();
        EXPECT_EQ(result->output, std::to_string(number) + "\n");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace plan::net
