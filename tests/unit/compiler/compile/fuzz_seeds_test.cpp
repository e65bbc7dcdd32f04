// Fuzz targets reach the rules of the lock and the graph, the schema and the proof only from seeds
// that get there: those named `graph...` do.
#include <gtest/gtest.h>

#include "tests/fuzz/sound_project.h"
#include "tests/support/repository.h"
#include "tests/support/shared_data.h"
#include "tests/unit/compiler/compile/golden_case.h"

namespace plan::test {
namespace {

namespace fs = std::filesystem;

void expect_graphs(const char* target, std::size_t at_least,
                   CompileInput (*input_of)(std::string_view, const schema::Schema*)) {
  std::size_t found = 0;
  for (const auto& entry :
       fs::directory_iterator(test::repository() / "tests/fuzz" / target / "corpus")) {
    if (!entry.path().filename().string().starts_with("graph")) continue;
    ++found;
    const std::string bytes = read_all(entry.path());
    const CompileResult result = compile(input_of(bytes, &repository_schema()));
    EXPECT_TRUE(result.graph.has_value()) << entry.path() << "\n" << rendered(result);
    EXPECT_EQ(rendered(result).find("schema-missing"), std::string::npos) << entry.path();
  }
  EXPECT_GE(found, at_least);
}

TEST(FuzzSeeds, OfPlansCompileToSteps) { expect_graphs("yaml_plan", 3, fuzz::sound_input_of_plan); }

TEST(FuzzSeeds, OfPlansOfStalwartCliCompileToSteps) {
  expect_graphs("ndjson", 2, fuzz::sound_input_of_lines);
}

}  // namespace
}  // namespace plan::test
