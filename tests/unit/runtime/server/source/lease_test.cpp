#include "runtime/server/source/lease.h"

#include <gtest/gtest.h>

#include "tests/support/temp_dir.h"
#include "tests/support/told_error.h"
#include "tests/unit/runtime/server/stalwart/driver_bench.h"

namespace plan::server::source {
namespace {

/// The lease of a source that is this machine.
class SourceLeases : public ::testing::Test {
 protected:
  SourceLease lease(const std::string& holder) {
    return {*host_, folder_.file("lib/plan/lease"), holder, clock_};
  }

 private:
  test::TempDir folder_;
  std::unique_ptr<net::Host> host_ = net::local_host();
  stalwart::TestClock clock_;
};

TEST_F(SourceLeases, AreGivenToOneRunThatKeepsThemByItsToken) {
  SourceLease mine = lease("me@here");
  SourceLease yours = lease("you@there");
  EXPECT_TRUE(mine.acquire("token-a"));
  EXPECT_TRUE(mine.acquire("token-a")) << "a run that was killed resumes its own lease";
  const Outcome taken = yours.acquire("token-b");
  ASSERT_FALSE(taken);
  EXPECT_TRUE(test::told_as("source-lease-taken", taken.error()));
  EXPECT_TRUE(yours.release("token-b")) << "what is not ours is left alone";
  EXPECT_TRUE(mine.renew("token-a"));
  EXPECT_TRUE(mine.release("token-a"));
  EXPECT_TRUE(mine.release("token-a"));
  EXPECT_TRUE(yours.acquire("token-b"));
}

TEST_F(SourceLeases, AreLostToWhoTakesThemOver) {
  SourceLease mine = lease("me@here");
  SourceLease yours = lease("you@there");
  EXPECT_TRUE(mine.acquire("token-a"));
  EXPECT_TRUE(yours.take_over("token-b"));
  const Outcome lost = mine.renew("token-a");
  ASSERT_FALSE(lost);
  EXPECT_TRUE(test::told_as("source-lease-lost", lost.error()));
  EXPECT_TRUE(mine.release("token-a"));
  EXPECT_EQ(yours.look()->token, "token-b") << "released by who lost it";
}

}  // namespace
}  // namespace plan::server::source
