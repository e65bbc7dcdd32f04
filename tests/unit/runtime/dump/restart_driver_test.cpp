// A restart of the target as a step: it happens once, also when the step is cut off anywhere, and
// is not over before the ports answer. `docker` is a script of the test, with docker's answers.
#include <gtest/gtest.h>

#include <fstream>

#include "runtime/dump/move/drivers.h"
#include "runtime/dump/move/errors.h"
#include "runtime/net/stream.h"
#include "runtime/secret/secret_store.h"
#include "runtime/step/errors.h"
#include "tests/support/shared_data.h"
#include "tests/support/temp_dir.h"
#include "tests/support/told_error.h"
#include "tests/unit/runtime/dump/waiting_clock.h"

namespace plan::dump {
namespace {

using ir::Standing;
using ir::Value;

// `cut`: the call of this number has its effect, and its answer is lost.
constexpr const char* kDocker = R"sh(#!/bin/sh
cd "$(dirname "$0")" || exit 9
calls=$(($(cat calls) + 1)); echo $calls > calls
case "$1" in
  stop) echo exited > state ;;
  start) [ "$(cat state)" = running ] || echo $(($(cat starts) + 1)) > starts; echo running > state ;;
  inspect)
    [ "$6" = mail ] || { echo "Error: No such container: $6" >&2; exit 1; }
    case "$5" in
      *StartedAt*) echo "2026-11-29T15:00:0$(cat starts)Z" ;;
      *) cat state ;;
    esac ;;
  *) exit 8 ;;
esac
[ "$calls" != "$(cat cut)" ] || { echo lost >&2; exit 7; }
)sh";

