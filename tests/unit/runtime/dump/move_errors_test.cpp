// What each error of a move tells that the service alone does not: the server's own program as a
// double, and steps on this machine with a store, a dump and commands of the test.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "runtime/dump/move/drivers.h"
#include "runtime/dump/move/errors.h"
#include "runtime/dump/move/server_program.h"
#include "runtime/dump/store/export_store.h"
#include "runtime/dump/store/store_writer.h"
#include "runtime/dump/subspace.h"
#include "runtime/secret/secret_store.h"
#include "tests/support/fake_host.h"
#include "tests/support/temp_dir.h"
#include "tests/support/told_error.h"
#include "tests/unit/runtime/dump/waiting_clock.h"

namespace plan::dump {
namespace {

namespace fs = std::filesystem;
using ir::Value;
using test::told_as;

constexpr const char* kConfig = "/etc/stalwart/config.json";

TEST(ServerProgramErrors, an_import_that_fails_is_told_in_the_words_of_the_server) {
  test::FakeHost host;
  host.files[kConfig] = R"({"@type": "Sqlite", "path": "/srv/mail/store.sqlite"})";
  host.program = [](const std::vector<std::string>& arguments,
                    const std::string&) -> Result<net::CommandResult> {
    if (arguments.front() != "env") return net::CommandResult{};
    return net::CommandResult{.exit_code = 1,
                              .errors = "Failed to import subspace_l: unexpected end of file\n"};
  };
  ServerBlock block;
  block.binary = "/usr/local/bin/stalwart";
  const Outcome imported =
      ServerProgram(host, block).import_store(kConfig, "/srv/dumps/first", false);
  ASSERT_FALSE(imported);
  EXPECT_TRUE(told_as("server-program-failed", imported.error()));
}

/// 0.16 ends with 0 where it finds no configuration.
TEST(ServerProgramErrors, an_import_without_its_configuration_is_not_begun) {
  test::FakeHost host;
  const ServerBlock block;
  const Outcome imported =
      ServerProgram(host, block).import_store(kConfig, "/srv/dumps/first", false);
  ASSERT_FALSE(imported);
  EXPECT_TRUE(told_as("server-config-wrong", imported.error()));
  EXPECT_TRUE(host.commands.empty());
}

class MoveErrors : public ::testing::Test {
 protected:
  void SetUp() override {
    command("docker", "cat \"$(dirname \"$0\")/state\"");
    write("state", "exited\n");
    write("config.json", R"({"@type": "Sqlite", "path": "store.sqlite"})");
    const char* path = std::getenv("PATH");
    path_ = path == nullptr ? "" : path;
    setenv("PATH", (folder_.path().string() + ":" + path_).c_str(), 1);
    StoreAddress address;
    address.path = folder_.file("store.sqlite");
    {
      auto writer = open_store_writer(address);
      ASSERT_TRUE(writer) << writer.error().to_line();
      ASSERT_TRUE((*writer)->prepare(kSchema16, "a dump"));
      ASSERT_TRUE((*writer)->finish({{std::string(1, '\0'), std::string("\0\0\0\6", 4)}}));
    }
    const auto exported = export_store(address, {.folder = folder_.file("dump")});
    ASSERT_TRUE(exported) << exported.error().to_line();
    arguments_ =
        Value::map({{"folder", folder_.file("dump")},
                    {"folders", Value::list({Value(folder_.file("next"))})},
                    {"target", Value::map({{"config", folder_.file("config.json")},
                                           {"from", Value::map({{"address", address.name()}})},
                                           {"service", Value::map({{"container", "mail"}})}})}});
    world_.hosts = std::make_shared<net::HostPool>(folder_.path().string());
  }
  void TearDown() override { setenv("PATH", path_.c_str(), 1); }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_.path() / name, std::ios::trunc) << text;
  }
  void command(const std::string& name, const std::string& script) {
    write(name, "#!/bin/sh\n" + script + "\n");
    fs::permissions(folder_.path() / name, fs::perms::owner_all);
  }
  step::StepContext context() {
    return {
        .id = "move", .arguments = arguments_, .secrets = secrets_, .clock = clock_, .stop = stop_};
  }

  test::TempDir folder_;
  MoveWorld world_;

 private:
  std::string path_;
  Value arguments_ = Value::map();
  WaitingClock clock_;
  secret::SecretStore secrets_{secret::SecretStoreOptions{.plan_directory = "."}};
  step::StopSignal stop_;
};

TEST_F(MoveErrors, a_server_that_somebody_started_again_is_told) {
  auto step = context();
  const auto stop = make_stop_driver(world_);
  const auto stopped = stop->apply(step);
  ASSERT_TRUE(stopped) << stopped.error().to_line();
  EXPECT_TRUE(stop->verify(step));
  write("state", "running\n");
  const Outcome runs = stop->verify(step);
  ASSERT_FALSE(runs);
  EXPECT_TRUE(told_as("service-runs", runs.error()));
}

TEST_F(MoveErrors, a_dump_that_lost_a_file_is_not_proved) {
  auto step = context();
  const auto exporting = make_export_driver(world_);
  const Outcome proved = exporting->verify(step);
  ASSERT_TRUE(proved) << proved.error().to_line();
  fs::remove(folder_.file("dump/subspace_l"));
  const Outcome refused = exporting->verify(step);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(told_as("dump-not-proved", refused.error()));
}

TEST_F(MoveErrors, a_disk_that_is_too_small_is_seen_before_the_stop) {
  command("df", "echo '    Avail Mounted on'; echo '     4096 /srv'");
  // The store is a file of its own size: what would be written is told of one that is known.
  fs::resize_file(folder_.file("store.sqlite"), 1'048'576);
  auto step = context();
  const auto refused = make_check_driver(world_)->apply(step);
  ASSERT_FALSE(refused);
  EXPECT_TRUE(told_as("dump-disk-full", refused.error()));
  command("df", "echo '    Avail Mounted on'; echo '     1048576 /srv'");
  const auto fits = make_check_driver(world_)->apply(step);
  EXPECT_TRUE(fits) << fits.error().to_line();
}

}  // namespace
}  // namespace plan::dump
