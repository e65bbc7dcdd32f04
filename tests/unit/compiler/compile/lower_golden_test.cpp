#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "compiler/ir/json.h"
#include "tests/support/repository.h"
#include "tests/support/shared_data.h"
#include "tests/unit/compiler/compile/golden_case.h"

namespace plan::test {
namespace {

namespace fs = std::filesystem;

/// One step a line, sorted: id, kind, stage, wave, role, what it waits for, and its own arguments
/// (the connection blocks that every step of a host has are left out).
std::string lines_of(const ir::StepGraph& graph) {
  std::vector<std::string> lines;
  for (std::size_t i = 0; i < graph.size(); ++i) {
    const auto step = static_cast<ir::StepId>(i);
    std::vector<std::string> after;
    for (const ir::StepId earlier : graph.after(step)) after.push_back(graph.id(earlier));
    std::sort(after.begin(), after.end());
    std::string words;
    for (const std::string& id : after) words += (words.empty() ? "" : ",") + id;
    ir::Value arguments = ir::Value::map();
    const ir::Value whole = graph.arguments(step);
    for (const auto& [name, value] : whole.members()) {
      if (name != "source" && name != "target" && name != "proxies") arguments.set(name, value);
    }
    const ir::WaveInfo* wave = graph.wave_info(graph.wave(step));
    const char* role = graph.role(step) == ir::TransactionRole::held     ? " held"
                       : graph.role(step) == ir::TransactionRole::commit ? " commit"
                                                                         : "";
    lines.push_back(fmt::format("{} [{}] {}{}{} after({}) {}\n", graph.id(step),
                                info(graph.kind(step)).name, to_string(graph.stage(step)),
                                wave == nullptr ? "" : " wave=" + wave->name, role, words,
                                ir::canonical_json(arguments)));
  }
  std::sort(lines.begin(), lines.end());
  std::string text;
  for (const std::string& line : lines) text += line;
  return text;
}

class LowerGolden : public testing::TestWithParam<std::string> {};

TEST_P(LowerGolden, GivesTheseSteps) {
  const fs::path folder = test::repository() / "tests/golden/lower" / GetParam();
  auto golden_case = read_golden_case(folder);
  const CompileResult result = compile(std::move(golden_case->input));
  ASSERT_TRUE(result.graph.has_value()) << rendered(result);
  EXPECT_EQ(differs_from_golden(folder / "expect.graph", lines_of(*result.graph)), "");
}

INSTANTIATE_TEST_SUITE_P(EveryFolder, LowerGolden,
                         testing::ValuesIn(case_names(test::repository() / "tests/golden/lower")),
                         [](const testing::TestParamInfo<std::string>& parameter) {
                           std::string name = parameter.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace plan::test
