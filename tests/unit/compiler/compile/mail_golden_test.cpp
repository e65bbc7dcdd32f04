// `plan graph --mail`: the model of a plan's mail, drawn.
#include <gtest/gtest.h>

#include <algorithm>

#include "compiler/flow/routes.h"
#include "compiler/ir/json.h"
#include "tests/support/repository.h"
#include "tests/unit/compiler/compile/golden_case.h"

namespace plan::test {
namespace {

namespace fs = std::filesystem;

class MailGolden : public testing::TestWithParam<std::string> {};

TEST_P(MailGolden, IsDrawnLikeThis) {
  const fs::path folder = test::repository() / "tests/golden/mail" / GetParam();
  auto golden = read_golden_case(folder);
  const CompileResult result = compile(std::move(golden->input));
  ASSERT_TRUE(result.graph.has_value()) << rendered(result);
  const auto routes = flow::drawn_routes(*result.graph, false);
  ASSERT_FALSE(routes.empty());
  EXPECT_EQ(differs_from_golden(folder / "expect.txt", flow::routes_text(routes, *result.sources)),
            "");
  EXPECT_EQ(differs_from_golden(folder / "expect.dot", flow::routes_dot(routes)), "");
  EXPECT_EQ(differs_from_golden(folder / "expect.mmd", flow::routes_mermaid(routes)), "");
  EXPECT_EQ(
      differs_from_golden(folder / "expect.json",
                          ir::write_json(flow::routes_document(routes, *result.sources), 2) + "\n"),
      "");
}

INSTANTIATE_TEST_SUITE_P(EveryFolder, MailGolden,
                         testing::ValuesIn(case_names(test::repository() / "tests/golden/mail")),
                         [](const testing::TestParamInfo<std::string>& parameter) {
                           std::string name = parameter.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

}  // namespace
}  // namespace plan::test