class RestartDriver : public ::testing::Test {
 protected:
  void SetUp() override {
    write("docker", kDocker);
    std::filesystem::permissions(folder_.path() / "docker", std::filesystem::perms::owner_all);
    reset(0);
    auto door = net::listen_tcp("127.0.0.1", 0);
    ASSERT_TRUE(door) << door.error().to_line();
    door_ = std::move(*door);
    const char* path = std::getenv("PATH");
    path_ = path == nullptr ? "" : path;
    setenv("PATH", (folder_.path().string() + ":" + path_).c_str(), 1);
    arguments_ = Value::map(
        {{"target", Value::map({{"kind", "stalwart"},
                                {"url", "https://127.0.0.1:" + std::to_string(door_->port())},
                                {"address", "127.0.0.1"},
                                {"start_within", 1'000},
                                {"service", Value::map({{"container", "mail"}})}})},
         {"ports", Value::list({Value(static_cast<std::int64_t>(door_->port()))})}});
    driver_ = make_restart_driver({std::make_shared<net::HostPool>(folder_.path().string()), {}});
  }
  void TearDown() override { setenv("PATH", path_.c_str(), 1); }

  void write(const std::string& name, const std::string& text) {
    std::ofstream(folder_.path() / name) << text;
  }
  int number(const std::string& name) const {
    return std::stoi(test::read_all(folder_.path() / name));
  }
  std::string state() const { return test::read_all(folder_.path() / "state"); }
  void reset(int cut) {
    write("calls", "0\n");
    write("starts", "1\n");
    write("state", "running\n");
    write("cut", std::to_string(cut) + "\n");
    notes_ = {};
  }

  step::StepContext context() {
    return {.id = "target/restart",
            .kind = ir::StepKind::service_restart,
            .arguments = arguments_,
            .secrets = secrets_,
            .clock = clock_,
            .stop = stop_,
            .notes = notes_,
            .remember = [this](const Value& notes) -> Outcome {
              notes_ = notes;
              return {};
            }};
  }
  Outcome apply() {
    auto step = context();
    PLAN_TRY(outputs, driver_->apply(step));
    static_cast<void>(outputs);
    return driver_->verify(step);
  }
  Standing standing() {
    auto step = context();
    const auto seen = driver_->observe(step);
    EXPECT_TRUE(seen) << seen.error().to_line();
    return seen ? seen->standing : Standing::unknowable;
  }

  Value arguments_ = Value::map();
  std::shared_ptr<step::StepDriver> driver_;
  Value notes_;

 private:
  test::TempDir folder_;
  std::string path_;
  std::unique_ptr<net::Listener> door_;
  WaitingClock clock_;
  secret::SecretStore secrets_{secret::SecretStoreOptions{.plan_directory = "."}};
  step::StopSignal stop_;
};

TEST_F(RestartDriver, RestartsOnceAndThenItIsSo) {
  EXPECT_EQ(standing(), Standing::differs);
  EXPECT_EQ(number("starts"), 1) << "a look changes nothing";
  const Outcome done = apply();
  ASSERT_TRUE(done) << done.error().to_line();
  EXPECT_EQ(number("starts"), 2);
  EXPECT_EQ(standing(), Standing::satisfied);
  auto step = context();
  ASSERT_TRUE(driver_->undo(step));
  EXPECT_EQ(number("starts"), 2) << "on the way back another step restarts";
}

TEST_F(RestartDriver, IsCutOffAnywhereAndRestartsOnceAllTheSame) {
  int cut = 1;
  for (;; ++cut) {
    reset(cut);
    const Outcome first = apply();
    if (first) break;
    // What a run does that finds the step open: it looks, and applies it again.
    static_cast<void>(standing());
    const Outcome again = apply();
    ASSERT_TRUE(again) << "cut at " << cut << ": " << again.error().to_line();
    EXPECT_EQ(number("starts"), 2) << "cut at " << cut;
    EXPECT_EQ(state(), "running\n") << "cut at " << cut;
  }
  EXPECT_GT(cut, 6) << "fewer calls than a stop, a start and the looks between them";
}

TEST_F(RestartDriver, ThatStandsInFrontOfTheWritesRestartsOnTheWayBackOnly) {
  arguments_.set("only_back", true);
  EXPECT_EQ(standing(), Standing::differs) << "what is satisfied would never be undone";
  ASSERT_TRUE(apply());
  EXPECT_EQ(standing(), Standing::satisfied);
  EXPECT_EQ(number("starts"), 1);
  auto step = context();
  const Outcome undone = driver_->undo(step);
  ASSERT_TRUE(undone) << undone.error().to_line();
  EXPECT_EQ(number("starts"), 2);
}

TEST_F(RestartDriver, IsNotOverBeforeThePortsAnswer) {
  // The target was restarted and does not listen there: port 1 of this machine is nobody's.
  arguments_.set("ports", Value::list({1}));
  const Outcome first = apply();
  ASSERT_FALSE(first);
  EXPECT_TRUE(first.error().is(errors::service_not_ready)) << first.error().to_line();
  EXPECT_NE(first.error().to_line().find("port 1 of 127.0.0.1"), std::string::npos);
  EXPECT_EQ(first.error().effect(), Effect::unknown);
  ASSERT_FALSE(apply());
  EXPECT_EQ(number("starts"), 2) << "another restart would not help";
}

TEST_F(RestartDriver, RefusesWhatItCannotRestart) {
  Value target = arguments_["target"];
  target.set("service", Value::map({{"container", "other"}}));
  arguments_.set("target", target);
  auto step = context();
  const auto seen = driver_->observe(step);
  ASSERT_FALSE(seen);
  EXPECT_TRUE(seen.error().is(errors::service_unknown)) << seen.error().to_line();
  target.set("service", nullptr);
  arguments_.set("target", target);
  auto without = context();
  const auto blind = driver_->observe(without);
  ASSERT_FALSE(blind);
  EXPECT_TRUE(test::told_as("argument-missing", blind.error()));
  EXPECT_EQ(number("starts"), 1);
}

}  // namespace
}  // namespace plan::dump
