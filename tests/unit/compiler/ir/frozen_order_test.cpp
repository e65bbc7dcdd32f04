// Freezing a graph against the plainest way to do the same.
#include <gtest/gtest.h>

#include <random>
#include <set>
#include <string>

#include "compiler/ir/ready_set.h"
#include "compiler/ir/step_graph.h"

namespace plan::ir {
namespace {

TEST(ReadySet, TakesTheLeastLikeASortedSet) {
  std::mt19937 random(2);
  for (const std::size_t bound : {1U, 63U, 64U, 65U, 4096U, 4097U, 300'000U}) {
    ReadySet ready(bound);
    std::set<std::size_t> expected;
    for (int i = 0; i < 5'000; ++i) {
      if (random() % 3 != 0) {
        const std::size_t number = random() % bound;
        ready.insert(number);
        expected.insert(number);
        continue;
      }
      const auto least = ready.take_least();
      ASSERT_EQ(least.has_value(), !expected.empty());
      if (!least) continue;
      ASSERT_EQ(*least, *expected.begin());
      expected.erase(expected.begin());
    }
  }
}

TEST(FrozenOrder, ACycleIsNamedFromOneOfItsStepsOn) {
  StepGraph graph;
  for (const char* id : {"first", "in", "a", "b", "c", "behind"}) {
    StepShape shape;
    shape.id_pattern = id;
    graph.add_step(graph.add_shape(std::move(shape)), RowId::none, WaveId::none);
  }
  const auto wait = [&](std::uint32_t step, std::uint32_t earlier) {
    graph.add_edge(static_cast<StepId>(earlier), static_cast<StepId>(step));
  };
  wait(1, 0);
  wait(1, 2);  // waits for the cycle, and is not of it
  wait(2, 3);
  wait(3, 4);
  wait(3, 0);
  wait(4, 2);
  wait(5, 4);
  EXPECT_EQ(graph.freeze(), "cycle: a after b after c after a");
}

TEST(FrozenOrder, IsTheLeastReadyStepFirst) {
  std::mt19937 random(3);
  for (int round = 0; round < 60; ++round) {
    const std::size_t count = 1 + random() % 200;
    StepGraph graph;
    for (std::size_t i = 0; i < count; ++i) {
      StepShape shape;
      shape.id_pattern = "step/" + std::to_string(i);
      graph.add_step(graph.add_shape(std::move(shape)), RowId::none, WaveId::none);
    }
    // Edges run along a hidden order, so there is no cycle; some are said twice, some are soft.
    std::vector<std::size_t> hidden(count);
    for (std::size_t i = 0; i < count; ++i) hidden[i] = i;
    std::shuffle(hidden.begin(), hidden.end(), random);
    std::vector<std::set<std::size_t>> after(count), before(count);
    std::set<std::pair<std::size_t, std::size_t>> soft;
    for (std::size_t i = 0; i < count * 3; ++i) {
      std::size_t a = random() % count, b = random() % count;
      if (a == b) continue;
      if (a > b) std::swap(a, b);
      const std::size_t earlier = hidden[a], later = hidden[b];
      after[later].insert(earlier);
      before[earlier].insert(later);
      if (random() % 5 == 0) {
        soft.emplace(earlier, later);
        graph.add_soft_edge(static_cast<StepId>(earlier), static_cast<StepId>(later));
      } else {
        graph.add_edge(static_cast<StepId>(earlier), static_cast<StepId>(later));
      }
    }
    ASSERT_EQ(graph.freeze(), std::nullopt);
    std::vector<StepId> expected;
    std::vector<std::size_t> waiting(count);
    std::set<std::size_t> ready;
    for (std::size_t i = 0; i < count; ++i) {
      waiting[i] = after[i].size();
      if (waiting[i] == 0) ready.insert(i);
    }
    while (!ready.empty()) {
      const std::size_t step = *ready.begin();
      ready.erase(ready.begin());
      expected.push_back(static_cast<StepId>(step));
      for (const std::size_t next : before[step])
        if (--waiting[next] == 0) ready.insert(next);
    }
    ASSERT_EQ(graph.order(), expected);
    for (std::size_t i = 0; i < count; ++i) {
      const auto step = static_cast<StepId>(i);
      std::vector<std::size_t> seen;
      for (const StepId one : graph.after(step)) {
        seen.push_back(index(one));
        ASSERT_EQ(graph.is_soft(one, step), soft.contains({index(one), i}));
      }
      ASSERT_EQ(seen, std::vector<std::size_t>(after[i].begin(), after[i].end()));
      seen.clear();
      for (const StepId one : graph.before(step)) seen.push_back(index(one));
      ASSERT_EQ(seen, std::vector<std::size_t>(before[i].begin(), before[i].end()));
      ASSERT_EQ(graph.find("step/" + std::to_string(i)), step);
    }
    ASSERT_FALSE(graph.find("step/none"));
  }
}

TEST(FrozenOrder, ArgumentsAreReadOneByOneAsAllTogether) {
  StepGraph graph;
  StepShape shape;
  shape.id_pattern = "account/{}/copy";
  shape.arguments = Value::map({{"account", OutputRef{"$row", "address"}},
                                {"aliases", OutputRef{"$row", "aliases"}},
                                {"prior", OutputRef{"account/{}/create", "id"}},
                                {"plain", 7}});
  const auto number = graph.add_shape(std::move(shape));
  const RowId row =
      graph.add_row("a/b@example.org", Value::map({{"address", "a/b@example.org"}}), {});
  const StepId step = graph.add_step(number, row, WaveId::none);
  ASSERT_EQ(graph.freeze(), std::nullopt);
  const Value all = graph.arguments(step);
  for (const char* name : {"account", "aliases", "prior", "plain", "none"})
    EXPECT_EQ(graph.argument(step, name), all[name]) << name;
  EXPECT_EQ(graph.argument(step, "account").string_or(""), "a/b@example.org");
  EXPECT_EQ(graph.find("account/a%2Fb@example.org/copy"), step);
}

}  // namespace
}  // namespace plan::ir
