// The commands that stop and start a server, and what is made of their answers. The machine is a
// double: its answers are those of systemd 252 and docker 20 and later.
#include "runtime/dump/move/service.h"

#include <gtest/gtest.h>

#include <deque>

#include "runtime/dump/move/errors.h"
#include "runtime/secret/secret_store.h"
#include "tests/support/fake_host.h"
#include "tests/support/told_error.h"
#include "tests/unit/runtime/dump/waiting_clock.h"

namespace plan::dump {
namespace {

using Words = std::vector<std::string>;

class ServiceTest : public ::testing::Test {
 protected:
  ServiceTest() {
    host_.program = [this](const Words&, const std::string&) -> Result<net::CommandResult> {
      if (answers_.empty()) return net::CommandResult{.exit_code = 99, .errors = "not asked for"};
      net::CommandResult answer = answers_.front();
      answers_.pop_front();
      return answer;
    };
  }

  /// What the machine says to the next commands, in turn.
  void answer(std::deque<net::CommandResult> answers) { answers_ = std::move(answers); }
  static net::CommandResult unit(const std::string& load, const std::string& active) {
    return {.output = "LoadState=" + load + "\nActiveState=" + active + "\n"};
  }
  static net::CommandResult container(const std::string& status) {
    return {.output = status + "\n"};
  }
  Result<bool> is_running(const net::CommandResult& said) {
    answers_ = {said};
    return Service(host_, block_).is_running();
  }

  step::StepContext context() {
    return {.id = "service.stop",
            .arguments = arguments_,
            .secrets = secrets_,
            .clock = clock_,
            .stop = stop_};
  }

  test::FakeHost host_;
  ServerBlock block_;
  WaitingClock clock_;

