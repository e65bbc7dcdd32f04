#include <gtest/gtest.h>

#include "tests/unit/runtime/engine/engine_fixture.h"

namespace plan::engine {
namespace {

using test::move_graph;

using LeasesTest = EngineTest;

TEST_F(LeasesTest, nothing_is_done_without_all_leases_and_they_are_given_back) {
  class Lease final : public LeaseHolder {
   public:
    Lease(std::string name, std::vector<std::string>& log) : name_(std::move(name)), log_(log) {}
    Outcome acquire(std::string_view) override {
      log_.push_back("take " + name_);
      if (is_taken) return Error(test::kWorldError, "somebody has it");
      return {};
    }
    Result<std::string> holder() override { return std::string("somebody"); }
    Outcome renew(std::string_view) override { return {}; }
    Outcome release(std::string_view) override {
      log_.push_back("give " + name_);
      return {};
    }
    Outcome take_over(std::string_view) override {
      log_.push_back("seize " + name_);
      return {};
    }
    std::string name() const override { return name_; }
    bool is_taken = false;

   private:
    std::string name_;
    std::vector<std::string>& log_;
  };
  std::vector<std::string> log;
  Lease target("target", log);
  Lease source("source", log);
  options_.leases = {&target, &source};
  source.is_taken = true;
  const auto refused = run(move_graph());
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().to_line().find("taking the lease on the source"), std::string::npos);
  EXPECT_EQ(log, (std::vector<std::string>{"take target", "take source", "give target"}));
  EXPECT_EQ(world_.effects, 0U);
  log.clear();
  options_.takes_over_lease = true;
  ASSERT_TRUE(run(move_graph()));
  EXPECT_EQ(log, (std::vector<std::string>{"seize target", "seize source", "give source",
                                           "give target"}));
}

/// A lease with books, whose other side can be gone when a run ends.
class LeaseBook final : public LeaseHolder {
 public:
  Outcome acquire(std::string_view token) override {
    if (!holder_.empty() && holder_ != token) return Error(test::kWorldError, holder_ + " has it");
    holder_ = token;
    if (!answers) return Error(test::kWorldError, "no answer").with_effect(Effect::unknown);
    return {};
  }
  Outcome renew(std::string_view) override { return {}; }
  Outcome release(std::string_view token) override {
    if (!takes_it_back) return Error(test::kWorldError, "out of reach");
    if (holder_ == token) holder_.clear();
    return {};
  }
  Outcome take_over(std::string_view token) override {
    holder_ = token;
    return {};
  }
  Result<std::string> holder() override { return holder_; }
  std::string name() const override { return "target"; }

  std::string holder_ = {};
  bool takes_it_back = true;
  bool answers = true;
};

TEST_F(LeasesTest, a_lease_of_a_run_that_never_began_lets_the_next_of_its_journal_in) {
  LeaseBook lease;
  options_.leases = {&lease};
  lease.takes_it_back = false;
  lease.answers = false;
  ASSERT_FALSE(run(move_graph()));
  ASSERT_FALSE(lease.holder_.empty());
  EXPECT_TRUE((*open())->runs()->empty());
  clock_.advance(std::chrono::seconds(1));
  lease.takes_it_back = true;
  lease.answers = true;
  const auto again = run(move_graph());
  ASSERT_TRUE(again) << again.error().to_line();
  EXPECT_EQ(lease.holder_, "");
}

TEST_F(LeasesTest, a_lease_that_an_ended_run_could_not_give_back_lets_the_next_of_its_journal_in) {
  LeaseBook lease;
  options_.leases = {&lease};
  lease.takes_it_back = false;
  ASSERT_TRUE(run(move_graph()));
  const std::string left_behind = lease.holder_;
  ASSERT_FALSE(left_behind.empty());
  lease.takes_it_back = true;
  const auto again = run(move_graph());
  ASSERT_TRUE(again) << again.error().to_line();
  EXPECT_EQ(lease.holder_, "");

  lease.holder_ = "20261124T014739Z-00000000";
  const auto refused = run(move_graph());
  ASSERT_FALSE(refused) << "another journal's run may be alive";
  EXPECT_EQ(lease.holder_, "20261124T014739Z-00000000");
}

}  // namespace
}  // namespace plan::engine
