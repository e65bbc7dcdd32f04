#include "compiler/check/passed_moments.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "compiler/source/source_set.h"

namespace plan::check {
namespace {

using ir::Value;

/// A step that waits for a moment, of a wave or of none.
void add_waiting(ir::StepGraph& graph, ir::StepKind kind, const std::string& id, Value arguments,
                 ir::WaveId wave) {
  ir::StepShape shape;
  shape.kind = kind;
  shape.id_pattern = id;
  shape.arguments = std::move(arguments);
  (void)graph.add_step(graph.add_shape(std::move(shape)), ir::RowId::none, wave);
}

TEST(PassedMoments, AreToldUnlessTheyAreOver) {
  ir::StepGraph graph;
  for (const std::int64_t start_ms : {1'000'000, 2'000'000})
    add_waiting(graph, ir::StepKind::window, fmt::format("wave/{}/window", start_ms),
                Value::map({{"not_before_ms", start_ms}}), ir::WaveId::none);
  ASSERT_FALSE(graph.freeze());
  EXPECT_TRUE(passed_moments(graph, 999'999).empty());
  EXPECT_EQ(next_moment(graph, 999'999), 1'000'000);
  const auto passed = passed_moments(graph, 1'500'000);
  ASSERT_EQ(passed.size(), 1U);
  EXPECT_EQ(passed[0].words,
            "`wave/1000000/window` waits for 1970-01-01T00:16:40Z, which has passed");
  EXPECT_EQ(next_moment(graph, 1'500'000), 2'000'000);
  EXPECT_EQ(passed_moments(graph, 2'000'000).size(), 2U);
  EXPECT_FALSE(next_moment(graph, 2'000'000));
  const auto is_over = [](ir::StepId step) { return ir::index(step) == 0; };
  EXPECT_EQ(passed_moments(graph, 2'000'000, is_over).size(), 1U);
}

TEST(PassedMoments, AreToldOnceOfAWaveThatCompletesLater) {
  ir::StepGraph graph;
  ir::WaveInfo info;
  info.name = "first";
  const ir::WaveId wave = graph.add_wave(info);
  for (const char* id : {"account/a/copy", "account/b/copy", "account/c/copy"})
    add_waiting(graph, ir::StepKind::archive_copy, id, Value::map({{"keep_until_ms", 1'000'000}}),
                wave);
  ASSERT_FALSE(graph.freeze());
  EXPECT_TRUE(passed_moments(graph, 999'999).empty());
  const auto passed = passed_moments(graph, 1'000'000);
  ASSERT_EQ(passed.size(), 1U);
  EXPECT_EQ(passed[0].words, "wave `first` completes after 1970-01-01T00:16:40Z, which has passed");
  const auto is_partly_over = [](ir::StepId step) { return ir::index(step) == 0; };
  EXPECT_EQ(passed_moments(graph, 1'000'000, is_partly_over).size(), 1U);
  const auto is_over = [](ir::StepId) { return true; };
  EXPECT_TRUE(passed_moments(graph, 1'000'000, is_over).empty());
}

}  // namespace
}  // namespace plan::check
