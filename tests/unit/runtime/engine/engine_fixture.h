#pragma once
#include <gtest/gtest.h>

#include <map>

#include "runtime/engine/engine.h"
#include "runtime/engine/errors.h"
#include "runtime/engine/rollback.h"
#include "runtime/engine/status.h"
#include "runtime/store/fault_vfs.h"
#include "tests/support/fake_world.h"
#include "tests/support/move_graph.h"
#include "tests/support/temp_dir.h"

namespace plan::engine {

/// Time that goes on only when somebody sleeps.
class StillClock final : public net::Clock {
 public:
  Monotonic now() override { return Monotonic(std::chrono::milliseconds(ms_.load())); }
  std::int64_t wall_ms() override { return 1'700'000'000'000 + ms_.load(); }
  void sleep_for(std::chrono::milliseconds duration) override { ms_ += duration.count(); }
  void advance(std::chrono::milliseconds duration) { ms_ += duration.count(); }

 private:
  std::atomic<std::int64_t> ms_{1'000'000};
};

class NoSecrets final : public secret::SecretSource {
 public:
  Result<secret::Secret> read(const ir::SecretRef&) override { return secret::Secret("x"); }
  Result<ir::SecretRef> seal(const secret::Secret&) override {
    return ir::SecretRef{"sealed", "x"};
  }
};

inline step::DriverTable world_drivers(test::World& world) {
  step::DriverTable table;
  const auto driver = std::make_shared<test::WorldDriver>(world);
  for (const ir::StepKindInfo& info : ir::all_step_kinds()) table.add(info.kind, driver);
  add_local_drivers(table);
  return table;
}

/// A journal in a folder of its own, a world, and everything that a run needs.
class EngineTest : public ::testing::Test {
 protected:
  EngineTest() {
    options_.plan_name = "test";
    options_.boot_id = "boot-1";
  }

  /// The journal is opened anew for every run, as another process would.
  Result<RunResult> run(const ir::StepGraph& graph) {
    auto journal = open();
    if (!journal) return std::move(journal).error();
    return engine::run(parts(graph, **journal), options_);
  }
  Result<RunResult> back(const ir::StepGraph& graph, const RollbackGoal& goal) {
    auto journal = open();
    if (!journal) return std::move(journal).error();
    return engine::roll_back(parts(graph, **journal), options_, goal);
  }
  Result<std::unique_ptr<Journal>> open() {
    return open_journal(folder_.file("journal.sqlite"), {.vfs = vfs_.name(), .clock = &clock_});
  }
  EngineParts parts(const ir::StepGraph& graph, Journal& journal) {
    return {graph, journal, drivers_, secrets_, clock_, events_, stop_};
  }
  void approve(const std::string& subject) {
    auto journal = open();
    ASSERT_TRUE(journal);
    ASSERT_TRUE((*journal)->add_request({.kind = RequestKind::approve, .subject = subject}));
  }
  [[nodiscard]] std::string state_of(const std::string& step) {
    auto journal = open();
    auto record = (*journal)->step(step);
    if (!record || !*record) return "waiting";
    return std::string(to_string((*record)->state));
  }
  template <class T>
  [[nodiscard]] std::size_t count_events() const {
    std::size_t count = 0;
    for (const report::Event& event : events_.events())
      count += std::holds_alternative<T>(event.what);
    return count;
  }

  [[nodiscard]] std::size_t count_notices(std::string_view beginning) const {
    std::size_t count = 0;
    for (const report::Event& event : events_.events()) {
      const auto* notice = std::get_if<report::Notice>(&event.what);
      count += notice != nullptr && notice->text.starts_with(beginning);
    }
    return count;
  }

  test::TempDir folder_;
  store::FaultVfs vfs_{std::string("vfs-") +
                       ::testing::UnitTest::GetInstance()->current_test_info()->name()};
  std::unique_ptr<test::World> owned_world_ = std::make_unique<test::World>();
  test::World& world_ = *owned_world_;
  step::DriverTable drivers_ = world_drivers(world_);
  NoSecrets secrets_;
  StillClock clock_;
  report::EventRecorder events_;
  step::StopSignal stop_;
  EngineOptions options_;
};

}  // namespace plan::engine
