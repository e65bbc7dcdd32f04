#include "compiler/ir/observation_table.h"

#include <gtest/gtest.h>

#include <utility>

namespace plan::ir {
namespace {

TEST(ObservationTable, KnowsWhatWasLookedAt) {
  ObservationTable table;
  EXPECT_EQ(table.find(0), nullptr);
  EXPECT_FALSE(table.is_satisfied(7));
  table.put(3, {.standing = Standing::satisfied});
  table.put(1, {.standing = Standing::differs, .remark = "another port"});
  EXPECT_EQ(table.find(0), nullptr) << "before one that was";
  EXPECT_TRUE(table.is_satisfied(3));
  EXPECT_FALSE(table.is_satisfied(1));
  EXPECT_EQ(table.find(1)->remark, "another port");
  std::vector<std::pair<std::uint32_t, std::string>> all;
  table.for_each(
      [&](std::uint32_t step, const Observation& seen) { all.emplace_back(step, seen.remark); });
  EXPECT_EQ(all,
            (std::vector<std::pair<std::uint32_t, std::string>>{{1, "another port"}, {3, ""}}));
}

TEST(ObservationTable, ChangesOneOfManyThatAreDone) {
  ObservationTable table;
  for (std::uint32_t step = 0; step < 4; ++step) table.put(step, {.standing = Standing::satisfied});
  table[2].remark = "done by an earlier run";
  EXPECT_TRUE(table.is_satisfied(2)) << "what it was stays";
  EXPECT_EQ(table.find(2)->remark, "done by an earlier run");
  EXPECT_EQ(table.find(1)->remark, "");
  EXPECT_EQ(table[9].standing, Standing::unknowable) << "not looked at before";
  table.put(2, {.standing = Standing::satisfied});
  EXPECT_EQ(table.find(2)->remark, "") << "seen anew";
}

TEST(ObservationTable, KeepsEverythingThatIsSaid) {
  ObservationTable table;
  table.put(0, {.standing = Standing::satisfied, .fingerprint = Value("x")});
  table.put(1, {.standing = Standing::satisfied, .bytes = 12});
  table.put(2, {.standing = Standing::satisfied, .hold_ms = 0});
  table.put(3, {.standing = Standing::satisfied, .is_unseen = true});
  EXPECT_EQ(table.find(0)->fingerprint, Value("x"));
  EXPECT_EQ(table.find(1)->bytes, 12U);
  EXPECT_EQ(table.find(2)->hold_ms, 0U);
  EXPECT_TRUE(table.find(3)->is_unseen);
}

}  // namespace
}  // namespace plan::ir
