#include <gtest/gtest.h>

#include <algorithm>

#include "compiler/source/text.h"
#include "tests/support/repository.h"
#include "tests/support/shared_data.h"
#include "tests/unit/compiler/compile/golden_case.h"

namespace plan::test {
namespace {

namespace fs = std::filesystem;

fs::path golden() { return test::repository() / "tests/golden/diagnostics"; }
fs::path pages() { return test::repository() / "docs/diagnostics"; }

bool has_code(const CompileResult& result, const std::string& code) {
  return std::any_of(result.diagnostics.begin(), result.diagnostics.end(),
                     [&](const Diagnostic& d) { return info(d.kind).name == code; });
}

class DiagnosticGolden : public testing::TestWithParam<std::string> {};

TEST_P(DiagnosticGolden, IsReportedWhereItIsAndNotWhereItIsNot) {
  const fs::path folder = golden() / GetParam();
  ASSERT_TRUE(fs::exists(folder / "hit")) << "no case shows `" << GetParam() << "`";
  ASSERT_TRUE(fs::exists(folder / "near-miss"))
      << "no case shows what just misses `" << GetParam() << "`";
  for (const fs::path& folder_of_case : folders_of(folder)) {
    auto golden_case = read_golden_case(folder_of_case);
    const CompileResult result = compile(std::move(golden_case->input));
    const bool is_near_miss = folder_of_case.filename().string().starts_with("near-miss");
    EXPECT_EQ(has_code(result, GetParam()), !is_near_miss) << folder_of_case << "\n"
                                                           << rendered(result);
    EXPECT_EQ(differs_from_golden(folder_of_case / "expect.txt", rendered(result)), "");
  }
}

TEST_P(DiagnosticGolden, HasAPageThatSaysWhatWhyAndHow) {
  const fs::path page = pages() / (GetParam() + ".md");
  ASSERT_TRUE(fs::exists(page)) << page;
  const std::string text = read_all(page);
  EXPECT_TRUE(text.starts_with("# `" + GetParam() + "`")) << page;
  for (const char* part :
       {"## What was seen", "## Why it hurts", "## How to mend it", "## Source"}) {
    EXPECT_NE(text.find(part), std::string::npos) << page << " lacks " << part;
  }
}

std::vector<std::string> codes() {
  std::vector<std::string> names;
  for (const KindInfo& kind : all_kinds()) names.emplace_back(kind.name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(EveryKind, DiagnosticGolden, testing::ValuesIn(codes()),
                         [](const testing::TestParamInfo<std::string>& parameter) {
                           std::string name = parameter.param;
                           std::replace(name.begin(), name.end(), '-', '_');
                           return name;
                         });

TEST(Diagnostics, AreSortedByCodeAndEveryFolderAndPageIsOne) {
  const std::vector<std::string> names = codes();
  EXPECT_TRUE(std::is_sorted(names.begin(), names.end()));
  for (const fs::path& folder : folders_of(golden())) {
    EXPECT_NE(std::find(names.begin(), names.end(), folder.filename().string()), names.end())
        << folder;
  }
  for (const auto& entry : fs::directory_iterator(pages())) {
    EXPECT_NE(std::find(names.begin(), names.end(), entry.path().stem().string()), names.end())
        << entry.path();
  }
}

TEST(Diagnostics, MessagesAreInTheHousesWording) {
  for (const fs::path& folder : folders_of(golden())) {
    for (const fs::path& folder_of_case : folders_of(folder)) {
      auto golden_case = read_golden_case(folder_of_case);
      for (const Diagnostic& d : compile(std::move(golden_case->input)).diagnostics) {
        EXPECT_FALSE(d.message.empty());
        EXPECT_FALSE(d.message.ends_with('.')) << d.message;
        EXPECT_FALSE(d.help.empty()) << "nothing says what to do: " << d.message;
        for (const char* word : {"invalid", "illegal", "please", "failed to", "Invalid"}) {
          EXPECT_EQ(d.message.find(word), std::string::npos) << d.message;
        }
      }
    }
  }
}

}  // namespace
}  // namespace plan::test
