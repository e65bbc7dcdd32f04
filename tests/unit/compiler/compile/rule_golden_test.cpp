// Every rule of compiler/check/rules has a case of tests/golden/diagnostics that it reports, and
// one that it passes: CODE/hit and CODE/near-miss where it has a code of its own, and those whose
// `rule.txt` names it. The rule alone is run over each of them.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "compiler/source/text.h"
#include "tests/support/repository.h"
#include "tests/support/shared_data.h"
#include "tests/unit/compiler/compile/golden_case.h"
#include "tests/unit/compiler/compile/judged_case.h"

namespace plan::test {
namespace {

namespace fs = std::filesystem;

fs::path golden() { return test::repository() / "tests/golden/diagnostics"; }

bool is_near_miss(const fs::path& folder) {
  return folder.filename().string().starts_with("near-miss");
}

/// The names of the rules that stand in a case's `rule.txt`.
std::vector<std::string> named_in(const fs::path& folder) {
  std::vector<std::string> names;
  const std::string text = read_all(folder / "rule.txt");
  for (const std::string_view line : split(text, '\n')) {
    if (!line.empty()) names.emplace_back(line);
  }
  return names;
}

/// The cases of each rule, by its name.
const std::map<std::string, std::vector<fs::path>, std::less<>>& cases_by_rule() {
  static const auto kCases = [] {
    std::map<std::string, std::vector<fs::path>, std::less<>> cases;
    for (const Rule& rule : all_rules()) {
      for (const char* name : {"hit", "near-miss"}) {
        if (const fs::path one = golden() / rule.code() / name; fs::exists(one))
          cases[std::string(rule.name)].push_back(one);
      }
    }
    for (const fs::path& code : folders_of(golden())) {
      for (const fs::path& one : folders_of(code)) {
        for (const std::string& name : named_in(one)) cases[name].push_back(one);
      }
    }
    return cases;
  }();
  return kCases;
}

bool has(const CompileResult& result, const Diagnostic& wanted) {
  const auto is_it = [&](const Diagnostic& one) {
    return one.kind == wanted.kind && one.message == wanted.message;
  };
  return std::any_of(result.diagnostics.begin(), result.diagnostics.end(), is_it) ||
         std::any_of(result.silenced.begin(), result.silenced.end(),
                     [&](const SilencedFinding& one) { return is_it(one.diagnostic); });
}

class RuleGolden : public testing::TestWithParam<Rule> {};

TEST_P(RuleGolden, ReportsItsOwnCaseAndPassesTheOneBesideIt) {
  const Rule& rule = GetParam();
  const auto known = cases_by_rule().find(rule.name);
  ASSERT_NE(known, cases_by_rule().end()) << "no case is of this rule: neither is there a folder "
                                          << rule.code() << ", nor does any rule.txt name it";
  std::size_t hits = 0;
  std::size_t misses = 0;
  for (const fs::path& folder : known->second) {
    const JudgedCase judged(folder);
    const auto said = judged.said_by(rule);
    ASSERT_TRUE(said.has_value()) << rule.name << " does not look at " << folder;
    const std::string code = folder.parent_path().filename().string();
    const auto found = std::find_if(said->begin(), said->end(), [&](const Diagnostic& one) {
      return info(one.kind).name == code;
    });
    const bool is_said = found != said->end();
    if (is_near_miss(folder)) {
      ++misses;
      EXPECT_FALSE(is_said) << folder << "\n" << found->message;
      continue;
    }
    ++hits;
    EXPECT_TRUE(is_said) << rule.name << " reports no `" << code << "` in " << folder;
    auto golden_case = read_golden_case(folder);
    const CompileResult result = compile(std::move(golden_case->input));
    for (const Diagnostic& one : *said)
      EXPECT_TRUE(has(result, one)) << folder << "\n" << one.message;
  }
  EXPECT_NE(hits, 0U) << "no case shows what " << rule.name << " reports";
  EXPECT_NE(misses, 0U) << "no case shows what just misses " << rule.name;
}

INSTANTIATE_TEST_SUITE_P(EveryRule, RuleGolden, testing::ValuesIn(all_rules()),
                         [](const testing::TestParamInfo<Rule>& parameter) {
                           return std::string(parameter.param.name);
                         });

TEST(Rules, AreAllThatCasesName) {
  for (const auto& [name, cases] : cases_by_rule()) {
    const bool is_rule =
        std::any_of(all_rules().begin(), all_rules().end(),
                    [&wanted = name](const Rule& rule) { return rule.name == wanted; });
    EXPECT_TRUE(is_rule) << name << " is no rule, and " << cases.front() << " names it";
  }
}

}  // namespace
}  // namespace plan::test
