// A plan full of mistakes is told all of them in one run, each at its place: tests/golden/planted
// has the plan, its lock and planted.txt, which says what is wrong where.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>
#include <string>
#include <vector>

#include "compiler/source/text.h"
#include "tests/support/repository.h"
#include "tests/support/shared_data.h"
#include "tests/unit/compiler/compile/golden_case.h"

namespace plan::test {
namespace {

TEST(PlantedMistakes, AreAllReportedInOneRunEachAtItsPlaceAndNothingElseIs) {
  const std::filesystem::path folder = test::repository() / "tests/golden/planted";
  auto golden_case = read_golden_case(folder);
  const CompileResult result = compile(std::move(golden_case->input));
  std::vector<std::string> found;
  std::set<std::string> codes;
  for (const Diagnostic& diagnostic : result.diagnostics) {
    const Position position = result.sources->position(diagnostic.span.file, diagnostic.span.begin);
    codes.insert(std::string(info(diagnostic.kind).name));
    found.push_back(std::string(result.sources->name(diagnostic.span.file)) + ":" +
                    std::to_string(position.line) + " " + std::string(info(diagnostic.kind).name));
  }
  std::vector<std::string> planted;
  const std::string text = read_all(folder / "planted.txt");
  for (const std::string_view line : split(text, '\n'))
    if (!line.empty()) planted.emplace_back(line);
  std::sort(found.begin(), found.end());
  std::sort(planted.begin(), planted.end());
  EXPECT_EQ(found, planted) << rendered(result);
  EXPECT_GE(codes.size(), 40U) << "mistakes of 40 kinds";
  EXPECT_EQ(differs_from_golden(folder / "expect.txt", rendered(result)), "");
}

}  // namespace
}  // namespace plan::test
