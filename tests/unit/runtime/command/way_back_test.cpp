// The way back of a rehearsal: who could not go back, and what the books say is not as it was.
#include "runtime/command/way_back.h"

#include <gmock/gmock.h>

#include "runtime/rehearsal/scratch_drivers.h"
#include "tests/support/told_error.h"
#include "tests/unit/runtime/engine/engine_fixture.h"

namespace plan::command {
namespace {

using ir::StepKind;

/// Archives, the target and everything else that the books are not about: whatever is asked is
/// done.
class Willing : public step::StepDriver {
 public:
  Result<ir::Observation> observe(step::StepContext&) override {
    return ir::Observation{.standing = ir::Standing::absent};
  }
  Result<ir::Value> apply(step::StepContext&) override {
    return ir::Value::map({{"account_id", "a"}, {"grade", "perfect"}});
  }
  Outcome verify(step::StepContext&) override { return {}; }
  Outcome undo(step::StepContext&) override { return {}; }
};

/// Says that a door is open again, and leaves it closed.
class StuckDoor final : public Willing {
 public:
  explicit StuckDoor(step::StepDriver& door) : door_(door) {}
  Result<ir::Observation> observe(step::StepContext& context) override {
    return door_.observe(context);
  }
  Result<ir::Value> apply(step::StepContext& context) override { return door_.apply(context); }

 private:
  step::StepDriver& door_;
};

/// Does not answer any more when it is asked what would be carried back.
class GoneSource final : public Willing {
 public:
  Result<ir::Observation> observe(step::StepContext& context) override {
    if (context.is_rollback) return Error(test::kWorldError, "the source does not answer");
    return Willing::observe(context);
  }
};

class WayBackTest : public engine::EngineTest {
 protected:
  WayBackTest() {
    const auto willing = std::make_shared<Willing>();
    for (const ir::StepKindInfo& info : ir::all_step_kinds()) drivers_.add(info.kind, willing);
    rehearsal::add_scratch_drivers(drivers_, books_);
    drivers_.add(StepKind::admin_keys, rehearsal::with_books(willing, books_));
    engine::add_local_drivers(drivers_);
  }

  Result<engine::RunResult> there_and_back() {
    const ir::StepGraph graph = test::move_graph({.accounts = 2, .is_finalize_approved = true});
    auto journal = open();
    if (!journal) return std::move(journal).error();
    const engine::EngineParts given = parts(graph, **journal);
    const auto moved = engine::run(given, options_);
    EXPECT_TRUE(moved) << moved.error().to_line();
    EXPECT_EQ(books_->account("a1@x").clients, "target");
    return go_back(
        given, options_,
        [this](bool is_before_cutover) { return books_->left_behind(is_before_cutover); },
        std::nullopt);
  }

  std::shared_ptr<rehearsal::ScratchWorld> books_ = std::make_shared<rehearsal::ScratchWorld>();
};

TEST_F(WayBackTest, ends_where_it_began) {
  const auto back = there_and_back();
  ASSERT_TRUE(back) << back.error().to_line();
  EXPECT_EQ(back->ending, report::Ending::finished) << back->message;
  EXPECT_EQ(books_->account("a1@x").clients, "source");
}

TEST_F(WayBackTest, a_door_that_stays_closed_is_found) {
  step::DriverTable scratch;
  rehearsal::add_scratch_drivers(scratch, books_);
  drivers_.add(StepKind::dovecot_deny,
               std::make_shared<StuckDoor>(*scratch.find(StepKind::dovecot_deny)));
  const auto back = there_and_back();
  ASSERT_FALSE(back);
  EXPECT_TRUE(test::told_as("rehearsal-failed", back.error()));
}

TEST_F(WayBackTest, who_cannot_go_back_is_named_before_anybody_is_held) {
  drivers_.add(StepKind::archive_delta, std::make_shared<GoneSource>());
  const auto back = there_and_back();
  ASSERT_FALSE(back);
  // Both are asked at the same time.
  EXPECT_THAT(back.error().to_line(),
              ::testing::ContainsRegex("a[01]@x: cannot go back: the source does not answer"));
  EXPECT_EQ(books_->account("a1@x").clients, "target");
}

}  // namespace
}  // namespace plan::command