 private:
  std::deque<net::CommandResult> answers_;
  ir::Value arguments_ = ir::Value::map();
  secret::SecretStore secrets_{secret::SecretStoreOptions{.plan_directory = "."}};
  step::StopSignal stop_;
};

const Words kShow = {"systemctl", "show", "--property=LoadState", "--property=ActiveState",
                     "stalwart.service"};
const Words kInspect = {"docker",   "inspect",           "--type", "container",
                        "--format", "{{.State.Status}}", "mail"};

// Every look into the new store asks first whether there is an address to look at.
TEST(ServerBlockReading, leaves_a_store_that_only_the_server_opens_to_the_server) {
  const auto block = read_server_block(ir::Value::map(
      {{"config", "/etc/stalwart/config.json"},
       {"new_config", "/etc/stalwart/new.json"},
       {"to", ir::Value::map({{"address", "foundationdb:/etc/foundationdb/fdb.cluster"}})}}));
  ASSERT_TRUE(block) << block.error().to_line();
  EXPECT_EQ(block->to.address, "");
  EXPECT_TRUE(block->is_moved());
}

TEST_F(ServiceTest, a_unit_is_stopped_and_waited_for) {
  block_.unit = "stalwart.service";
  answer(
      {unit("loaded", "active"), {}, unit("loaded", "deactivating"), unit("loaded", "inactive")});
  auto step = context();
  const Outcome stopped = Service(host_, block_).stop(step);
  ASSERT_TRUE(stopped) << stopped.error().to_line();
  EXPECT_EQ(host_.commands,
            (std::vector<Words>{kShow, {"systemctl", "stop", "stalwart.service"}, kShow, kShow}));
}

TEST_F(ServiceTest, a_unit_that_is_stopped_is_left_alone) {
  block_.unit = "stalwart.service";
  answer({unit("loaded", "failed"), unit("loaded", "failed")});
  auto step = context();
  ASSERT_TRUE(Service(host_, block_).stop(step));
  EXPECT_EQ(host_.commands, (std::vector<Words>{kShow, kShow}));
}

TEST_F(ServiceTest, a_unit_is_started_and_looked_at_until_it_is_ready) {
  block_.unit = "stalwart.service";
  block_.ready = {"curl", "-f", "http://127.0.0.1:8080/healthz/ready"};
  answer({unit("loaded", "inactive"),
          {},
          unit("loaded", "activating"),
          {.exit_code = 22, .errors = "503"},
          unit("loaded", "active"),
          {}});
  auto step = context();
  const Outcome started = Service(host_, block_).start(step);
  ASSERT_TRUE(started) << started.error().to_line();
  EXPECT_EQ(host_.commands, (std::vector<Words>{kShow,
                                                {"systemctl", "start", "stalwart.service"},
                                                kShow,
                                                block_.ready,
                                                kShow,
                                                block_.ready}));
}

TEST_F(ServiceTest, every_state_of_a_unit_is_known) {
  block_.unit = "stalwart.service";
  for (const char* up : {"active", "reloading", "activating", "deactivating", "maintenance"})
    EXPECT_TRUE(*is_running(unit("loaded", up))) << up;
  for (const char* down : {"inactive", "failed"}) EXPECT_FALSE(*is_running(unit("loaded", down)));
}

/// `systemctl is-active` calls a misspelt unit inactive: its server would be dumped as it runs.
TEST_F(ServiceTest, a_unit_that_nobody_knows_is_not_one_that_is_stopped) {
  block_.unit = "stalwart.service";
  for (const char* load : {"not-found", "masked"}) {
    const auto running = is_running(unit(load, "inactive"));
    ASSERT_FALSE(running) << load;
    EXPECT_TRUE(running.error().is(errors::service_unknown)) << running.error().to_line();
  }
  EXPECT_TRUE(test::told_as("service-unknown", is_running(unit("not-found", "inactive")).error()));
  for (const net::CommandResult& odd :
       {net::CommandResult{.output = ""}, net::CommandResult{.output = "ActiveState=inactive\n"},
        net::CommandResult{.output = "LoadState=loaded\n"}, unit("bad-setting", "inactive"),
        net::CommandResult{.exit_code = 1, .errors = "Failed to connect to bus"}}) {
    const auto running = is_running(odd);
    ASSERT_FALSE(running);
    EXPECT_TRUE(running.error().is(errors::server_command_failed)) << running.error().to_line();
  }
  // Nothing was stopped or started for all this.
  for (const Words& command : host_.commands) EXPECT_EQ(command, kShow);
}

TEST_F(ServiceTest, each_start_is_told_apart) {
  block_.unit = "stalwart.service";
  answer({{.output = "InvocationID=0a1b\n"}});
  EXPECT_EQ(Service(host_, block_).identity().value_or("?"), "0a1b");
  block_.unit.clear();
  block_.container = "mail";
  answer({{.output = "2026-11-29T15:00:00.1Z\n"}});
  EXPECT_EQ(Service(host_, block_).identity().value_or("?"), "2026-11-29T15:00:00.1Z");
  block_.container.clear();
  block_.running = {"pgrep", "stalwart"};
  EXPECT_EQ(Service(host_, block_).identity().value_or("?"), "") << "commands cannot tell";
  EXPECT_EQ(
      host_.commands,
      (std::vector<Words>{{"systemctl", "show", "--property=InvocationID", "stalwart.service"},
                          {"docker", "inspect", "--type", "container", "--format",
                           "{{.State.StartedAt}}", "mail"}}));
}

TEST_F(ServiceTest, a_unit_that_does_not_stop_is_said_to_stay) {
  block_.unit = "stalwart.service";
  block_.stop_within = std::chrono::milliseconds(500);
  answer({unit("loaded", "active"),
          {},
          unit("loaded", "deactivating"),
          unit("loaded", "deactivating"),
          unit("loaded", "deactivating")});
  auto step = context();
  const Outcome stopped = Service(host_, block_).stop(step);
  ASSERT_FALSE(stopped);
  EXPECT_TRUE(test::told_as("service-stays", stopped.error()));
}

TEST_F(ServiceTest, a_unit_that_runs_and_does_not_serve_is_told_in_the_words_of_the_question) {
  block_.unit = "stalwart.service";
  block_.ready = {"curl", "-f", "http://127.0.0.1:8080/healthz/ready"};
  block_.start_within = std::chrono::milliseconds(100);
  const net::CommandResult refused{.exit_code = 22,
                                   .errors = "curl: (22) The requested URL returned error: 503"};
  answer({unit("loaded", "inactive"),
          {},
          unit("loaded", "active"),
          refused,
          unit("loaded", "active"),
          refused});
  auto step = context();
  const Outcome started = Service(host_, block_).start(step);
  ASSERT_FALSE(started);
  EXPECT_TRUE(test::told_as("service-not-ready", started.error()));
}

TEST_F(ServiceTest, a_command_of_the_service_that_fails_is_told_in_its_own_words) {
  block_.unit = "stalwart.service";
  answer({unit("loaded", "active"),
          {.exit_code = 4, .errors = "Failed to stop stalwart.service: Access denied\n"}});
  auto step = context();
  const Outcome stopped = Service(host_, block_).stop(step);
  ASSERT_FALSE(stopped);
  EXPECT_TRUE(test::told_as("server-command-failed", stopped.error()));
}

TEST_F(ServiceTest, a_container_is_stopped_and_started) {
  block_.container = "mail";
  answer({container("running"), {}, container("running"), container("exited")});
  auto step = context();
  ASSERT_TRUE(Service(host_, block_).stop(step));
  EXPECT_EQ(host_.commands,
            (std::vector<Words>{kInspect, {"docker", "stop", "mail"}, kInspect, kInspect}));
  host_.commands.clear();
  answer({container("exited"), {}, container("running")});
  ASSERT_TRUE(Service(host_, block_).start(step));
  EXPECT_EQ(host_.commands, (std::vector<Words>{kInspect, {"docker", "start", "mail"}, kInspect}));
}

TEST_F(ServiceTest, every_state_of_a_container_is_known) {
  block_.container = "mail";
  for (const char* up : {"running", "paused", "restarting", "removing"})
    EXPECT_TRUE(*is_running(container(up))) << up;
  for (const char* down : {"created", "exited", "dead"})
    EXPECT_FALSE(*is_running(container(down))) << down;
}

TEST_F(ServiceTest, a_container_that_nobody_knows_is_not_one_that_is_stopped) {
  block_.container = "mail";
  for (const char* words : {"Error: No such container: mail",
                            "Error response from daemon: No such "
                            "container: mail"}) {
    const auto running = is_running({.exit_code = 1, .output = "\n", .errors = words});
    ASSERT_FALSE(running);
    EXPECT_TRUE(running.error().is(errors::service_unknown)) << running.error().to_line();
  }
  for (const net::CommandResult& odd :
       {net::CommandResult{.output = ""}, container("stopping"),
        net::CommandResult{.exit_code = 1, .errors = "Cannot connect to the Docker daemon"}}) {
    const auto running = is_running(odd);
    ASSERT_FALSE(running);
    EXPECT_TRUE(running.error().is(errors::server_command_failed)) << running.error().to_line();
  }
}

TEST_F(ServiceTest, the_plans_own_commands_are_run_as_they_stand) {
  block_.stop = {"rc-service", "stalwart", "stop"};
  block_.start = {"rc-service", "stalwart", "start"};
  block_.running = {"rc-service", "stalwart", "status"};
  answer({{}, {}, {.exit_code = 3}});
  auto step = context();
  ASSERT_TRUE(Service(host_, block_).stop(step));
  EXPECT_EQ(host_.commands, (std::vector<Words>{block_.running, block_.stop, block_.running}));
  host_.commands.clear();
  answer({{.exit_code = 3}, {}, {}});
  ASSERT_TRUE(Service(host_, block_).start(step));
  EXPECT_EQ(host_.commands, (std::vector<Words>{block_.running, block_.start, block_.running}));
}

}  // namespace
}  // namespace plan::dump
