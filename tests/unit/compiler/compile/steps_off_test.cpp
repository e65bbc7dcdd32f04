// Steps that a condition switches off.
#include <gtest/gtest.h>

#include "compiler/ir/json.h"
#include "tests/support/repository.h"
#include "tests/unit/compiler/compile/golden_case.h"

namespace plan::test {
namespace {

// The last one waits for what all those before it would have waited for.
TEST(StepsThatAreOff, MayStandInAChainAsLongAsAModule) {
  auto golden = read_golden_case(test::repository() / "tests/golden/lower/two-waves");
  std::string& plan = golden->input.plan_text;
  const std::string use = "use: std/dovecot-postfix";
  plan.replace(plan.find(use), use.size(), "use: ./mine.plan");
  std::string module =
      "module mine\nstep first : mark.rollback-point {\n  stage = prepare\n  point = \"a\"\n}\n";
  std::string before = "first";
  for (int i = 0; i < 30'000; ++i) {
    const std::string id = "off" + std::to_string(i);
    module += "step " + id +
              " : mark.rollback-point {\n  stage = prepare\n  when = 1 > 2\n  after = [" + before +
              "]\n  point = \"a\"\n}\n";
    before = id;
  }
  module += "step last : mark.rollback-point {\n  stage = prepare\n  after = [" + before +
            "]\n  point = \"b\"\n}\n";
  golden->input.file_text = [&](const std::string&) -> Result<std::string> { return module; };
  const CompileResult result = compile(std::move(golden->input));
  ASSERT_TRUE(result.graph.has_value()) << rendered(result);
  ASSERT_EQ(result.graph->size(), 2U);
  const auto last = result.graph->find("last");
  ASSERT_TRUE(last);
  ASSERT_EQ(result.graph->after(*last).size(), 1U);
  EXPECT_EQ(result.graph->after(*last)[0], result.graph->find("first"));
}

// A saved plan has them too: there is no step `$unknown` whose output it could name.
TEST(StepsThatAreOff, HaveInTheGraphOnlyWhatIsKnown) {
  auto golden = read_golden_case(
      test::repository() / "tests/golden/diagnostics/procedure-broken/near-miss-switched-off");
  const CompileResult result = compile(std::move(golden->input));
  ASSERT_TRUE(result.graph.has_value()) << rendered(result);
  std::size_t off = 0;
  for (const ir::StepShape& shape : result.graph->shapes()) {
    if (shape.id_pattern.starts_with("off/")) ++off;
    EXPECT_EQ(ir::canonical_json(shape.arguments).find("$unknown"), std::string::npos)
        << shape.id_pattern;
  }
  EXPECT_EQ(off, 8U);
  for (const ir::StepId step : result.graph->order())
    EXPECT_FALSE(result.graph->id(step).starts_with("off/")) << result.graph->id(step);
}

}  // namespace
}  // namespace plan::test
