// A saved plan is read in a time that is linear in its size, whatever there is much of in it.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "compiler/ir/plan_file.h"
#include "tests/support/processor_time.h"

namespace plan::ir {
namespace {

constexpr std::size_t kSmall = 500;
constexpr std::size_t kTimes = 16;

std::string name_of(std::string_view what, std::size_t number) {
  return fmt::format("{}{:05}", what, number);
}

StepShape shape_of(std::string id_pattern) {
  StepShape shape;
  shape.kind = StepKind::admin_account;
  shape.stage = Stage::waves;
  shape.id_pattern = std::move(id_pattern);
  shape.arguments = Value::map();
  return shape;
}

/// Accounts with three steps each, one behind the other, and what was seen of every one.
void add_accounts(SavedPlan& plan, std::size_t count) {
  const WaveId wave = plan.graph.add_wave({.name = "all"});
  std::vector<std::uint32_t> shapes;
  for (const char* id : {"account/{}/create", "account/{}/copy", "account/{}/open"}) {
    shapes.push_back(plan.graph.add_shape(shape_of(id)));
  }
  std::uint32_t step = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const std::string address = name_of("user", i) + "@example.org";
    const RowId row = plan.graph.add_row(address, Value::map({{"account", address}}), {});
    StepId before = {};
    for (std::size_t k = 0; k < shapes.size(); ++k) {
      const StepId one = plan.graph.add_step(shapes[k], row, wave);
      if (k > 0) plan.graph.add_edge(before, one);
      before = one;
      Observation seen;
      seen.standing = Standing::differs;
      seen.differences.push_back({"aliases[0]", Value(), address});
      seen.fingerprint = Value::map({{"version", "0.16.15"}, {"account", address}});
      plan.observations.put(step++, seen);
    }
  }
}

/// Steps without a row, one shape each.
std::vector<StepId> add_steps(SavedPlan& plan, std::size_t count) {
  std::vector<StepId> steps;
  for (std::size_t i = 0; i < count; ++i) {
    steps.push_back(plan.graph.add_step(plan.graph.add_shape(shape_of(name_of("own/step", i))),
                                        RowId::none, WaveId::none));
  }
  return steps;
}

using Fill = std::function<void(SavedPlan& plan, std::size_t count)>;

const std::vector<std::pair<const char*, Fill>>& shapes_of_a_plan() {
  static const std::vector<std::pair<const char*, Fill>> kShapes = {
      {"accounts", add_accounts},
      {"steps of their own", [](SavedPlan& plan, std::size_t count) { add_steps(plan, count); }},
      {"steps that one waits for",
       [](SavedPlan& plan, std::size_t count) {
         const std::vector<StepId> steps = add_steps(plan, count);
         const StepId last = plan.graph.add_step(plan.graph.add_shape(shape_of("own/last")),
                                                 RowId::none, WaveId::none);
         for (const StepId step : steps) plan.graph.add_edge(step, last);
       }},
      {"steps that are only ordered in front of one",
       [](SavedPlan& plan, std::size_t count) {
         const std::vector<StepId> steps = add_steps(plan, count);
         const StepId last = plan.graph.add_step(plan.graph.add_shape(shape_of("own/last")),
                                                 RowId::none, WaveId::none);
         for (const StepId step : steps) plan.graph.add_soft_edge(step, last);
       }},
      {"steps in a chain",
       [](SavedPlan& plan, std::size_t count) {
         const std::vector<StepId> steps = add_steps(plan, count);
         for (std::size_t i = 1; i < steps.size(); ++i) plan.graph.add_edge(steps[i - 1], steps[i]);
       }},
      {"waves",
       [](SavedPlan& plan, std::size_t count) {
         for (std::size_t i = 0; i < count; ++i) plan.graph.add_wave({.name = name_of("wave", i)});
       }},
      {"members of a row",
       [](SavedPlan& plan, std::size_t count) {
         Value members = Value::map();
         for (std::size_t i = 0; i < count; ++i) members.set(name_of("member", i), "value");
         (void)plan.graph.add_row("alice@example.org", std::move(members), {});
       }},
      {"differences of a step",
       [](SavedPlan& plan, std::size_t count) {
         add_steps(plan, 1);
         Observation seen;
         seen.standing = Standing::differs;
         for (std::size_t i = 0; i < count; ++i)
           seen.differences.push_back({name_of("aliases", i), Value(), "info@example.org"});
         plan.observations.put(0, seen);
       }},
      {"sources, findings, disks and notes",
       [](SavedPlan& plan, std::size_t count) {
         for (std::size_t i = 0; i < count; ++i) {
           plan.sources.emplace_back(name_of("module", i) + ".plan", "module mine\n");
           plan.findings.push_back(
               {"quota-too-small", "warning", name_of("too small ", i), "m.yaml:3:1", {}, {}});
           plan.disks.push_back(
               {name_of("dump ", i), 12U, "statvfs", "2026-08-14T09:12:00Z", {}, {}});
           plan.notes.push_back(name_of("note ", i));
         }
       }},
      {"a text of the plan", [](SavedPlan& plan, std::size_t count) {
         std::string text = "plan: 1\n";
         for (std::size_t i = 0; i < count * 100; ++i) text += "# \"a\"\n";
         plan.sources.emplace_back("migration.yaml", std::move(text));
       }}};
  return kShapes;
}

std::string saved_plan(const Fill& fill, std::size_t count) {
  SavedPlan plan;
  plan.plan_name = "example.org to Stalwart";
  plan.made_at = "2026-08-14T09:12:00Z";
  plan.plan_digest = "aa";
  plan.lock_digest = "bb";
  plan.schema_digest = "cc";
  plan.made_by = "plan 0.1.0";
  fill(plan, count);
  EXPECT_FALSE(plan.graph.freeze());
  std::string digest;
  return write_saved_plan(plan, &digest);
}

TEST(SavedPlanGrowth, ReadingCostsTimeThatIsLinearInItsSize) {
  constexpr double kLeast = 0.002;
  for (const auto& [what, fill] : shapes_of_a_plan()) {
    const std::string small = saved_plan(fill, kSmall);
    const std::string large = saved_plan(fill, kSmall * kTimes);
    EXPECT_GT(large.size(), small.size() * 8) << what;
    const auto read = [what = what](const std::string& text) {
      return test::processor_seconds([&] {
        std::string digest;
        const auto plan = read_saved_plan(text, &digest);
        EXPECT_TRUE(plan) << what << ": " << plan.error().to_line();
      });
    };
    // Costs that grow with the square would be 256 times as much.
    double times = 0;
    for (int attempt = 0; attempt < 5; ++attempt) {
      const double of_large = read(large);
      times = of_large / std::max(read(small), kLeast);
      if (times < kTimes * 5) break;
    }
    EXPECT_LT(times, kTimes * 5) << what;
  }
}

}  // namespace
}  // namespace plan::ir
